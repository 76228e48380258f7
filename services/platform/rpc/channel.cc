#include "services/platform/rpc/channel.h"

#include <arpa/inet.h>
#include <grpc/impl/codegen/grpc_types.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>
#include <grpcpp/support/client_interceptor.h>

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Whether a newer token may be let in.
bool IsOfThisToken(std::string_view reason) {
  return reason == "TOKEN_EXPIRED" || reason == "TOKEN_BLOCKED";
}
constexpr int kFirstBackoffMilliseconds = 50;
constexpr int kLongestBackoffMilliseconds = 1'000;
constexpr int kKeepaliveMilliseconds = 10'000;
constexpr int kKeepaliveTimeoutMilliseconds = 5'000;
constexpr unsigned kWatchSeconds = 1;  // How often gRPC looks at files.

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
      OnRefused(*methods->GetRecvStatus());
    }
    methods->Proceed();
  }

 private:
  // Says that the same call may succeed, where it may.
  void OnRefused(grpc::Status& status) {
    const bool renews = tokens_.Renew(token_);
    const std::string reason = ReasonOf(FromGrpc(status));
    if (!renews || !IsOfThisToken(reason)) return;
    status = ToGrpc(Error(absl::StatusCode::kUnavailable, reason, status.error_message()));
  }

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

class CallersInterceptors final : public grpc::experimental::ClientInterceptorFactoryInterface {
 public:
  explicit CallersInterceptors(MakeCallInterceptor make) : make_(std::move(make)) {}

  grpc::experimental::Interceptor* CreateClientInterceptor(
      grpc::experimental::ClientRpcInfo* info) override {
    return make_(info->method()).release();
  }

 private:
  const MakeCallInterceptor make_;
};

std::shared_ptr<grpc::ChannelCredentials> WatchingCredentials(const ChannelTls& tls) {
  // One file for key and chain, so that a key never meets another key's certificate.
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(
      std::make_shared<grpc::experimental::FileWatcherCertificateProvider>(
          tls.identity_file, tls.identity_file, tls.authorities_file, kWatchSeconds));
  if (!tls.identity_file.empty()) options.watch_identity_key_cert_pairs();
  if (!tls.authorities_file.empty()) options.watch_root_certs();
  return grpc::experimental::TlsCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> CredentialsOf(const std::optional<ChannelTls>& tls) {
  if (!tls.has_value()) return grpc::InsecureChannelCredentials();
  const bool has_files = !tls->identity_file.empty() || !tls->authorities_file.empty();
  if (has_files) return WatchingCredentials(*tls);
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = tls->authorities;
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
  if (options.interceptor != nullptr) {
    interceptors.push_back(std::make_unique<CallersInterceptors>(options.interceptor));
  }
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
