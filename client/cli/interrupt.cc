#include "client/cli/interrupt.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::cli {
namespace {

sigset_t Interrupt() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  return set;
}

int OpenSignalFd() {
  const sigset_t set = Interrupt();
  return ::signalfd(-1, &set, SFD_CLOEXEC);
}

}  // namespace

InterruptNote::InterruptNote(const Context& context)
    : context_(context), stop_fd_(::eventfd(0, EFD_CLOEXEC)), signal_fd_(OpenSignalFd()) {
  KANTOKU_CHECK(stop_fd_ >= 0 && signal_fd_ >= 0);
  const sigset_t set = Interrupt();
  ::pthread_sigmask(SIG_BLOCK, &set, &mask_before_);
  thread_ = std::thread([this] { Watch(); });
}

InterruptNote::~InterruptNote() {
  ::eventfd_write(stop_fd_, 1);
  thread_.join();
  ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
  ::close(stop_fd_);
  ::close(signal_fd_);
}

void InterruptNote::Set(std::string text) {
  platform::MutexLock lock(mutex_);
  text_ = std::move(text);
}

void InterruptNote::Watch() {
  pollfd fds[] = {{stop_fd_, POLLIN, 0}, {signal_fd_, POLLIN, 0}};
  while (::poll(fds, 2, -1) < 0) KANTOKU_CHECK(errno == EINTR);
  if ((fds[1].revents & POLLIN) == 0) return;
  {
    platform::MutexLock lock(mutex_);
    if (!text_.empty()) {
      context_.Fail(platform::Error(absl::StatusCode::kCancelled, "INTERRUPTED", text_));
    }
  }
  // The signal is still pending; a shell shall see that it was what ended the program.
  const sigset_t set = Interrupt();
  ::pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

}  // namespace kantoku::cli
