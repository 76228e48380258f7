#include "services/executor-runtime/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "absl/status/status.h"

namespace kantoku::executor {
namespace {

constexpr int kReport = 3;  // Where the child has the pipe that brings its error.

// Everything that the child needs, laid out before it exists.
struct Plan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  const char* directory;  // Null: ours.
  rlim_t memory_limit;    // 0: none.
  int files[3];           // Each above kReport.
  int report;             // Above kReport.
  pid_t parent;
};

// The child's part. It shares our memory until exec, so it may only make system calls; every signal
// is blocked meanwhile.
[[noreturn]] void BecomeProgram(const Plan& plan) {
  int report = plan.report;
  const auto run = [&] {
    if (setpgid(0, 0) != 0) return;
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
    if (getppid() != plan.parent) _exit(127);  // The parent died before it was watched.
    struct sigaction plain {};
    plain.sa_handler = SIG_DFL;
    for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &plain, nullptr);
    for (int file = 0; file < 3; ++file) {
      if (dup2(plan.files[file], file) < 0) return;
    }
    if (dup3(plan.report, kReport, O_CLOEXEC) < 0) return;
    report = kReport;
    close_range(kReport + 1, ~0U, 0);
    if (plan.directory != nullptr && chdir(plan.directory) != 0) return;
    const rlimit no_core{0, 0};
    setrlimit(RLIMIT_CORE, &no_core);
    const rlimit memory{plan.memory_limit, plan.memory_limit};
    if (plan.memory_limit != 0 && setrlimit(RLIMIT_AS, &memory) != 0) return;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    execve(plan.program, plan.arguments, plan.environment);
  };
  run();
  const int error = errno;
  (void)!write(report, &error, sizeof(error));
  _exit(127);
}

// vfork instead of fork: it copies no page table, so its price does not grow with our memory.
__attribute__((noinline)) pid_t Spawn(const Plan& plan) {
  const pid_t process = vfork();
  if (process == 0) BecomeProgram(plan);
  return process;
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> pointers;
  pointers.reserve(strings.size() + 1);
  for (const std::string& string : strings) pointers.push_back(const_cast<char*>(string.c_str()));
  pointers.push_back(nullptr);
  return pointers;
}

// A copy that is above kReport, where the child has nothing to lose.
absl::StatusOr<File> Above(int file) {
  File copy(fcntl(file, F_DUPFD_CLOEXEC, kReport + 1));
  if (!copy.open()) return absl::ErrnoToStatus(errno, "cannot copy a file descriptor");
  return copy;
}

}  // namespace

File& File::operator=(File&& other) noexcept {
  if (this != &other) {
    if (open()) close(number_);
    number_ = other.Release();
  }
  return *this;
}

File::~File() {
  if (open()) close(number_);
}

int File::Release() { return std::exchange(number_, -1); }

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Launch& launch) {
  const std::vector<char*> arguments = Pointers(launch.arguments);
  const std::vector<char*> environment = Pointers(launch.environment);
  Plan plan{.program = launch.program.c_str(),
            .arguments = arguments.data(),
            .environment = environment.data(),
            .directory = launch.directory.empty() ? nullptr : launch.directory.c_str(),
            .memory_limit = launch.memory_limit,
            .files = {},
            .report = -1,
            .parent = getpid()};
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "cannot make a pipe");
  File report(pipe_ends[0]);
  File child_report(pipe_ends[1]);
  const int sources[4] = {launch.standard_input, launch.standard_output, launch.standard_error,
                          child_report.get()};
  File copies[4];
  for (int i = 0; i < 4; ++i) {
    auto copy = Above(sources[i]);
    if (!copy.ok()) return copy.status();
    copies[i] = *std::move(copy);
    (i < 3 ? plan.files[i] : plan.report) = copies[i].get();
  }

  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t process = Spawn(plan);
  const int spawn_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (process < 0) return absl::ErrnoToStatus(spawn_error, "cannot start a process");

  child_report.Close();
  copies[3].Close();
  int error = 0;
  ssize_t told = 0;
  do {
    told = read(report.get(), &error, sizeof(error));
  } while (told < 0 && errno == EINTR);
  if (told == sizeof(error)) {
    waitpid(process, nullptr, 0);
    return absl::ErrnoToStatus(error, "cannot run " + launch.program);
  }
  File end_event(static_cast<int>(syscall(SYS_pidfd_open, process, 0)));
  const int pidfd_error = errno;
  const bool watched = end_event.open();
  std::unique_ptr<ChildProcess> child(new ChildProcess(process, std::move(end_event)));
  if (!watched) return absl::ErrnoToStatus(pidfd_error, "cannot watch " + launch.program);
  return child;
}

ChildProcess::~ChildProcess() {
  if (process_ == 0) return;
  Signal(SIGKILL);
  Wait();
}

void ChildProcess::Signal(int signal) {
  if (process_ != 0) kill(-process_, signal);
}

ChildProcess::End ChildProcess::Wait() {
  siginfo_t info{};
  // Left as a zombie at first, so that the group's number cannot be somebody else's yet.
  while (waitid(P_PID, process_, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  Signal(SIGKILL);
  int status = 0;
  while (waitpid(process_, &status, 0) < 0 && errno == EINTR) {
  }
  process_ = 0;
  if (WIFSIGNALED(status)) return {.exit_code = 0, .signal = WTERMSIG(status)};
  return {.exit_code = WEXITSTATUS(status), .signal = 0};
}

}  // namespace kantoku::executor
