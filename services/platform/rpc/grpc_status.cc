#include "services/platform/rpc/grpc_status.h"

#include <string>

#include "services/platform/rpc/status_details.h"
#include "services/platform/status.h"

namespace kantoku::platform {

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  const std::string message(status.message());
  const std::string reason = ReasonOf(status);
  if (reason.empty()) return {code, message};
  return {code, message, EncodeReason(code, message, reason)};
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return Error(static_cast<absl::StatusCode>(status.error_code()),
               DecodeReason(status.error_details()), status.error_message());
}

}  // namespace kantoku::platform
