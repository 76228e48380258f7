#include "services/executor-runtime/process_run.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <stop_token>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "services/executor-runtime/result_limits.h"
#include "services/platform/clock.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

constexpr size_t kMaxLine = 4096;
constexpr size_t kTail = 2048;
constexpr int kMaxLoggedLines = 1000;
// A stop is signalled once. That it became pressing while a command takes its time to stop is
// therefore looked up at this interval.
constexpr absl::Duration kLookAgain = absl::Milliseconds(50);

// Whether another executor may run the task now, or very soon.
bool IsPressing(StopCause cause) {
  return cause == StopCause::kLost || cause == StopCause::kRevoked;
}

absl::Duration Steady() { return platform::Clock::Real().Read().steady; }

// A file in memory that holds `data` and stands at its beginning. Unlike a pipe it takes everything
// at once, and a program that does not read it breaks nothing.
absl::StatusOr<File> InputFile(const std::string& data) {
  File file(memfd_create("kantoku-input", MFD_CLOEXEC));
  if (!file.open()) return absl::ErrnoToStatus(errno, "cannot make the input");
  size_t written = 0;
  while (written < data.size()) {
    const ssize_t count = write(file.get(), data.data() + written, data.size() - written);
    if (count < 0 && errno != EINTR) return absl::ErrnoToStatus(errno, "cannot fill the input");
    if (count > 0) written += count;
  }
  if (lseek(file.get(), 0, SEEK_SET) != 0) return absl::ErrnoToStatus(errno, "cannot seek");
  return file;
}

// Our end does not block.
absl::Status MakePipe(File& ours, File& theirs) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  ours = File(ends[0]);
  theirs = File(ends[1]);
  if (fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) {
    return absl::ErrnoToStatus(errno, "cannot set up a pipe");
  }
  return absl::OkStatus();
}

// Whether the command has the entry "NAME=value" of our environment from us. Of two entries with
// one name most programs see the first, so that what is configured must stand alone.
bool Inherits(const ProcessOptions& options, std::string_view entry) {
  const std::string_view name = entry.substr(0, entry.find('='));
  return !name.starts_with("KANTOKU_") &&
         std::none_of(options.environment.begin(), options.environment.end(),
                      [name](const auto& configured) { return configured.first == name; });
}

std::vector<std::string> EnvironmentOf(const ProcessOptions& options, const Context& context) {
  std::vector<std::string> environment;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (Inherits(options, *entry)) environment.emplace_back(*entry);
  }
  for (const auto& [name, value] : options.environment) {
    environment.push_back(absl::StrCat(name, "=", value));
  }
  environment.push_back("KANTOKU_TASK_ID=" + context.task_id().ToString());
  environment.push_back("KANTOKU_ROOT_ID=" + context.root_id().ToString());
  environment.push_back("KANTOKU_CONTEXT_ID=" + context.context_id());
  environment.push_back("KANTOKU_TASK_TYPE=" + context.type());
  environment.push_back(absl::StrCat("KANTOKU_DISPATCH=", context.dispatch()));
  environment.push_back(absl::StrCat("KANTOKU_ATTEMPT=", context.attempt()));
  if (options.task_token) {
    if (std::string token = context.task_token(); !token.empty()) {
      environment.push_back("KANTOKU_TASK_TOKEN=" + token);
    }
  }
  return environment;
}

// For poll: rounded up, so that it is time when poll returns; -1 when there is no end.
int Milliseconds(absl::Duration left) {
  if (left == absl::InfiniteDuration()) return -1;
  const absl::Duration bounded = std::clamp(left, absl::ZeroDuration(), absl::Hours(1));
  return static_cast<int>(absl::ToInt64Milliseconds(absl::Ceil(bounded, absl::Milliseconds(1))));
}

// Reads of what a command has written, in one turn: at least what a pipe holds.
constexpr int kReads = 16;

}  // namespace

