#include "services/platform/server/stop_signal.h"

#include <signal.h>

#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

}  // namespace

StopSignal::StopSignal() {
  const sigset_t signals = StopSignals();
  KANTOKU_CHECK(::pthread_sigmask(SIG_BLOCK, &signals, nullptr) == 0);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);  // A file that may not grow is an error of the write, as a full disk.
}

std::optional<std::string_view> StopSignal::Wait(absl::Duration limit) {
  const sigset_t signals = StopSignals();
  const timespec timeout = absl::ToTimespec(limit);
  switch (::sigtimedwait(&signals, nullptr, &timeout)) {
    case SIGTERM:
      return "SIGTERM";
    case SIGINT:
      return "SIGINT";
    default:
      return std::nullopt;
  }
}

void StopSignal::Release() {
  const sigset_t signals = StopSignals();
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

}  // namespace kantoku::platform
