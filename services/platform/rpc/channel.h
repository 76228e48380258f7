#ifndef KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_

#include <grpcpp/channel.h>
#include <grpcpp/support/channel_arguments.h>
#include <grpcpp/support/client_interceptor.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::platform {

// The largest message, both ways, that any of our ends takes or sends: 32 MiB.
inline constexpr int kMaxMessageBytes = 32 << 20;

// How a connection is protected.
struct ChannelTls {
  // PEM: where the server's certificate may come from. Empty: the system's.
  std::string authorities;
  std::string server_name;  // That the certificate has to be for; empty: the address's host.
  // Files that are always good, with authorities instead of those above, and with what the client
  // shows where the server asks for it: its key, then the chain. What they hold when a connection
  // is made, or held a second before, counts for that connection. Empty: none.
  std::string authorities_file;
  std::string identity_file;
};

// Makes what sees a call of that path, "/package.Service/Method", go out and come back.
using MakeCallInterceptor =
    std::function<std::unique_ptr<grpc::experimental::Interceptor>(const std::string& path)>;

struct ChannelOptions {
  std::shared_ptr<TokenSource> tokens;  // Null: calls show no token.
  std::optional<ChannelTls> tls;        // Absent: plaintext.
  // Also to other computers: whoever is on the way reads and changes everything.
  bool insecure_plaintext_beyond_loopback = false;
  MakeCallInterceptor interceptor;  // Nearest to the caller, so that it sees no token. Empty: none.
};

// A connection to a service, made when it is first used. A service that comes back is found within
// a second; a connection that went silent is noticed within 15 s and made anew; a connection
// attempt has gRPC's 20 s, for links that are slow. No retries: callers know what is safe to
// repeat. Channels share no connection. To this computer it goes straight, whatever $http_proxy
// says, and so it does wherever there are tokens.
//
// Each call shows the access token that there is when it leaves. One that is refused because that
// token has ended (UNAUTHENTICATED, TOKEN_EXPIRED) is UNAVAILABLE, TOKEN_EXPIRED instead where the
// source has a newer one, or is likely to soon: it may be repeated as it is. FAILED_PRECONDITION,
// NO_TLS when there is no TLS, and the address is not of this computer.
absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options);

// Plaintext, without tokens, to this computer.
std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address);

// Whether it is "localhost" or a loopback address, with a port, or a socket of this computer
// ("unix:…").
bool IsOwnAddress(std::string_view address);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_CHANNEL_H_
