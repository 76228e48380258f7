#include "services/executor-runtime/process_executor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/executor-runtime/result_limits.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

// The task that a command runs for.
class FakeContext final : public Context {
 public:
  explicit FakeContext(std::string payload = "") : payload_(std::move(payload)) {}

  const platform::TaskId& task_id() const override { return id_; }
  const platform::TaskId& root_id() const override { return id_; }
  const std::string& context_id() const override { return context_id_; }
  uint32_t dispatch() const override { return 3; }
  uint32_t attempt() const override { return 2; }
  const std::string& type() const override { return type_; }
  const std::string& payload() const override { return payload_; }
  const std::string& content_type() const override { return type_; }
  std::span<const TaskArgument> arguments() const override { return given; }
  const Provenance& provenance() const override { return provenance_; }
  std::string task_token() const override { return token; }
  absl::Duration time_left() const override { return absl::InfiniteDuration(); }
  StopCause stop_cause() const override { return cause_.load(); }
  std::stop_token stop_token() override { return stop_.get_token(); }
  bool PausePoint() override { return !cancelled(); }
  void OnPause(std::function<void(bool)> hold) override {
    platform::MutexLock lock(mu_);
    hold_ = std::move(hold);
    changed_.SignalAll();
  }
  absl::Status Yield(std::string data, std::string_view content_type,
                     absl::Duration patience) override {
    platform::MutexLock lock(mu_);
    const absl::Duration until = platform::Clock::Real().Read().steady + patience;
    while (room_ == 0 && cause_.load() == StopCause::kNone) {
      if (platform::Clock::Real().Read().steady >= until) {
        return absl::ResourceExhaustedError("full");
      }
      platform::Clock::Real().Wait(mu_, changed_, until);
    }
    if (cause_.load() != StopCause::kNone) return absl::CancelledError("is to stop");
    if (content_type == "bad")
      return platform::Error(absl::StatusCode::kInvalidArgument, "BAD", "");
    --room_;
    items_.push_back(std::move(data));
    changed_.SignalAll();
    return absl::OkStatus();
  }
  const std::string& checkpoint() const override { return checkpoint_; }
  absl::Status Checkpoint(std::string data) override {
    platform::MutexLock lock(mu_);
    if (data.size() > kMaxCheckpointBytes) return absl::InvalidArgumentError("too large");
    checkpoints_.push_back(std::move(data));
    changed_.SignalAll();
    return absl::OkStatus();
  }
  absl::Status AwaitCheckpoint() override { return absl::OkStatus(); }
  void Progress(double, std::string_view) override {}
  void Log(LogLevel, std::string_view line) override {
    platform::MutexLock lock(mu_);
    lines_.emplace_back(line);
    changed_.SignalAll();
  }

  std::vector<TaskArgument> given;
  std::string token;

  // Waits until the command runs.
  void Hold(bool hold) {
    platform::MutexLock lock(mu_);
    while (!hold_) changed_.Wait(mu_);
    hold_(hold);
  }
  void Stop(StopCause cause = StopCause::kCancelled) {
    {
      platform::MutexLock lock(mu_);
      cause_ = cause;
      changed_.SignalAll();
    }
    stop_.request_stop();
  }
  // So many more items are taken.
  void AddRoom(int items) {
    platform::MutexLock lock(mu_);
    room_ += items;
    changed_.SignalAll();
  }
  void AwaitItems(size_t count) {
    platform::MutexLock lock(mu_);
    while (items_.size() < count) changed_.Wait(mu_);
  }
  std::vector<std::string> items() {
    platform::MutexLock lock(mu_);
    return items_;
  }
  std::vector<std::string> lines() {
    platform::MutexLock lock(mu_);
    return lines_;
  }
  void SetCheckpoint(std::string data) { checkpoint_ = std::move(data); }
  std::vector<std::string> checkpoints() {
    platform::MutexLock lock(mu_);
    return checkpoints_;
  }
  void AwaitCheckpoint(const std::string& data) {
    platform::MutexLock lock(mu_);
    while (std::ranges::find(checkpoints_, data) == checkpoints_.end()) changed_.Wait(mu_);
  }
  // Waits until the command has written this to standard error.
  void AwaitLine(const std::string& line) {
    platform::MutexLock lock(mu_);
    while (std::find(lines_.begin(), lines_.end(), line) == lines_.end()) changed_.Wait(mu_);
  }

