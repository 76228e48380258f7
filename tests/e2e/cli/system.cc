#include "tests/e2e/cli/system.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "tests/support/secrets.h"

namespace kantoku::test {

System::System() {
  Write("home/.empty", "");
  server_ = Start(
      "exec kantoku up --listen 127.0.0.1:0 --port-file port "
      "--set server.metrics_listen=127.0.0.1:0");
  const auto port = server_->AwaitFile(File("port"));
  REQUIRE(port.ok());
  address_ = absl::StrCat("127.0.0.1:", *port);
}

void System::StartExecutor(const std::vector<std::string>& options) {
  std::vector<std::string> argv = {Binary("kantoku"), "executor"};
  argv.insert(argv.end(), options.begin(), options.end());
  ChildOptions child = Shell("");
  child.argv = std::move(argv);
  auto executor = ChildProcess::Start(child);
  REQUIRE(executor.ok());
  executor_ = *std::move(executor);
  const auto line = executor_->AwaitLine("connected");
  INFO(executor_->output());
  REQUIRE(line.ok());
}

Said System::Sh(const std::string& line) const {
  const auto child = Start(absl::StrCat("{ ", line, "\n} > out 2> err"));
  const auto exit = child->AwaitExit();
  REQUIRE(exit.ok());
  Said said = {.code = exit->code.value_or(128 + exit->signal.value_or(0)),
               .out = Read("out"),
               .err = Read("err")};
  CHECK(SecretIn(said.err).empty());
  return said;
}

std::string System::Ask(const std::string& line) const {
  Said said = Sh(line);
  INFO(line);
  CHECK(said.err.empty());
  REQUIRE(said.code == 0);
  if (said.out.ends_with('\n')) said.out.pop_back();
  return said.out;
}

std::unique_ptr<ChildProcess> System::Start(const std::string& line) const {
  auto child = ChildProcess::Start(Shell(line));
  REQUIRE(child.ok());
  return *std::move(child);
}

void System::Write(const std::string& name, const std::string& bytes) const {
  std::filesystem::create_directories(std::filesystem::path(File(name)).parent_path());
  std::ofstream(File(name), std::ios::binary) << bytes;
}

std::string System::Read(const std::string& name) const {
  std::ifstream file(File(name), std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

ChildOptions System::Shell(const std::string& line) const {
  const std::string programs = std::filesystem::path(Binary("kantoku")).parent_path().string();
  return {.argv = {"bash", "-c", line},
          .env = {{"PATH", absl::StrCat(programs, ":", std::getenv("PATH"))},
                  {"HOME", File("home")},
                  {"KANTOKU_SERVER", address_}},
          .directory = directory_.path()};
}

}  // namespace kantoku::test
