#include "tests/conformance/command/exams.h"

#include <chrono>

#include "services/platform/status.h"

namespace kantoku::conformance {

absl::Status AwaitConnection(grpc::Channel& channel) {
  constexpr std::chrono::seconds kPatience{5};
  if (channel.WaitForConnected(std::chrono::system_clock::now() + kPatience)) {
    return absl::OkStatus();
  }
  return platform::Error(absl::StatusCode::kUnavailable, "UNREACHABLE", "cannot be reached");
}

}  // namespace kantoku::conformance
