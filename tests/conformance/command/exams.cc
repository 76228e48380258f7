#include "tests/conformance/command/exams.h"

#include <chrono>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::conformance {

absl::Status AwaitConnection(grpc::Channel& channel) {
  constexpr std::chrono::seconds kPatience{5};
  if (channel.WaitForConnected(std::chrono::system_clock::now() + kPatience)) {
    return absl::OkStatus();
  }
  return platform::Error(absl::StatusCode::kUnavailable, "UNREACHABLE", "cannot be reached");
}

absl::Status FirstAnswer(const grpc::Status& status, std::string_view service) {
  absl::Status answer = platform::FromGrpc(status);
  if (!absl::IsUnimplemented(answer)) return answer;
  return platform::Error(absl::StatusCode::kFailedPrecondition, "ANOTHER_SERVICE",
                         absl::StrCat("it does not serve ", std::string(service), ": ",
                                      std::string(answer.message())));
}

}  // namespace kantoku::conformance
