#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "tests/support/notification.h"
#include "tests/support/secrets.h"

extern "C" char** environ;  // NOLINT(readability-redundant-declaration): not in every unistd.h.

namespace kantoku::test {
namespace {

constexpr size_t kTailBytes = 2000;

absl::Status ErrnoStatus(int error, const std::string& what) {
  return absl::ErrnoToStatus(error, what);
}

// Steady time that is left of a limit.
class Deadline {
 public:
  explicit Deadline(absl::Duration limit) : at_(platform::Clock::Real().Read().steady + limit) {}
  absl::Duration left() const {
    return std::max(absl::ZeroDuration(), at_ - platform::Clock::Real().Read().steady);
  }
  bool over() const { return left() == absl::ZeroDuration(); }
  int left_in_poll() const { return static_cast<int>(absl::ToInt64Milliseconds(left()) + 1); }

 private:
  const absl::Duration at_;
};

// The form that exec wants; points into `texts`.
std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> Environment(const std::map<std::string, std::string>& changes) {
  std::map<std::string, std::string> all;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos) continue;
    all[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : changes) all[name] = value;
  std::vector<std::string> entries;
  entries.reserve(all.size());
  for (const auto& [name, value] : all) entries.push_back(absl::StrCat(name, "=", value));
  return entries;
}

// The first line of a file, if there is a whole one.
std::optional<std::string> FirstLine(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line) || file.eof()) return std::nullopt;
  return line;
}

ChildExit Decode(const siginfo_t& info) {
  if (info.si_code == CLD_EXITED) return {.code = info.si_status, .signal = std::nullopt};
  return {.code = std::nullopt, .signal = info.si_status};
}

}  // namespace

std::string Binary(std::string_view name) {
  const char* directory = ::getenv("KANTOKU_BIN_DIR");
  KANTOKU_CHECK(directory != nullptr);
  return std::string(directory).append("/").append(name);
}

// What the child needs between fork and exec, where nothing may be allocated.
struct ChildProcess::Launch {
  std::vector<std::string> argv;
  std::vector<std::string> env;
  std::vector<char*> argv_pointers = Pointers(argv);
  std::vector<char*> env_pointers = Pointers(env);
  const char* directory = nullptr;
  int input = -1;
  int output = -1;
  int errors = -1;  // Gets errno when there is no program to run.
  pid_t parent = ::getpid();

  [[noreturn]] void RunChild() const {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::signal(SIGPIPE, SIG_DFL);
    if (::getppid() == parent && ::dup2(input, 0) == 0 && ::dup2(output, 1) == 1 &&
        ::dup2(output, 2) == 2 && (directory == nullptr || ::chdir(directory) == 0)) {
      ::execvpe(argv_pointers[0], argv_pointers.data(), env_pointers.data());
    }
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(errors, &error, sizeof(error));
    ::_exit(127);
  }

  test::Notification launched;
  absl::Status status;
};

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const ChildOptions& options) {
  KANTOKU_CHECK(!options.argv.empty());
  std::unique_ptr<ChildProcess> child(new ChildProcess(options));
  Launch launch = {.argv = options.argv, .env = Environment(options.env)};
  if (!options.directory.empty()) launch.directory = options.directory.c_str();
  child->thread_ = std::thread([&launch, child = child.get()] { child->Run(launch); });
  launch.launched.Wait();
  if (!launch.status.ok()) return launch.status;
  return child;
}

ChildProcess::ChildProcess(const ChildOptions& options)
    : name_(options.argv.front()), prints_join_strings_(options.prints_join_strings) {
  stop_fd_ = ::eventfd(0, EFD_CLOEXEC);
  if (options.output_file.empty()) return;
  copy_fd_ = ::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  KANTOKU_CHECK(copy_fd_ >= 0);
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0) SignalGroup(SIGKILL);
  const uint64_t stop = 1;
  KANTOKU_CHECK(::write(stop_fd_, &stop, sizeof(stop)) == sizeof(stop));
  if (thread_.joinable()) thread_.join();
  // Only now, so that nobody else could get the pid as long as signals were sent to it.
  if (pid_ > 0) ::waitpid(pid_, nullptr, 0);
  for (const int fd : {pid_fd_, output_fd_, copy_fd_, stop_fd_}) {
    if (fd >= 0) ::close(fd);
  }
  CheckSecrets();
}

// Not the text itself, which may get into a log that others read.
void ChildProcess::CheckSecrets() const {
  const std::string found = SecretIn(output(), prints_join_strings_);
  if (found.empty()) return;
  std::fprintf(stderr, "%s wrote %s of its output\n", name_.c_str(), found.c_str());
  std::abort();
}

void ChildProcess::Run(Launch& launch) {
  int output[2];
  int errors[2];
  KANTOKU_CHECK(::pipe2(output, O_CLOEXEC) == 0 && ::pipe2(errors, O_CLOEXEC) == 0);
  launch.input = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  launch.output = output[1];
  launch.errors = errors[1];
  const pid_t pid = ::fork();
  if (pid == 0) launch.RunChild();
  KANTOKU_CHECK(pid > 0);
  for (const int fd : {launch.input, output[1], errors[1]}) ::close(fd);
  int error = 0;
  const bool failed = ::read(errors[0], &error, sizeof(error)) == sizeof(error);
  ::close(errors[0]);
  pid_ = pid;
  pid_fd_ = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  KANTOKU_CHECK(pid_fd_ >= 0);
  output_fd_ = output[0];
  ::fcntl(output_fd_, F_SETFL, O_NONBLOCK);
  if (failed) launch.status = ErrnoStatus(error, absl::StrCat("start ", launch.argv[0]));
  launch.launched.Notify();
  Watch();
}

