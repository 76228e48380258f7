#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/check.h"
#include "tests/support/secrets.h"
#include "tests/support/temp_dir.h"

namespace kantoku::platform {
namespace {

namespace fs = std::filesystem;

std::string Read(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

// The program under test; killed at the end if it still runs.
class Process {
 public:
  Process(const test::TempDir& sandbox, std::vector<std::string> arguments,
          std::vector<std::string> variables = {})
      : out_(sandbox.File("out")), errors_(sandbox.File("errors")) {
    const char* const directory = std::getenv("KANTOKU_BIN_DIR");
    const std::string program =
        std::string(directory != nullptr ? directory : "build/dev/bin") + "/kantoku-test-server";
    arguments.insert(arguments.begin(), program);
    variables.push_back("HOME=" + sandbox.File("home"));
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, out_.c_str(), flags, 0600);
    ::posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, errors_.c_str(), flags, 0600);
    KANTOKU_CHECK(::posix_spawn(&pid_, program.c_str(), &actions, nullptr,
                                Pointers(arguments).data(), Pointers(variables).data()) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
  }
  ~Process() {
    if (pid_ > 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, nullptr, 0);
    }
    CHECK(test::SecretIn(out() + errors()).empty());
  }

  void Signal(int signal) const { ::kill(pid_, signal); }
  // The exit code, or minus the signal that ended it.
  int Wait() {
    int status = 0;
    KANTOKU_CHECK(::waitpid(pid_, &status, 0) == pid_);
    pid_ = 0;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }
  std::string out() const { return Read(out_); }
  std::string errors() const { return Read(errors_); }

 private:
  static std::vector<char*> Pointers(std::vector<std::string>& texts) {
    std::vector<char*> pointers;
    pointers.reserve(texts.size() + 1);
    for (std::string& text : texts) pointers.push_back(text.data());
    pointers.push_back(nullptr);
    return pointers;
  }

