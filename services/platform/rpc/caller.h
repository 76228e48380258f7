#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CALLER_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CALLER_H_

#include <grpcpp/client_context.h>
#include <grpcpp/server_context.h>

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/mac.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/rpc/grpc_status.h"

namespace kantoku::platform {

// OK when it says both who calls and through which app; UNAUTHENTICATED (NO_SUBJECT, NO_CLIENT_ID)
// otherwise. Whatever a caller's rights hang on must not be empty.
absl::Status CheckCaller(const Caller& caller);

// Who makes this call, checked as above. Until callers authenticate it is a fixed local identity,
// which is why servers bind to loopback only.
absl::StatusOr<Caller> CallerOf(const grpc::ServerContextBase& context);

// The name of the calling service ("inputs"). PERMISSION_DENIED, NOT_A_SERVICE when the call shows
// no genuine service identity.
absl::StatusOr<std::string> CallingService(const grpc::ServerContextBase& context,
                                           const MacKeys& keys, absl::Time now);

// The other side of it: lets a call of ours show that it comes from `service`.
void PresentAsService(grpc::ClientContext& context, const MacKeys& keys, std::string_view service,
                      absl::Time now);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CALLER_H_