absl::StatusOr<Result> ProcessRun::Run(const std::string& program) {
  if (absl::Status started = Start(program); !started.ok()) {
    return platform::Error(started.code(), "CANNOT_RUN", platform::ToStd(started.message()));
  }
  const std::stop_callback on_stop(context_.stop_token(), [this] { Wake(); });
  context_.OnPause([this](bool hold) { Hold(hold); });
  absl::Cleanup withdraw = [this] { context_.OnPause({}); };
  if (absl::Status attended = Attend(); !attended.ok()) return attended;
  std::move(withdraw).Invoke();  // Afterwards the process is nobody any more.
  const ChildProcess::End end = process_->Wait();
  FinishOutput();
  TakeCheckpoint();
  ReadErrors();
  if (!error_line_.empty()) LogLine(std::exchange(error_line_, {}));
  return Conclude(end);
}

absl::Status ProcessRun::Start(const std::string& program) {
  KANTOKU_ASSIGN_OR_RETURN(const File input, InputFile(context_.payload()));
  std::vector<std::string> environment = EnvironmentOf(options_, context_);
  if (!context_.arguments().empty()) {
    KANTOKU_ASSIGN_OR_RETURN(arguments_, ArgumentFiles::Make(context_.arguments()));
    environment.push_back("KANTOKU_ARGUMENTS=" + arguments_->directory());
  }
  File child_output;
  File child_errors;
  KANTOKU_RETURN_IF_ERROR(MakePipe(output_, child_output));
  KANTOKU_RETURN_IF_ERROR(MakePipe(errors_, child_errors));
  if (options_.checkpoint_file) {
    KANTOKU_ASSIGN_OR_RETURN(checkpoint_, CheckpointFile::Make(context_.checkpoint()));
  }
  wake_event_ = File(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake_event_.open()) return absl::ErrnoToStatus(errno, "cannot make an event");
  {
    platform::MutexLock lock(mu_);
    limit_at_ = Steady() + options_.time_limit;
  }
  if (checkpoint_ != nullptr) environment.push_back("KANTOKU_CHECKPOINT=" + checkpoint_->path());
  KANTOKU_ASSIGN_OR_RETURN(process_, ChildProcess::Start({.program = program,
                                                          .arguments = options_.command,
                                                          .environment = std::move(environment),
                                                          .directory = options_.directory,
                                                          .memory_limit = options_.memory_limit,
                                                          .standard_input = input.get(),
                                                          .standard_output = child_output.get(),
                                                          .standard_error = child_errors.get()}));
  return absl::OkStatus();
}

absl::Status ProcessRun::Attend() {
  while (true) {
    const absl::Duration now = Steady();
    const absl::Duration next = StopWhenDue(now);
    // Waits for room instead of for output, but not for longer than a stop may take.
    if (full_) full_ = !YieldLines(std::min(next - now, kLookAgain));
    // A descriptor below zero is not looked at: a pipe that was closed, a stop that was heard.
    pollfd events[] = {
        {.fd = process_->end_event(), .events = POLLIN, .revents = 0},
        {.fd = full_ ? -1 : output_.get(), .events = POLLIN, .revents = 0},
        {.fd = errors_.get(), .events = POLLIN, .revents = 0},
        {.fd = asked_ ? -1 : wake_event_.get(), .events = POLLIN, .revents = 0},
        {.fd = checkpoint_ == nullptr ? -1 : checkpoint_->event(), .events = POLLIN, .revents = 0}};
    const absl::Duration wait = full_ ? absl::ZeroDuration() : next - now;
    if (poll(events, std::size(events), Milliseconds(wait)) < 0 && errno != EINTR) {
      return absl::ErrnoToStatus(errno, "cannot wait for the command");
    }
    uint64_t woken = 0;
    if (events[3].revents != 0) (void)!read(wake_event_.get(), &woken, sizeof(woken));
    if (events[1].revents != 0) ReadOutput();
    if (events[2].revents != 0) ReadErrors();
    if (events[4].revents != 0 || left_.has_value()) TakeCheckpoint();
    if (events[0].revents != 0) return absl::OkStatus();
  }
}

