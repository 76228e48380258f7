#include "services/all-in-one/bench/guard.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/all-in-one/bench/installation.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// That end the program, and the one that says that a process has ended.
sigset_t Awaited() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGCHLD);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction action {};
    sigaction(signal, nullptr, &action);
    // As nohup wants it, and shells for what runs in the background.
    if (action.sa_handler != SIG_IGN) sigaddset(&signals, signal);
  }
  return signals;
}

// The process that works. Its group is its own, so that all of it can be killed together.
[[noreturn]] void Work(const std::string& directory, pid_t guard, const sigset_t& unblocked,
                       const std::function<int()>& work) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != guard) _exit(127);
  setpgid(0, 0);
  ::signal(SIGTTOU, SIG_IGN);  // It may write to the terminal, though its group is behind there.
  pthread_sigmask(SIG_SETMASK, &unblocked, nullptr);
  setenv("TMPDIR", directory.c_str(), /*overwrite=*/1);
  std::exit(work());
}

// The signal that is to end the program; 0: the worker has ended. It is not reaped yet, so its
// group keeps its number.
int AwaitEnd(pid_t worker, const sigset_t& signals) {
  for (;;) {
    int signal = 0;
    sigwait(&signals, &signal);
    if (signal != SIGCHLD) return signal;
    siginfo_t ended{};
    waitid(P_PID, static_cast<id_t>(worker), &ended, WEXITED | WNOHANG | WNOWAIT);
    if (ended.si_pid == worker) return 0;
  }
}

// Kills what is left of the worker's group, and waits for all of it: its orphans are children of
// this process. Returns how the worker has ended.
int End(pid_t worker) {
  kill(-worker, SIGKILL);
  int status = 0;
  waitpid(worker, &status, 0);
  while (waitpid(-worker, nullptr, 0) > 0) continue;
  return status;
}

[[noreturn]] void DieOf(int signal, const sigset_t& unblocked) {
  ::signal(signal, SIG_DFL);
  raise(signal);
  pthread_sigmask(SIG_SETMASK, &unblocked, nullptr);
  _exit(128 + signal);  // It was blocked before us.
}

}  // namespace

absl::StatusOr<int> RunGuarded(const std::function<int()>& work) {
  const sigset_t signals = Awaited();
  sigset_t before;
  ::signal(SIGCHLD, SIG_DFL);
  pthread_sigmask(SIG_BLOCK, &signals, &before);
  KANTOKU_ASSIGN_OR_RETURN(std::unique_ptr<Directory> directory, Directory::Make());
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const pid_t guard = getpid();
  const pid_t worker = fork();
  if (worker < 0) return absl::ErrnoToStatus(errno, "fork");
  if (worker == 0) Work(directory->path(), guard, before, work);
  setpgid(worker, worker);
  const int signal = AwaitEnd(worker, signals);
  const int status = End(worker);
  directory.reset();
  if (signal != 0) DieOf(signal, before);
  if (WIFSIGNALED(status)) {
    return absl::InternalError(absl::StrCat("it was ended by signal ", WTERMSIG(status)));
  }
  return WEXITSTATUS(status);
}

}  // namespace kantoku::bench
