#include "services/platform/rpc/caller.h"

#include "services/platform/rpc/status_details.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Long enough for clocks that differ a little, short enough that a leaked one is soon worthless.
constexpr absl::Duration kIdentityLifetime = absl::Minutes(5);

}  // namespace

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& /*context*/) {
  return Caller{.subject = "local", .client_id = "local"};
}

absl::StatusOr<std::string> CallingService(const grpc::ServerContextBase& context,
                                           const MacKeys& keys, absl::Time now) {
  const auto& metadata = context.client_metadata();
  const auto entry = metadata.find(kServiceMetadataKey);
  if (entry == metadata.end()) {
    return Error(absl::StatusCode::kPermissionDenied, "NOT_A_SERVICE",
                 "only services may call this, and the call shows no service identity");
  }
  return OpenServiceIdentity(keys, {entry->second.data(), entry->second.size()}, now);
}

void PresentAsService(grpc::ClientContext& context, const MacKeys& keys, std::string_view service,
                      absl::Time now) {
  context.AddMetadata(kServiceMetadataKey,
                      SealServiceIdentity(keys, service, now + kIdentityLifetime));
}

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
