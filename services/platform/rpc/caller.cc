#include "services/platform/rpc/caller.h"

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Long enough for clocks that differ a little, short enough that a leaked one is soon worthless.
constexpr absl::Duration kIdentityLifetime = absl::Minutes(5);

}  // namespace

absl::Status CheckCaller(const Caller& caller) {
  constexpr auto kUnauthenticated = absl::StatusCode::kUnauthenticated;
  if (caller.subject.empty()) {
    return Error(kUnauthenticated, "NO_SUBJECT", "the call's identity names no subject");
  }
  if (caller.client_id.empty()) {
    return Error(kUnauthenticated, "NO_CLIENT_ID", "the call's identity names no client id");
  }
  return absl::OkStatus();
}

absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& /*context*/) {
  Caller caller{.subject = "local", .client_id = "local"};
  KANTOKU_RETURN_IF_ERROR(CheckCaller(caller));
  return caller;
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

}  // namespace kantoku::platform