 private:
  const Provenance provenance_;
  const std::string context_id_ = "run 7";
  const platform::TaskId id_ = platform::TaskId::Make(absl::FromUnixSeconds(1), 1, 1, 1);
  const std::string type_ = "test.type";
  const std::string payload_;
  std::string checkpoint_;
  std::atomic<StopCause> cause_ = StopCause::kNone;
  std::stop_source stop_;
  platform::Mutex mu_;
  platform::CondVar changed_;
  std::vector<std::string> lines_ ABSL_GUARDED_BY(mu_);
  std::function<void(bool)> hold_ ABSL_GUARDED_BY(mu_);
  int room_ ABSL_GUARDED_BY(mu_) = 0;
  std::vector<std::string> items_ ABSL_GUARDED_BY(mu_);
  std::vector<std::string> checkpoints_ ABSL_GUARDED_BY(mu_);
};

absl::StatusOr<Result> Run(ProcessOptions options, Context& context) {
  auto handler = MakeProcessHandler(std::move(options));
  REQUIRE(handler.ok());
  return (*handler)(context);
}

ProcessOptions Shell(const std::string& line) { return {.command = {"/bin/sh", "-c", line}}; }

absl::StatusOr<Result> Run(const std::string& line, const std::string& payload = "") {
  FakeContext context(payload);
  return Run(Shell(line), context);
}

TEST_CASE("Standard input is the payload and standard output the result") {
  const auto result = Run("cat", "some bytes\n");
  REQUIRE(result.ok());
  CHECK(result->data == "some bytes\n");
  CHECK(result->content_type == "application/octet-stream");
}

TEST_CASE("A command is found in PATH and takes its arguments as they are") {
  FakeContext context;
  const auto result = Run({.command = {"printf", "%s|%s", "a b", "$HOME"}}, context);
  REQUIRE(result.ok());
  CHECK(result->data == "a b|$HOME");
}

