#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

namespace kantoku::platform {

// The largest message, both ways, that any of our ends takes or sends: 32 MiB.
inline constexpr int kMaxMessageBytes = 32 << 20;

// A connection to a service, made when it is first used. A service that comes back is found within
// a second; a connection that went silent is noticed within 15 s and made anew; a connection
// attempt has gRPC's 20 s, for links that are slow. No retries: callers know what is safe to
// repeat. Channels share no connection.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