absl::Duration ProcessRun::StopWhenDue(absl::Duration now) {
  const absl::Duration limit_at = LimitAt();
  if (now >= limit_at) over_time_ = true;
  if (!asked_ && (over_time_ || context_.cancelled())) {
    asked_ = true;
    kill_at_ = now + options_.kill_after;
    if (!IsPressing(context_.stop_cause())) AskToEnd();
  }
  if (!killed_ && (now >= kill_at_ || IsPressing(context_.stop_cause()))) Kill();
  if (killed_) return absl::InfiniteDuration();
  return asked_ ? std::min(kill_at_, now + kLookAgain) : limit_at;
}

// A program that is held hears of it only when it goes on.
void ProcessRun::AskToEnd() {
  platform::MutexLock lock(mu_);
  process_->Signal(SIGTERM);
  process_->Signal(SIGCONT);
}

void ProcessRun::Hold(bool hold) {
  platform::MutexLock lock(mu_);
  if (hold && context_.cancelled()) return;
  process_->Signal(hold ? SIGSTOP : SIGCONT);
  if (hold == held_since_.has_value()) return;
  if (hold) {
    held_since_ = Steady();
  } else {
    limit_at_ += Steady() - *held_since_;
    held_since_.reset();
    Wake();
  }
}

absl::Duration ProcessRun::LimitAt() {
  platform::MutexLock lock(mu_);
  return held_since_.has_value() ? absl::InfiniteDuration() : limit_at_;
}

void ProcessRun::Wake() {
  const uint64_t one = 1;
  (void)!write(wake_event_.get(), &one, sizeof(one));
}

void ProcessRun::Kill() {
  asked_ = true;
  killed_ = true;
  process_->Signal(SIGKILL);
}

