#include "services/platform/rpc/service_identity.h"

#include "services/platform/auth/tokens.h"

namespace kantoku::platform {
namespace {

// Long enough for clocks that differ a little, short enough that a leaked one is soon worthless.
constexpr absl::Duration kIdentityLifetime = absl::Minutes(5);

}  // namespace

void PresentAsService(grpc::ClientContext& context, const MacKeys& keys, std::string_view service,
                      absl::Time now) {
  context.AddMetadata(kServiceMetadataKey,
                      SealServiceIdentity(keys, service, now + kIdentityLifetime));
}

absl::StatusOr<std::string> CallingService(const grpc::ServerContextBase& context,
                                           const MacKeys& keys, absl::Time now) {
  const auto& metadata = context.client_metadata();
  const auto entry = metadata.find(kServiceMetadataKey);
  if (entry == metadata.end()) return std::string();
  return OpenServiceIdentity(keys, {entry->second.data(), entry->second.size()}, now);
}

}  // namespace kantoku::platform