// Reads until nobody can write any more, or the destructor runs and the child has ended.
void ChildProcess::Watch() {
  bool open = true;
  bool ended = false;
  bool stopping = false;
  while (open || !ended) {
    pollfd fds[] = {{open ? output_fd_ : -1, POLLIN, 0},
                    {ended ? -1 : pid_fd_, POLLIN, 0},
                    {stopping ? -1 : stop_fd_, POLLIN, 0}};
    if (::poll(fds, 3, -1) < 0) continue;
    if (open) open = DrainOutput();
    stopping = stopping || fds[2].revents != 0;
    if (fds[1].revents != 0) {
      if (open) open = DrainOutput();
      siginfo_t info = {};
      KANTOKU_CHECK(::waitid(P_PIDFD, static_cast<id_t>(pid_fd_), &info, WEXITED | WNOWAIT) == 0);
      ended = true;
      platform::MutexLock lock(mu_);
      exit_ = Decode(info);
      changed_.SignalAll();
    }
    // A descendant that left the group may hold the pipe for ever.
    if (stopping && ended) return;
  }
}

bool ChildProcess::DrainOutput() {
  char buffer[1 << 16];
  while (true) {
    const ssize_t got = ::read(output_fd_, buffer, sizeof(buffer));
    if (got == 0) return false;
    if (got < 0) return errno == EAGAIN || errno == EINTR;
    const auto size = static_cast<size_t>(got);
    if (copy_fd_ >= 0) KANTOKU_CHECK(::write(copy_fd_, buffer, size) == got);
    platform::MutexLock lock(mu_);
    output_.append(buffer, size);
    changed_.SignalAll();
  }
}

std::string ChildProcess::output() const {
  platform::MutexLock lock(mu_);
  return output_;
}

std::string ChildProcess::Tail() const {
  const std::string all = output();
  return absl::StrCat("; its output ends:\n",
                      all.substr(all.size() - std::min(all.size(), kTailBytes)));
}

absl::StatusOr<std::string> ChildProcess::AwaitLine(std::string_view text, absl::Duration limit,
                                                    size_t from) const {
  const Deadline deadline(limit);
  const std::string wanted(text);
  bool ended = false;
  while (true) {
    {
      platform::MutexLock lock(mu_);
      for (size_t end; (end = output_.find('\n', from)) != std::string::npos; from = end + 1) {
        const std::string line = output_.substr(from, end - from);
        if (line.find(wanted) != std::string::npos) return line;
      }
      if (ended || deadline.over()) break;
      ended = exit_.has_value();
      if (!ended) changed_.WaitFor(mu_, absl::ToChronoNanoseconds(deadline.left()));
    }
  }
  if (ended) {
    return absl::FailedPreconditionError(
        absl::StrCat("the child ended without `", wanted, "`", Tail()));
  }
  return absl::DeadlineExceededError(absl::StrCat("no line with `", wanted, "`", Tail()));
}

absl::StatusOr<std::string> ChildProcess::AwaitFile(const std::string& path,
                                                    absl::Duration limit) const {
  const Deadline deadline(limit);
  const int changes = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const std::string directory = std::filesystem::path(path).parent_path().string();
  KANTOKU_CHECK(::inotify_add_watch(changes, directory.c_str(),
                                    IN_CREATE | IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE) >= 0);
  std::optional<std::string> line = FirstLine(path);
  bool ended = false;
  while (!line && !ended && !deadline.over()) {
    pollfd fds[] = {{changes, POLLIN, 0}, {pid_fd_, POLLIN, 0}};
    ::poll(fds, 2, deadline.left_in_poll());
    char events[4096];
    while (::read(changes, events, sizeof(events)) > 0) {
    }
    ended = fds[1].revents != 0;
    line = FirstLine(path);
  }
  ::close(changes);
  if (line) return *line;
  if (ended)
    return absl::FailedPreconditionError(absl::StrCat("the child ended without ", path, Tail()));
  return absl::DeadlineExceededError(absl::StrCat("no line in ", path, Tail()));
}

void ChildProcess::Signal(int signal) { ::kill(pid_, signal); }

void ChildProcess::SignalGroup(int signal) { ::kill(-pid_, signal); }

void ChildProcess::Freeze() {
  Signal(SIGSTOP);
  siginfo_t info = {};
  KANTOKU_CHECK(
      ::waitid(P_PIDFD, static_cast<id_t>(pid_fd_), &info, WSTOPPED | WEXITED | WNOWAIT) == 0);
}

void ChildProcess::Thaw() { Signal(SIGCONT); }

absl::StatusOr<ChildExit> ChildProcess::AwaitExit(absl::Duration limit) const {
  const Deadline deadline(limit);
  {
    platform::MutexLock lock(mu_);
    while (!exit_ && !deadline.over()) {
      changed_.WaitFor(mu_, absl::ToChronoNanoseconds(deadline.left()));
    }
    if (exit_) return *exit_;
  }
  return absl::DeadlineExceededError(absl::StrCat("the child goes on", Tail()));
}

bool ChildProcess::running() const {
  platform::MutexLock lock(mu_);
  return !exit_;
}

ChildExit ChildProcess::Kill() {
  Signal(SIGKILL);
  const auto exit = AwaitExit();
  KANTOKU_CHECK(exit.ok());
  return *exit;
}

absl::StatusOr<ChildExit> ChildProcess::Terminate(absl::Duration limit) {
  Signal(SIGTERM);
  return AwaitExit(limit);
}

}  // namespace kantoku::test