TEST_CASE("Megabytes pass in both directions, whatever the bytes") {
  std::string payload(3 << 20, '\0');
  for (size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<char>(i * 7 + i / 251);
  CHECK(Run("cat", payload)->data == payload);
}

TEST_CASE("A command finds its arguments in files, which go with it") {
  FakeContext context;
  context.given = {{.data = "first\n", .content_type = "text/plain"},
                   {.status = ArgumentStatus::kFailed, .reason = "TIMEOUT", .message = "too long"}};
  const auto result =
      Run(Shell("cd $KANTOKU_ARGUMENTS; ls; cat 0 1 0.status 1.status; pwd"), context);
  REQUIRE(result.ok());
  const std::string expected =
      "0\n0.status\n1\n1.status\nfirst\nsucceeded\nfailed\nTIMEOUT\ntoo long\n";
  REQUIRE(result->data.starts_with(expected));
  const std::string directory =
      result->data.substr(expected.size(), result->data.size() - expected.size() - 1);
  CHECK(directory.starts_with("/"));
  CHECK_FALSE(std::filesystem::exists(directory));
  CHECK(Run("echo ${KANTOKU_ARGUMENTS-none}")->data == "none\n");
}

TEST_CASE("A command that does not read its input succeeds") {
  CHECK(Run("echo done", std::string(1 << 20, 'x'))->data == "done\n");
}

TEST_CASE("A command that exits with another status fails, with what it said last") {
  const auto result = Run("echo 'no lens' >&2; exit 3");
  CHECK(platform::ReasonOf(result.status()) == "EXIT_STATUS");
  CHECK(result.status().message() == "/bin/sh: exit status 3: no lens\n");
  CHECK_FALSE(IsFinal(result.status()));
}

TEST_CASE("An exit status may be final") {
  FakeContext context;
  ProcessOptions options = Shell("exit 3");
  options.final_exit_codes = {2, 3};
  CHECK(IsFinal(Run(options, context).status()));
}

TEST_CASE("A command that is killed fails and names the signal") {
  const auto result = Run("kill -SEGV $$");
  CHECK(platform::ReasonOf(result.status()) == "KILLED_BY_SIGNAL");
  CHECK(result.status().message().find("signal 11") != std::string::npos);
}

TEST_CASE("Standard error goes to the log line by line") {
  FakeContext context;
  CHECK(Run(Shell("echo one >&2; echo out; printf two >&2"), context)->data == "out\n");
  CHECK(context.lines() == std::vector<std::string>{"one", "two"});
}

TEST_CASE("A flood on standard error is cut off in the log and does not stop the command") {
  FakeContext context;
  CHECK(Run(Shell("seq 1 5000 >&2; echo done"), context)->data == "done\n");
  CHECK(context.lines().size() == 1001);
  CHECK(context.lines().back() == "further lines of standard error are left out");
}

TEST_CASE("More output than allowed is a final failure") {
  FakeContext context;
  ProcessOptions options = Shell("yes");
  options.max_output = 100'000;
  const auto result = Run(options, context);
  CHECK(platform::ReasonOf(result.status()) == "OUTPUT_TOO_LARGE");
  CHECK(IsFinal(result.status()));
}

TEST_CASE("A command is told of its task") {
  const auto result =
      Run("echo $KANTOKU_TASK_ID $KANTOKU_TASK_TYPE $KANTOKU_DISPATCH $KANTOKU_ATTEMPT");
  CHECK(result->data ==
        platform::TaskId::Make(absl::FromUnixSeconds(1), 1, 1, 1).ToString() + " test.type 3 2\n");
}

TEST_CASE("A command gets the task token, unless there is none or it has something else to show") {
  const auto told = [](const std::string& token, bool wanted) {
    FakeContext context;
    context.token = token;
    ProcessOptions options = Shell("echo ${KANTOKU_TASK_TOKEN-none}");
    options.task_token = wanted;
    return Run(options, context)->data;
  };
  CHECK(told("kantoku-task.abc", true) == "kantoku-task.abc\n");
  CHECK(told("", true) == "none\n");
  CHECK(told("kantoku-task.abc", false) == "none\n");
}

TEST_CASE("A command runs in its directory with its environment") {
  FakeContext context;
  ProcessOptions options = Shell("pwd; echo $COLOUR");
  options.directory = "/usr";
  options.environment = {{"COLOUR", "blue"}};
  CHECK(Run(options, context)->data == "/usr\nblue\n");
}

TEST_CASE("A command's environment overrides the executor's") {
  REQUIRE(setenv("KTEST_COLOUR", "red", 1) == 0);
  FakeContext context;
  ProcessOptions options{.command = {"env"}};
  options.environment = {{"KTEST_COLOUR", "blue"}};
  const std::string seen = Run(options, context)->data;
  unsetenv("KTEST_COLOUR");
  CHECK(seen.find("KTEST_COLOUR=blue\n") != std::string::npos);
  CHECK(seen.find("KTEST_COLOUR=red\n") == std::string::npos);
}

TEST_CASE("A directory that is not there is CANNOT_RUN") {
  FakeContext context;
  ProcessOptions options = Shell("true");
  options.directory = "/nowhere";
  const auto result = Run(options, context);
  CHECK(platform::ReasonOf(result.status()) == "CANNOT_RUN");
}

TEST_CASE("A file that is no program for this machine is CANNOT_RUN") {
  char path[] = "/tmp/kantoku-no-program-XXXXXX";
  const int file = mkstemp(path);
  REQUIRE(fchmod(file, 0755) == 0);
  REQUIRE(write(file, "\1\2\3\4", 4) == 4);
  close(file);
  FakeContext context;
  CHECK(platform::ReasonOf(Run({.command = {path}}, context).status()) == "CANNOT_RUN");
  unlink(path);
}

TEST_CASE("A command gets its three files and nothing else of ours") {
  // Not close-on-exec, as a careless library would leave it.
  const int careless = open("/dev/null", O_RDONLY);
  // ls itself opens one to read the directory.
  CHECK(Run("ls /proc/self/fd | wc -l")->data == "4\n");
  close(careless);
}

TEST_CASE("A command starts with no signal blocked or ignored") {
  signal(SIGPIPE, SIG_IGN);
  const auto blocked = Run("sed -n 's/^SigBlk:\t//p' /proc/self/status");
  const auto ignored = Run("sed -n 's/^SigIgn:\t//p' /proc/self/status");
  signal(SIGPIPE, SIG_DFL);
  // The C library keeps signals 32 and 33 for itself: nobody can change what it inherits of them.
  constexpr uint64_t kLibrarys = uint64_t{3} << 31;
  CHECK(std::stoull(blocked->data, nullptr, 16) == 0);
  CHECK((std::stoull(ignored->data, nullptr, 16) & ~kLibrarys) == 0);
}

TEST_CASE("A command that asks for more memory than its limit fails") {
  FakeContext context;
  ProcessOptions options = Shell("ulimit -v");
  options.memory_limit = uint64_t{256} << 20;
  CHECK(Run(options, context)->data == "262144\n");
}

TEST_CASE("A command that takes too long is stopped") {
  FakeContext context;
  ProcessOptions options = Shell("exec sleep 1000");
  options.time_limit = absl::Milliseconds(50);
  CHECK(platform::ReasonOf(Run(options, context).status()) == "TIME_LIMIT");
}

TEST_CASE("A handler that is asked to stop stops its command") {
  FakeContext context;
  auto run = std::async(std::launch::async,
                        [&] { return Run(Shell("echo ready >&2; exec sleep 1000"), context); });
  context.AwaitLine("ready");
  context.Stop();
  CHECK(run.get().status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("A handler that is asked to stop before it begins stops its command") {
  FakeContext context;
  context.Stop();
  CHECK_FALSE(Run(Shell("exec sleep 1000"), context).ok());
}

TEST_CASE("A command that ignores the request is killed, and its whole group with it") {
  FakeContext context;
  ProcessOptions options =
      Shell("trap '' TERM; sleep 1000 & echo $! >&2; echo ready >&2; wait; sleep 1000");
  options.kill_after = absl::Milliseconds(20);
  auto run = std::async(std::launch::async, [&] { return Run(options, context); });
  context.AwaitLine("ready");
  const pid_t grandchild = std::stoi(context.lines().front());
  context.Stop();
  CHECK_FALSE(run.get().ok());
  // It is killed by now; whoever reaps orphans may take a moment.
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  bool gone = false;
  while (!gone && std::chrono::steady_clock::now() < until) {
    gone = kill(grandchild, 0) != 0;
    if (!gone) {
      std::string state;
      FILE* const status = std::fopen(absl::StrCat("/proc/", grandchild, "/stat").c_str(), "r");
      char line[256] = {};
      if (status != nullptr) {
        (void)!std::fread(line, 1, sizeof(line) - 1, status);
        std::fclose(status);
      }
      gone = std::string(line).find(") Z") != std::string::npos;
    }
    std::this_thread::yield();
  }
  CHECK(gone);
}

// A command that would go on for a long while after SIGTERM.
ProcessOptions Stubborn() {
  ProcessOptions options =
      Shell("trap 'echo asked >&2' TERM; echo ready >&2; while :; do sleep 1000 & wait; done");
  options.kill_after = absl::Hours(1);
  return options;
}

TEST_CASE("A command is killed at once when Inputs was not heard for too long") {
  FakeContext context;
  auto run = std::async(std::launch::async, [&] { return Run(Stubborn(), context); });
  context.AwaitLine("ready");
  context.Stop(StopCause::kLost);
  CHECK_FALSE(run.get().ok());
}

TEST_CASE("A command is killed at once when its task is taken away") {
  FakeContext context;
  auto run = std::async(std::launch::async, [&] { return Run(Stubborn(), context); });
  context.AwaitLine("ready");
  context.Stop(StopCause::kRevoked);
  CHECK_FALSE(run.get().ok());
}

TEST_CASE("A command that takes its time to stop is killed when its task is taken away") {
  const auto first = GENERATE(StopCause::kCancelled, StopCause::kTimeout, StopCause::kDraining);
  FakeContext context;
  auto run = std::async(std::launch::async, [&] { return Run(Stubborn(), context); });
  context.AwaitLine("ready");
  context.Stop(first);
  context.AwaitLine("asked");
  context.Stop(StopCause::kRevoked);
  CHECK_FALSE(run.get().ok());
}

TEST_CASE("A command that is cancelled, late or drained may end in its own way") {
  const auto cause = GENERATE(StopCause::kCancelled, StopCause::kTimeout, StopCause::kDraining);
  FakeContext context;
  ProcessOptions options =
      Shell("trap 'echo bye; exit 0' TERM; echo ready >&2; while :; do sleep 1000 & wait; done");
  options.kill_after = absl::Hours(1);
  auto run = std::async(std::launch::async, [&] { return Run(options, context); });
  context.AwaitLine("ready");
  context.Stop(cause);
  const auto result = run.get();
  REQUIRE(result.ok());
  CHECK(result->data == "bye\n");
}

// The state of a process, as the kernel's letter.
char StateOf(const std::string& process) {
  FILE* const status = std::fopen(absl::StrCat("/proc/", process, "/stat").c_str(), "r");
  if (status == nullptr) return '-';
  char line[256] = {};
  (void)!std::fread(line, 1, sizeof(line) - 1, status);
  std::fclose(status);
  const std::string text = line;
  const size_t name = text.find(") ");
  return name == std::string::npos ? '-' : text[name + 2];
}

bool AwaitState(const std::string& process, char state) {
  for (int i = 0; i < 10'000'000; ++i) {
    if (StateOf(process) == state) return true;
    std::this_thread::yield();
  }
  return false;
}

TEST_CASE("A paused command stands still with its whole group") {
  FakeContext context;
  ProcessOptions options = Shell("sleep 1000 & echo $! >&2; wait");
  options.kill_after = absl::Hours(1);
  auto run = std::async(std::launch::async, [&] { return Run(options, context); });
  std::vector<std::string> lines;
  while (lines.empty()) lines = context.lines();
  const std::string grandchild = lines[0];
  context.Hold(true);
  CHECK(AwaitState(grandchild, 'T'));
  context.Hold(true);
  SECTION("and goes on when it is resumed") {
    context.Hold(false);
    CHECK(AwaitState(grandchild, 'S'));
  }
  SECTION("and ends when it is to stop") {}
  context.Stop();
  CHECK_FALSE(run.get().ok());
  CHECK(AwaitState(grandchild, '-'));
}

TEST_CASE("What a command leaves behind in its group ends with it") {
  const auto result = Run("sleep 1000 & echo done");
  REQUIRE(result.ok());
  CHECK(result->data == "done\n");
}

TEST_CASE("Commands run side by side") {
  std::vector<std::future<absl::StatusOr<Result>>> runs;
  runs.reserve(20);
  for (int i = 0; i < 20; ++i) {
    runs.push_back(std::async(std::launch::async, [i] { return Run("cat", std::to_string(i)); }));
  }
  for (int i = 0; i < 20; ++i) CHECK(runs[i].get()->data == std::to_string(i));
}

TEST_CASE("Options that make no sense are refused when the handler is made") {
  const auto status = [](const ProcessOptions& options) {
    return MakeProcessHandler(options).status();
  };
  CHECK(status({}).code() == absl::StatusCode::kInvalidArgument);
  CHECK(status({.command = {"no-such-program"}}).code() == absl::StatusCode::kNotFound);
  CHECK(status({.command = {"/etc/passwd"}}).code() == absl::StatusCode::kNotFound);
  CHECK(status({.command = {"true"}, .final_exit_codes = {0}}).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(status({.command = {"true"}, .max_output = 1ull << 40}).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(status({.command = {"true"}, .time_limit = absl::ZeroDuration()}).code() ==
        absl::StatusCode::kInvalidArgument);
}

ProcessOptions Lines(const std::string& script) {
  return {.command = {"/bin/sh", "-c", script}, .lines_are_items = true};
}

TEST_CASE("Lines of a command are items, and its result is empty") {
  FakeContext context;
  context.AddRoom(100);
  const auto result = Run(Lines("echo one; echo; printf 'two\\nthree'"), context);
  REQUIRE(result.ok());
  CHECK(result->data.empty());
  CHECK(context.items() == std::vector<std::string>{"one", "", "two", "three"});
}

TEST_CASE("A command that writes faster than its items are taken waits, and nothing is lost") {
  FakeContext context;
  absl::StatusOr<Result> result;
  std::thread runs([&] { result = Run(Lines("seq 200000"), context); });
  for (int i = 1; i <= 20; ++i) {
    context.AddRoom(10'000);
    context.AwaitItems(i * 10'000);
  }
  runs.join();
  REQUIRE(result.ok());
  const auto items = context.items();
  REQUIRE(items.size() == 200'000);
  for (size_t i = 0; i < items.size(); ++i) CHECK(items[i] == std::to_string(i + 1));
}

TEST_CASE("A command whose items find no room can be stopped") {
  FakeContext context;
  context.AddRoom(1);
  absl::StatusOr<Result> result;
  std::thread runs([&] { result = Run(Lines("echo first; yes"), context); });
  context.AwaitItems(1);
  context.Stop();
  runs.join();
  CHECK(result.status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("The time limit holds for a command whose items find no room") {
  FakeContext context;
  ProcessOptions options = Lines("yes");
  options.time_limit = absl::Milliseconds(50);
  options.kill_after = absl::Milliseconds(50);
  CHECK(platform::ReasonOf(Run(options, context).status()) == "TIME_LIMIT");
}

ProcessOptions LinesUntilAsked() {
  ProcessOptions options = Lines(
      "trap 'echo last; exit 0' TERM; echo ready >&2; while :; do sleep 1000 & wait $!; done");
  options.kill_after = absl::Hours(1);
  return options;
}

TEST_CASE("A command whose last lines are dropped as it is stopped does not succeed") {
  const auto cause = GENERATE(StopCause::kCancelled, StopCause::kTimeout, StopCause::kDraining);
  FakeContext context;
  context.AddRoom(100);
  auto run = std::async(std::launch::async, [&] { return Run(LinesUntilAsked(), context); });
  context.AwaitLine("ready");
  context.Stop(cause);
  CHECK(run.get().status().code() == absl::StatusCode::kCancelled);
  CHECK(context.items().empty());
}

TEST_CASE("Nor does one whose last lines are dropped at its own time limit") {
  FakeContext context;
  ProcessOptions options = LinesUntilAsked();
  options.time_limit = absl::Milliseconds(500);
  CHECK(platform::ReasonOf(Run(options, context).status()) == "TIME_LIMIT");
  context.AwaitLine("ready");
}

TEST_CASE("A command that is stopped after its last line succeeds with all of them") {
  FakeContext context;
  context.AddRoom(100);
  const auto options =
      Lines("trap 'exit 0' TERM; echo all; echo ready >&2; while :; do sleep 1000 & wait $!; done");
  auto run = std::async(std::launch::async, [&] { return Run(options, context); });
  context.AwaitItems(1);
  context.AwaitLine("ready");
  context.Stop();
  CHECK(run.get().ok());
}

TEST_CASE("A line that can be no item fails the task for good") {
  FakeContext context;
  context.AddRoom(100);
  ProcessOptions options = Lines("echo short; echo longer than that; sleep 1000");
  options.max_output = 10;
  const auto too_long = Run(std::move(options), context);
  CHECK(platform::ReasonOf(too_long.status()) == "OUTPUT_TOO_LARGE");
  CHECK(IsFinal(too_long.status()));
  CHECK(context.items() == std::vector<std::string>{"short"});
  options = Lines("printf 'without an end of the line'; sleep 1000");
  options.max_output = 10;
  CHECK(platform::ReasonOf(Run(options, context).status()) == "OUTPUT_TOO_LARGE");
  options = Lines("echo x; sleep 1000");
  options.content_type = "bad";
  const auto bad = Run(std::move(options), context);
  CHECK(platform::ReasonOf(bad.status()) == "BAD");
  CHECK(IsFinal(bad.status()));
  options = Lines("true");
  options.max_output = (uint64_t{4} << 20) + 1;
  CHECK(MakeProcessHandler(options).status().code() == absl::StatusCode::kInvalidArgument);
}

ProcessOptions WithCheckpoint(const std::string& line) {
  ProcessOptions options = Shell(line);
  options.checkpoint_file = true;
  return options;
}

// Leaves $1 as the next checkpoint.
const std::string kLeave =
    "leave() { printf %s \"$1\" > $KANTOKU_CHECKPOINT.new &&"
    " mv $KANTOKU_CHECKPOINT.new $KANTOKU_CHECKPOINT; }; ";

TEST_CASE("A command finds the latest checkpoint in a file, and there is none at first") {
  FakeContext context;
  CHECK(Run(WithCheckpoint("test ! -e $KANTOKU_CHECKPOINT && echo none"), context)->data ==
        "none\n");
  context.SetCheckpoint("42");
  CHECK(Run(WithCheckpoint("cat $KANTOKU_CHECKPOINT"), context)->data == "42");
  CHECK(context.checkpoints().empty());
  CHECK(Run("echo ${KANTOKU_CHECKPOINT-unset}")->data == "unset\n");
}

TEST_CASE("What a command renames to its checkpoint is the next one, while it runs") {
  FakeContext context;
  std::jthread runs([&] { (void)Run(WithCheckpoint(kLeave + "leave one; sleep 1000"), context); });
  context.AwaitCheckpoint("one");
  context.Stop();
}

TEST_CASE("What a command leaves as its last word is taken, and its folder goes") {
  FakeContext context;
  const auto result =
      Run(WithCheckpoint(kLeave + "leave 1; leave 2; leave last; echo $KANTOKU_CHECKPOINT; exit 3"),
          context);
  CHECK_FALSE(result.ok());
  REQUIRE_FALSE(context.checkpoints().empty());
  CHECK(context.checkpoints().back() == "last");
  const auto folder = Run(WithCheckpoint("dirname $KANTOKU_CHECKPOINT"), context);
  CHECK(access(folder->data.substr(0, folder->data.size() - 1).c_str(), F_OK) != 0);
}

TEST_CASE(
    "A checkpoint that is written in place, or too large, is not taken, and the log says so") {
  FakeContext context;
  CHECK(Run(WithCheckpoint("echo half > $KANTOKU_CHECKPOINT"), context).ok());
  CHECK(context.checkpoints().empty());
  REQUIRE(context.lines().size() == 1);
  CHECK(context.lines()[0].find("in place") != std::string::npos);
  CHECK(Run(WithCheckpoint("head -c 1048577 /dev/zero > $KANTOKU_CHECKPOINT.new;"
                           "mv $KANTOKU_CHECKPOINT.new $KANTOKU_CHECKPOINT"),
            context)
            .ok());
  CHECK(context.checkpoints().empty());
  CHECK(context.lines().size() == 2);
}

}  // namespace
}  // namespace kantoku::executor