// At least what a pipe holds, and not for ever: a command that writes as fast as it is read would
// never be told to stop.
void ProcessRun::ReadOutput() {
  char buffer[65536];
  for (int left = kReads; output_.open() && left > 0; --left) {
    const ssize_t count = read(output_.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return output_.Close();
    if (!too_large_) TakeOutput({buffer, static_cast<size_t>(count)});
    if (full_) return;
  }
}

void ProcessRun::TakeOutput(std::string_view bytes) {
  result_.append(bytes);
  if (options_.lines_are_items) full_ = !YieldLines(absl::ZeroDuration());
  const size_t kept = full_ ? result_.find('\n') : result_.size();
  if (kept > options_.max_output) RefuseOutput();
}

void ProcessRun::RefuseOutput() {
  too_large_ = true;
  full_ = false;
  result_ = {};
  Kill();
}

bool ProcessRun::YieldLines(absl::Duration patience) {
  size_t begin = 0;
  bool room = true;
  while (room) {
    const size_t end = result_.find('\n', begin);
    if (end == std::string::npos) break;
    if (end - begin > options_.max_output) {
      RefuseOutput();
      return true;
    }
    const absl::Status yielded =
        context_.Yield(result_.substr(begin, end - begin), options_.content_type, patience);
    // What is not taken because the command is to stop is dropped.
    room = !absl::IsResourceExhausted(yielded);
    dropped_ = dropped_ || (room && !yielded.ok());
    if (room) begin = end + 1;
    if (absl::IsInvalidArgument(yielded) && refusal_.ok()) {
      refusal_ = yielded;
      Kill();
    }
  }
  result_.erase(0, begin);
  return room;
}

// The command has ended. Its last lines wait for room as long as it takes, unless it was stopped.
void ProcessRun::FinishOutput() {
  if (options_.lines_are_items && asked_) {
    char next = 0;
    const bool unread = output_.open() && read(output_.get(), &next, 1) > 0;
    dropped_ = dropped_ || unread || !result_.empty();
    return output_.Close();
  }
  do {
    if (options_.lines_are_items && !too_large_) YieldLines(absl::InfiniteDuration());
    full_ = false;
    ReadOutput();
  } while (full_);
  if (!options_.lines_are_items || too_large_ || result_.empty()) return;
  result_.push_back('\n');
  YieldLines(absl::InfiniteDuration());
}

void ProcessRun::ReadErrors() {
  char buffer[4096];
  for (int left = kReads; errors_.open() && left > 0; --left) {
    const ssize_t count = read(errors_.get(), buffer, sizeof(buffer));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return;
    if (count <= 0) return errors_.Close();
    error_tail_.append(buffer, count);
    if (error_tail_.size() > 2 * kTail) error_tail_.erase(0, error_tail_.size() - kTail);
    for (const char c : std::string_view(buffer, count)) {
      if (c == '\n' || error_line_.size() >= kMaxLine) LogLine(std::exchange(error_line_, {}));
      if (c != '\n') error_line_ += c;
    }
  }
}

// What it wrote before it left the checkpoint goes first: the next run does not write it again.
void ProcessRun::TakeCheckpoint() {
  if (checkpoint_ == nullptr) return;
  if (auto data = checkpoint_->Take(kMaxCheckpointBytes)) left_ = std::move(data);
  if (checkpoint_->TakeWrittenInPlace()) {
    context_.Log(LogLevel::kWarn,
                 "a checkpoint was written in place and is not taken: write another file beside "
                 "$KANTOKU_CHECKPOINT and rename it");
  }
  if (!left_.has_value()) return;
  if (!full_) ReadOutput();
  if (full_ || dropped_) return;
  const absl::Status taken = context_.Checkpoint(*std::exchange(left_, std::nullopt));
  if (absl::IsInvalidArgument(taken)) context_.Log(LogLevel::kWarn, taken.ToString());
}

void ProcessRun::LogLine(std::string_view line) {
  if (++logged_lines_ <= kMaxLoggedLines) {
    context_.Log(LogLevel::kInfo, line);
  } else if (logged_lines_ == kMaxLoggedLines + 1) {
    context_.Log(LogLevel::kWarn, "further lines of standard error are left out");
  }
}

absl::StatusOr<Result> ProcessRun::Conclude(const ChildProcess::End& end) {
  const std::string& name = options_.command.front();
  if (too_large_) {
    return FailFinally("OUTPUT_TOO_LARGE", absl::StrCat(name, ": more than ", options_.max_output,
                                                        " bytes on standard output"));
  }
  if (!refusal_.ok()) {
    return FailFinally(platform::ReasonOf(refusal_), absl::StrCat(name, ": ", refusal_.message()));
  }
  // Who reads the items would take those that were dropped for none.
  if (end.signal == 0 && end.exit_code == 0 && !dropped_) {
    if (options_.lines_are_items) return Result();
    return Result{.data = std::move(result_), .content_type = options_.content_type};
  }
  if (over_time_) {
    return platform::Error(
        absl::StatusCode::kDeadlineExceeded, "TIME_LIMIT",
        absl::StrCat(name, ": ran longer than ", absl::FormatDuration(options_.time_limit)));
  }
  if (context_.cancelled() || dropped_) {
    return absl::CancelledError(absl::StrCat(name, ": stopped"));
  }
  std::string_view tail = error_tail_;
  if (tail.size() > kTail) tail.remove_prefix(tail.size() - kTail);
  const std::string said = tail.empty() ? "" : absl::StrCat(": ", platform::ToAbsl(tail));
  if (end.signal != 0) {
    return platform::Error(absl::StatusCode::kAborted, "KILLED_BY_SIGNAL",
                           absl::StrCat(name, ": killed by signal ", end.signal, " (",
                                        strsignal(end.signal), ")", said));
  }
  const std::string message = absl::StrCat(name, ": exit status ", end.exit_code, said);
  const auto& finals = options_.final_exit_codes;
  if (std::find(finals.begin(), finals.end(), end.exit_code) != finals.end()) {
    return FailFinally("EXIT_STATUS", message);
  }
  return platform::Error(absl::StatusCode::kAborted, "EXIT_STATUS", message);
}

}  // namespace kantoku::executor
