#ifndef KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_IDENTITY_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_IDENTITY_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/mac.h"

namespace kantoku::platform {

// Lets a call of ours show that it comes from `service`, for a few minutes from `now`.
void PresentAsService(grpc::ClientContext& context, const MacKeys& keys, std::string_view service,
                      absl::Time now);

// The other side of it: the service that makes this call, empty where it shows none.
// PERMISSION_DENIED, NOT_A_SERVICE when what it shows is not genuine or has ended.
absl::StatusOr<std::string> CallingService(const grpc::ServerContextBase& context,
                                           const MacKeys& keys, absl::Time now);

// Lets a call show that a replica of ours forwards it, for one of the other's partitions, for a few
// minutes from `now`.
void PresentAsForwarded(grpc::ClientContext& context, const MacKeys& keys, uint32_t partition,
                        absl::Time now);

// The other side of it; empty where nothing genuine says so.
std::optional<uint32_t> ForwardedTo(const grpc::ServerContextBase& context, const MacKeys& keys,
                                    absl::Time now);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_SERVICE_IDENTITY_H_
