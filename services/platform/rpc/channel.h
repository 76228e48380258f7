#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

// The largest message, both ways, that any of our ends takes or sends: 32 MiB.
inline constexpr int kMaxMessageBytes = 32 << 20;

// A connection to a service, made when it is first used. A service that comes back is found within
// a second; a connection that went silent is noticed within 15 s and made anew; a connection
// attempt has gRPC's 20 s, for links that are slow. No retries: callers know what is safe to
// repeat. Channels share no connection. To this computer it goes straight, whatever $http_proxy
// says.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// The same, where each call shows the access token that `tokens` has when it leaves; none where it
// is null. FAILED_PRECONDITION, TOKEN_WITHOUT_TLS when there are tokens and the address is not of
// this computer: whoever is on the way could take them.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           std::shared_ptr<TokenSource> tokens);

// Whether it is "localhost" or a loopback address, with a port.
bool IsOwnAddress(std::string_view address);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
