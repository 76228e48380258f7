#include "services/platform/process.h"

#include <openssl/crypto.h>
#include <sys/resource.h>

#include <cstdlib>

#include "absl/synchronization/mutex.h"

namespace kantoku::platform {

void SetUpProcess() {
  // gRPC's own lines would stand beside ours, which say what is wrong.
  ::setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  // OpenSSL would tear itself down when the process exits, while threads of gRPC still use it.
  ::OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
  // Debian's Abseil watches gRPC's locks for deadlocks, with a graph under one lock of its own
  // (DECISIONS.md).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
}

void RaiseDescriptorLimit() {
  rlimit descriptors{};
  if (::getrlimit(RLIMIT_NOFILE, &descriptors) == 0) {
    descriptors.rlim_cur = descriptors.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &descriptors);
  }
}

}  // namespace kantoku::platform
