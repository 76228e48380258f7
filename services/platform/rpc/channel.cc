#include "services/platform/rpc/channel.h"

#include <arpa/inet.h>
#include <grpc/impl/codegen/grpc_types.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr int kFirstBackoffMilliseconds = 50;
constexpr int kLongestBackoffMilliseconds = 1'000;
constexpr int kKeepaliveMilliseconds = 10'000;
constexpr int kKeepaliveTimeoutMilliseconds = 5'000;

grpc::ChannelArguments Arguments(bool through_proxies) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(kMaxMessageBytes);
  arguments.SetMaxSendMessageSize(kMaxMessageBytes);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kFirstBackoffMilliseconds);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kLongestBackoffMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveMilliseconds);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMilliseconds);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);  // Any number.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // gRPC would follow $http_proxy for addresses of this very computer, too.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, through_proxies ? 1 : 0);
  return arguments;
}

// Puts the token into each call. gRPC's own credentials for calls refuse to work without TLS.
class TokenInterceptor final : public grpc::experimental::Interceptor {
 public:
  explicit TokenInterceptor(TokenSource& tokens) : tokens_(tokens) {}

  void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
    using grpc::experimental::InterceptionHookPoints;
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::PRE_SEND_INITIAL_METADATA)) {
      if (const std::string token = tokens_.Token(); !token.empty()) {
        methods->GetSendInitialMetadata()->emplace("authorization", absl::StrCat("Bearer ", token));
      }
    }
    methods->Proceed();
  }

 private:
  TokenSource& tokens_;
};

class TokenInterceptors final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit TokenInterceptors(std::shared_ptr<TokenSource> tokens) : tokens_(std::move(tokens)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* /*info*/) override {
    return new TokenInterceptor(*tokens_);
  }

 private:
  const std::shared_ptr<TokenSource> tokens_;
};

}  // namespace

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(),
                                   Arguments(!IsOwnAddress(address)));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           std::shared_ptr<TokenSource> tokens) {
  if (tokens == nullptr) return MakeChannel(address);
  if (!IsOwnAddress(address)) {
    return Error(absl::StatusCode::kFailedPrecondition, "TOKEN_WITHOUT_TLS",
                 absl::StrCat("an access token is not sent to ", address,
                              ", which is another computer, without TLS"));
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(std::make_unique<TokenInterceptors>(std::move(tokens)));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, grpc::InsecureChannelCredentials(), Arguments(/*through_proxies=*/false),
      std::move(interceptors));
}

bool IsOwnAddress(std::string_view address) {
  const std::string host(address.substr(0, address.rfind(':')));
  in_addr ip;
  const bool is_ip = ::inet_pton(AF_INET, host.c_str(), &ip) == 1;
  return host == "localhost" || host == "[::1]" || (is_ip && ntohl(ip.s_addr) >> 24 == 127);
}

}  // namespace kantoku::platform
