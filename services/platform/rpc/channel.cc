#include "services/platform/rpc/channel.h"

#include <arpa/inet.h>
#include <grpc/impl/codegen/grpc_types.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
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
      token_ = tokens_.Token();
      if (!token_.empty()) {
        methods->GetSendInitialMetadata()->emplace("authorization",
                                                   absl::StrCat("Bearer ", token_));
      }
    }
    if (methods->QueryInterceptionHookPoint(InterceptionHookPoints::POST_RECV_STATUS) &&
        methods->GetRecvStatus()->error_code() == grpc::StatusCode::UNAUTHENTICATED) {
      tokens_.Refused(token_);
    }
    methods->Proceed();
  }

 private:
  TokenSource& tokens_;
  std::string token_;  // What the call shows.
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

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const std::optional<ChannelTls>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls->authorities;
  options.pem_private_key = tls->key;
  options.pem_cert_chain = tls->certificate_chain;
  return grpc::SslCredentials(options);
}

}  // namespace

absl::StatusOr<std::shared_ptr<grpc::Channel>> MakeChannel(const std::string& address,
                                                           const ChannelOptions& options) {
  const bool is_own = IsOwnAddress(address);
  const bool has_tokens = options.tokens != nullptr;
  if (!is_own && !options.tls.has_value() && !options.insecure_plaintext_beyond_loopback) {
    return Error(absl::StatusCode::kFailedPrecondition, "NO_TLS",
                 absl::StrCat(address,
                              " is another computer, and nothing is sent there without "
                              "TLS"));
  }
  grpc::ChannelArguments arguments = Arguments(!is_own && !has_tokens);
  if (options.tls.has_value() && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  std::vector<std::unique_ptr<grpc::experimental::ClientInterceptorFactoryInterface>> interceptors;
  if (has_tokens) interceptors.push_back(std::make_unique<TokenInterceptors>(options.tokens));
  return grpc::experimental::CreateCustomChannelWithInterceptors(
      address, CredentialsOf(options.tls), arguments, std::move(interceptors));
}

std::shared_ptr<grpc::Channel> MakeChannel(const std::string& address) {
  return *MakeChannel(address, ChannelOptions{});
}

bool IsOwnAddress(std::string_view address) {
  if (absl::StartsWith(ToAbsl(address), "unix:") ||
      absl::StartsWith(ToAbsl(address), "unix-abstract:")) {
    return true;
  }
  const std::string host(address.substr(0, address.rfind(':')));
  in_addr ip;
  const bool is_ip = ::inet_pton(AF_INET, host.c_str(), &ip) == 1;
  return host == "localhost" || host == "[::1]" || (is_ip && ntohl(ip.s_addr) >> 24 == 127);
}

}  // namespace kantoku::platform
