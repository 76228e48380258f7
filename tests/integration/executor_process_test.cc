// The program kantoku-executor, as its user sees it.
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/child_process.h"
#include "tests/support/dispatches.h"
#include "tests/support/fake_services.h"

namespace kantoku::executor {
namespace {

using testing::DispatchOf;
using testing::FakeServices;
using testing::IdOf;
using Said = testing::FakeConnection::Said;

// A running kantoku-executor.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    errors_ = File(ends[0]);
    const File theirs(ends[1]);
    const File null(open("/dev/null", O_RDWR));
    const std::string path = absl::StrCat(std::getenv("KANTOKU_BIN_DIR"), "/kantoku-executor");
    arguments.insert(arguments.begin(), path);
    std::vector<std::string> environment;
    for (char** entry = environ; *entry != nullptr; ++entry) environment.emplace_back(*entry);
    auto started = ChildProcess::Start({.program = path,
                                        .arguments = arguments,
                                        .environment = environment,
                                        .standard_input = null.get(),
                                        .standard_output = null.get(),
                                        .standard_error = theirs.get()});
    REQUIRE(started.ok());
    process_ = *std::move(started);
  }

  void Signal(int signal) { process_->Signal(signal); }
  // Reads standard error to its end, then the exit code; -1 when a signal ended it.
  int Wait() {
    char buffer[4096];
    for (ssize_t count; (count = read(errors_.get(), buffer, sizeof(buffer))) > 0;) {
      said_.append(buffer, count);
    }
    const ChildProcess::End end = process_->Wait();
    return end.signal != 0 ? -1 : end.exit_code;
  }
  const std::string& said() const { return said_; }

 private:
  File errors_;
  std::unique_ptr<ChildProcess> process_;
  std::string said_;
};

TEST_CASE("Any command becomes an implementation") {
  FakeServices services;
  Program program({"--server", services.address(), "--run", "test.type=sha256sum", "--name", "x"});
  auto inputs = services.NextConnection();
  REQUIRE(inputs != nullptr);
  CHECK(inputs->said().hello.name() == "x");
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  std::string data;
  REQUIRE(services.AwaitResult("lease 1", &data));
  // printf 'payload 1' | sha256sum
  CHECK(data == "6eea669bf3561ac9bf504b7683d5222675181e4c356a1d15f9b857c2ed30c5b1  -\n");
}

TEST_CASE("SIGTERM drains: what runs finishes, then the program ends with 0") {
  char directory[] = "/tmp/kantoku-drain-XXXXXX";
  REQUIRE(mkdtemp(directory) != nullptr);
  const std::string fifo = absl::StrCat(directory, "/fifo");
  REQUIRE(mkfifo(fifo.c_str(), 0600) == 0);
  FakeServices services;
  Program program({"--server", services.address(), "--concurrency", "1", "--run",
                   absl::StrCat("test.type=cat ", fifo)});
  auto inputs = services.NextConnection();
  REQUIRE(inputs != nullptr);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  program.Signal(SIGTERM);
  REQUIRE(inputs->Await([](const Said& said) { return !said.nacks.empty(); }));
  CHECK(inputs->said().nacks[0].task_id() == IdOf(2));
  std::ofstream(fifo) << "done";
  REQUIRE(inputs->Await([](const Said& said) { return !said.acks.empty(); }));
  inputs->Confirm(inputs->said().acks);
  CHECK(program.Wait() == 0);
  std::filesystem::remove_all(directory);
}

TEST_CASE("A second signal does not wait for what runs") {
  FakeServices services;
  Program program({"--server", services.address(), "--shell", "test.type=exec sleep 1000"});
  auto inputs = services.NextConnection();
  REQUIRE(inputs != nullptr);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  program.Signal(SIGTERM);
  REQUIRE(inputs->Await([](const Said& said) { return !said.credits.empty(); }));
  program.Signal(SIGINT);
  program.Wait();
}

TEST_CASE("A command dies with its executor, even when that is killed") {
  FakeServices services;
  char path[] = "/tmp/kantoku-pid-XXXXXX";
  close(mkstemp(path));
  auto program = std::make_unique<Program>(
      std::vector<std::string>{"--server", services.address(), "--shell",
                               absl::StrCat("test.type=echo $$ > ", path, "; exec sleep 1000")});
  auto inputs = services.NextConnection();
  REQUIRE(inputs != nullptr);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  pid_t command = 0;
  while (command == 0 && std::chrono::steady_clock::now() < until) {
    std::ifstream(path) >> command;
    std::this_thread::yield();
  }
  REQUIRE(command != 0);
  program->Signal(SIGKILL);
  CHECK(program->Wait() == -1);
  const auto runs = [&] {
    std::ifstream status(absl::StrCat("/proc/", command, "/stat"));
    std::string line;
    return std::getline(status, line) && line.find(") Z") == std::string::npos;
  };
  while (runs() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  CHECK_FALSE(runs());
  std::remove(path);
}

TEST_CASE("What is wrong with arguments is one line and exit code 2") {
  Program program({"--run", "nonsense"});
  CHECK(program.Wait() == 2);
  CHECK(program.said() == "kantoku-executor: --run nonsense: is not TYPE=COMMAND\n");
}

TEST_CASE("A program that is not there is said before anything connects") {
  Program program({"--run", "a=no-such-program"});
  CHECK(program.Wait() == 1);
  CHECK(program.said() ==
        "kantoku-executor: type a: there is no program no-such-program in PATH\n");
}

TEST_CASE("An unknown namespace ends the program with what Inputs said") {
  FakeServices services;
  Program program({"--server", services.address(), "--run", "a=true", "--namespace", "nowhere"});
  auto inputs = services.NextConnection();
  REQUIRE(inputs != nullptr);
  inputs->Close(grpc::Status(grpc::StatusCode::NOT_FOUND, "namespace nowhere is unknown"));
  CHECK(program.Wait() == 1);
  CHECK(program.said().find("namespace nowhere is unknown") != std::string::npos);
}

}  // namespace
}  // namespace kantoku::executor
