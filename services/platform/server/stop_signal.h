#ifndef KANTOKU_SERVICES_PLATFORM_SERVER_STOP_SIGNAL_H_
#define KANTOKU_SERVICES_PLATFORM_SERVER_STOP_SIGNAL_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"

namespace kantoku::platform {

// SIGTERM and SIGINT as something to wait for: they are blocked in every thread, so that no handler
// ever runs. To be made before the program has threads. SIGPIPE and SIGXFSZ are ignored
// from then on.
//
// Confined to the program's main thread.
class StopSignal {
 public:
  StopSignal();
  StopSignal(const StopSignal&) = delete;
  StopSignal& operator=(const StopSignal&) = delete;

  // The name of the signal that came; nothing when `limit` was over before.
  std::optional<std::string_view> Wait(absl::Duration limit);

  // From now on such a signal ends the program at once: for a user who will not wait for its end.
  void Release();
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_SERVER_STOP_SIGNAL_H_