  const std::string out_;
  const std::string errors_;
  pid_t pid_ = 0;
};

std::vector<std::string> Serving(const test::TempDir& sandbox) {
  return {"--data",      sandbox.File("data"), "--listen",
          "127.0.0.1:0", "--port-file",        sandbox.File("port")};
}

int AwaitPort(const test::TempDir& sandbox) {
  while (!fs::exists(sandbox.File("port"))) std::this_thread::yield();
  return std::stoi(Read(sandbox.File("port")));
}

size_t LinesOf(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST_CASE("A program stops with 0 on SIGTERM and SIGINT, and says where it was") {
  const int signal = GENERATE(SIGTERM, SIGINT);
  const test::TempDir sandbox;
  Process process(sandbox, Serving(sandbox));
  const int port = AwaitPort(sandbox);
  process.Signal(signal);
  CHECK(process.Wait() == 0);
  CHECK_THAT(process.errors(),
             Catch::Contains("\"message\":\"listening on 127.0.0.1:" + std::to_string(port)) &&
                 Catch::Contains("\"message\":\"server: made the data directory\",\"path\":\"" +
                                 sandbox.File("data") + "\""));
}

TEST_CASE("A broken pipe does not end a program") {
  const test::TempDir sandbox;
  Process process(sandbox, Serving(sandbox));
  AwaitPort(sandbox);
  process.Signal(SIGPIPE);
  process.Signal(SIGTERM);
  CHECK(process.Wait() == 0);
}

TEST_CASE("A taken port is one line and exit code 1") {
  const test::TempDir sandbox;
  Process first(sandbox, Serving(sandbox));
  const std::string address = "127.0.0.1:" + std::to_string(AwaitPort(sandbox));
  const test::TempDir other;
  fs::create_directory(other.File("data"));
  Process second(other, {"--data", other.File("data"), "--listen", address});
  CHECK(second.Wait() == 1);
  CHECK(second.errors() == "kantoku-test-server: server.listen: cannot listen on " + address +
                               ": Address already in use\n");
}

TEST_CASE("A directory that cannot be made is one line and exit code 1") {
  const test::TempDir sandbox;
  std::ofstream(sandbox.File("file")) << "x";
  Process process(sandbox, {"--data", sandbox.File("file/data"), "--listen", "127.0.0.1:0"});
  CHECK(process.Wait() == 1);
  CHECK_THAT(process.errors(), Catch::StartsWith("kantoku-test-server: server.data_dir: " +
                                                 sandbox.File("file/data")));
  CHECK(LinesOf(process.errors()) == 1);
}

TEST_CASE("An exposed or damaged key file is one line and exit code 1") {
  const test::TempDir sandbox;
  fs::create_directory(sandbox.File("data"));
  std::ofstream(sandbox.File("data/mac.keys")) << "1:xyz\n";
  const bool exposed = GENERATE(true, false);
  ::chmod(sandbox.File("data/mac.keys").c_str(), exposed ? 0644 : 0600);
  Process process(sandbox, Serving(sandbox));
  CHECK(process.Wait() == 1);
  CHECK_THAT(process.errors(), Catch::Contains("server.mac_key_file: ") &&
                                   Catch::Contains(exposed ? "chmod 600" : "line 1"));
  CHECK(LinesOf(process.errors()) == 1);
}

TEST_CASE("Wrong configuration or usage is one line and exit code 2") {
  const test::TempDir sandbox;
  std::ofstream(sandbox.File("k.yaml")) << "inputs:\n  grce: 1s\n";
  const auto arguments = GENERATE_REF(
      as<std::vector<std::string>>(), std::vector<std::string>{"--config", sandbox.File("k.yaml")},
      std::vector<std::string>{"--config", "/nonexistent"},
      std::vector<std::string>{"--set", "inputs.grace=never"},
      std::vector<std::string>{"--listen", "0.0.0.0:6330"}, std::vector<std::string>{"--unknown"},
      std::vector<std::string>{"extra"});
  Process process(sandbox, arguments);
  CHECK(process.Wait() == 2);
  CHECK_THAT(process.errors(), Catch::StartsWith("kantoku-test-server: "));
  CHECK(LinesOf(process.errors()) == 1);
  CHECK_FALSE(fs::exists(sandbox.File("home")));
}

TEST_CASE("The environment is part of the configuration that is printed") {
  const test::TempDir sandbox;
  Process process(sandbox, {"--print-config"}, {"KANTOKU_INPUTS__GRACE=5s"});
  CHECK(process.Wait() == 0);
  CHECK_THAT(process.out(), Catch::Contains("  grace: 5s\n") &&
                                Catch::Contains("  data_dir: " + sandbox.File("home") +
                                                "/.local/share/kantoku\n"));
  CHECK(process.errors().empty());
}

TEST_CASE("Printed configuration is a configuration") {
  const test::TempDir sandbox;
  Process first(
      sandbox, {"--print-config", "--set", "outputs.store=memory", "--set", "inputs.store=memory"});
  REQUIRE(first.Wait() == 0);
  const std::string printed = first.out();
  std::ofstream(sandbox.File("k.yaml")) << printed;
  Process second(sandbox, {"--print-config", "--config", sandbox.File("k.yaml")});
  REQUIRE(second.Wait() == 0);
  CHECK(second.out() == printed);
}

TEST_CASE("Help and version go to standard output") {
  const test::TempDir sandbox;
  Process help(sandbox, {"--help"});
  CHECK(help.Wait() == 0);
  CHECK_THAT(help.out(), Catch::Contains("--print-config") && Catch::Contains("KANTOKU_INPUTS"));
  Process version(sandbox, {"--version"});
  CHECK(version.Wait() == 0);
  CHECK_THAT(version.out(), Catch::StartsWith("kantoku-test-server "));
}

}  // namespace
}  // namespace kantoku::platform
