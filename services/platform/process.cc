#include "services/platform/process.h"

#include "absl/synchronization/mutex.h"

namespace kantoku::platform {

void SetUpProcess() {
  // Debian's Abseil watches gRPC's locks for deadlocks, with a graph under one lock of its own
  // (DECISIONS.md).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

}  // namespace kantoku::platform
