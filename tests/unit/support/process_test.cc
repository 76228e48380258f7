#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>
#include <string>

#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

std::unique_ptr<ChildProcess> Shell(const std::string& script, ChildOptions options = {}) {
  options.argv = {"sh", "-c", script};
  auto child = ChildProcess::Start(options);
  REQUIRE(child.ok());
  return *std::move(child);
}

std::string Content(const std::string& path) {
  std::ostringstream content;
  content << std::ifstream(path).rdbuf();
  return content.str();
}

TEST_CASE("Output of both kinds is there when the child has ended, and how it ended") {
  const auto child = Shell("echo out; echo err >&2; exit 3");
  const auto exit = child->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 3);
  CHECK_FALSE(exit->signal);
  CHECK(child->output() == "out\nerr\n");
  CHECK_FALSE(child->running());
}

TEST_CASE("A child that writes more than a pipe holds is not held up") {
  const auto child = Shell("head -c 1000000 /dev/zero");
  REQUIRE(child->AwaitExit().ok());
  CHECK(child->output().size() == 1'000'000);
}

TEST_CASE("A line is waited for until it is whole") {
  const auto child =
      Shell("printf 'listening on '; echo 6330; echo listening again; exec sleep 100");
  const auto line = child->AwaitLine("listening");
  REQUIRE(line.ok());
  CHECK(*line == "listening on 6330");
  const auto again = child->AwaitLine("listening", kPatience, line->size());
  REQUIRE(again.ok());
  CHECK(*again == "listening again");
}

TEST_CASE("A line that does not come is an error that shows the output") {
  const auto ended = Shell("echo something else")->AwaitLine("never");
  CHECK(ended.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(ended.status().message()), Catch::Contains("something else"));
  const auto late = Shell("exec sleep 100")->AwaitLine("never", absl::Milliseconds(20));
  CHECK(late.status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("A file is waited for until it holds a line") {
  const TempDir directory;
  const std::string path = directory.File("port");
  const auto child = Shell("printf 63 > " + path + ".new; echo 30 >> " + path + ".new; mv " + path +
                           ".new " + path + "; exec sleep 100");
  const auto line = child->AwaitFile(path);
  REQUIRE(line.ok());
  CHECK(*line == "6330");
  CHECK(child->AwaitFile(path).ok());

  const auto ended = Shell("true")->AwaitFile(directory.File("other"));
  CHECK(ended.status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("A child can be killed and asked to end") {
  const auto killed = Shell("exec sleep 100");
  CHECK(killed->running());
  CHECK(killed->Kill().signal == SIGKILL);
  killed->Signal(SIGTERM);

  const auto asked = Shell("trap 'echo bye; exit 0' TERM; echo ready; sleep 100 & wait");
  REQUIRE(asked->AwaitLine("ready").ok());
  const auto exit = asked->Terminate();
  REQUIRE(exit.ok());
  CHECK(exit->code == 0);
  CHECK_THAT(asked->output(), Catch::EndsWith("bye\n"));

  const auto deaf = Shell("trap '' TERM; echo ready; exec sleep 100");
  REQUIRE(deaf->AwaitLine("ready").ok());
  CHECK(deaf->Terminate(absl::Milliseconds(20)).status().code() ==
        absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("What a child has started goes with it when the test lets go") {
  const TempDir directory;
  const std::string fifo = directory.File("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  const int reader = ::open(fifo.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  // The grandchild holds the other end for as long as it lives.
  auto child = Shell("(echo up >&2; exec sleep 100) 3>" + fifo + " & wait");
  REQUIRE(child->AwaitLine("up").ok());
  child->Kill();
  pollfd hang_up = {reader, POLLIN, 0};
  CHECK(::poll(&hang_up, 1, 0) == 0);
  child.reset();
  CHECK(::poll(&hang_up, 1, 60'000) == 1);
  ::close(reader);
}

TEST_CASE("Environment, directory and a copy of the output are as asked for") {
  const TempDir directory;
  ChildOptions options;
  options.env = {{"KANTOKU_GREETING", "hello"}};
  options.directory = directory.path();
  options.output_file = directory.File("log");
  const auto child = Shell("echo $KANTOKU_GREETING; pwd; test -n \"$PATH\"", options);
  CHECK(child->AwaitExit()->code == 0);
  CHECK(child->output() == "hello\n" + directory.path() + "\n");
  CHECK(Content(options.output_file) == child->output());
}

TEST_CASE("A program that cannot be started is an error") {
  const auto child = ChildProcess::Start({.argv = {"/nowhere/program"}});
  CHECK(child.status().code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(child.status().message()), Catch::Contains("/nowhere/program"));
}

}  // namespace
}  // namespace kantoku::test
