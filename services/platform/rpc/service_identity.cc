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

void PresentAsForwarded(grpc::ClientContext& context, const MacKeys& keys, uint32_t partition,
                        absl::Time now) {
  context.AddMetadata(kForwardedMetadataKey,
                      SealForwarded(keys, partition, now + kIdentityLifetime));
}

std::optional<uint32_t> ForwardedTo(const grpc::ServerContextBase& context, const MacKeys& keys,
                                    absl::Time now) {
  const auto& metadata = context.client_metadata();
  const auto entry = metadata.find(kForwardedMetadataKey);
  if (entry == metadata.end()) return std::nullopt;
  const auto partition = OpenForwarded(keys, {entry->second.data(), entry->second.size()}, now);
  return partition.ok() ? std::optional(*partition) : std::nullopt;
}

}  // namespace kantoku::platform
