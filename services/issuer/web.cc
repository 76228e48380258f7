#include "services/issuer/web.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_join.h"
#include "services/issuer/form.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::HttpReply;
using platform::HttpRequest;

constexpr char kJwks[] = "/oauth/jwks";
constexpr char kToken[] = "/oauth/token";
constexpr char kFormType[] = "application/x-www-form-urlencoded";
constexpr char kSeparator = '.';  // Between the secret of a grant and that of its holder.
constexpr absl::Duration kPatience = absl::Seconds(5);

std::string MetadataOf(const HttpRequest& request) {
  return nlohmann::json{
      {"issuer", kIssuerName},
      {"jwks_uri", request.server_url + kJwks},
      {"token_endpoint", request.server_url + kToken},
      {"grant_types_supported", {"client_credentials"}},
      {"response_types_supported", nlohmann::json::array()},
      {"token_endpoint_auth_methods_supported", {"client_secret_basic", "client_secret_post"}}}
      .dump();
}

// Nobody keeps what is said of tokens (RFC 6749, section 5.1).
HttpReply Said(int status, const nlohmann::json& body) {
  return {.status = status,
          .body = body.dump(),
          .headers = "Cache-Control: no-store\r\nPragma: no-cache\r\n"};
}

HttpReply Wrong(std::string_view error, std::string_view why) {
  return Said(400, {{"error", error}, {"error_description", why}});
}

HttpReply UnknownClient(std::string_view why) {
  HttpReply reply = Said(401, {{"error", "invalid_client"}, {"error_description", why}});
  reply.headers += "WWW-Authenticate: Basic realm=\"kantoku\"\r\n";
  return reply;
}

HttpReply ReplyTo(const absl::Status& why) {
  switch (why.code()) {
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kInvalidArgument:
      return UnknownClient(platform::ToStd(why.message()));
    case absl::StatusCode::kResourceExhausted: {
      HttpReply reply = Said(429, {{"error", "temporarily_unavailable"}});
      reply.headers += "Retry-After: 1\r\n";
      return reply;
    }
    default:
      return Said(503, {{"error", "temporarily_unavailable"}});
  }
}

// Who asks: the grant and what is shown for it. Nothing where it is not said, or said twice.
std::optional<std::pair<std::string, std::string>> ClientOf(
    const HttpRequest& request, std::map<std::string, std::string>& form) {
  const bool in_form = form.contains("client_secret");
  if (request.authorization.empty()) {
    if (!in_form || !form.contains("client_id")) return std::nullopt;
    return std::pair(form["client_id"], form["client_secret"]);
  }
  auto client = ParseBasic(request.authorization);
  const bool same = client.has_value() && !in_form &&
                    (!form.contains("client_id") || form["client_id"] == client->first);
  return same ? client : std::nullopt;
}

// An answer that one thread gives, or not, and another waits for, but not for ever.
class Pending {
 public:
  void Set(absl::StatusOr<TokenDesk::Token> token) {
    platform::MutexLock lock(mutex_);
    token_ = std::move(token);
  }
  // Nothing is set any more.
  void End() {
    platform::MutexLock lock(mutex_);
    ended_ = true;
    changed_.SignalAll();
  }
  absl::StatusOr<TokenDesk::Token> Await() {
    platform::Clock& clock = platform::Clock::Real();
    const absl::Duration deadline = clock.Read().steady + kPatience;
    platform::MutexLock lock(mutex_);
    while (!ended_ && clock.Read().steady < deadline) clock.Wait(mutex_, changed_, deadline);
    return token_;
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  absl::StatusOr<TokenDesk::Token> token_ ABSL_GUARDED_BY(mutex_) =
      absl::UnavailableError("there is no answer");
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

absl::StatusOr<TokenDesk::Token> Ask(TokenDesk& desk, GrantMachine::Exchange exchange,
                                     const std::string& host) {
  const auto pending = std::make_shared<Pending>();
  // Also when the question is dropped unanswered.
  std::shared_ptr<Pending> answer(pending.get(), [pending](Pending* ended) { ended->End(); });
  desk.Exchange(std::move(exchange), host,
                [answer = std::move(answer)](absl::StatusOr<TokenDesk::Token> token) {
                  answer->Set(std::move(token));
                });
  return pending->Await();
}

HttpReply GiveToken(TokenDesk& desk, const HttpRequest& request) {
  const auto type = absl::string_view(request.content_type).substr(0, sizeof(kFormType) - 1);
  if (request.method != "POST" || !absl::EqualsIgnoreCase(type, kFormType)) {
    return Wrong("invalid_request", "wants a form");
  }
  auto form = ParseForm(request.body);
  if (!form.has_value()) return Wrong("invalid_request", "the form is malformed");
  if (!form->contains("grant_type")) return Wrong("invalid_request", "grant_type is missing");
  if ((*form)["grant_type"] != "client_credentials") {
    return Wrong("unsupported_grant_type", "grant_type is not client_credentials");
  }
  const auto client = ClientOf(request, *form);
  if (!client.has_value()) {
    return UnknownClient("client_id and client_secret are wanted, in one place");
  }
  const auto id = GrantIdOf(client->first);
  if (!id.has_value()) return UnknownClient("client_id is no id of a grant");
  const size_t end = client->second.find(kSeparator);
  GrantMachine::Exchange exchange = {.id = *id, .secret = client->second.substr(0, end)};
  if (end != std::string::npos) exchange.holder_secret = client->second.substr(end + 1);
  const auto token = Ask(desk, std::move(exchange), request.host);
  if (!token.ok()) return ReplyTo(token.status());
  return Said(200, {{"access_token", token->access_token},
                    {"token_type", "Bearer"},
                    {"expires_in", absl::ToInt64Seconds(token->lifetime)},
                    {"scope", absl::StrJoin(token->scopes, " ")}});
}

}  // namespace

std::vector<platform::HttpRoute> MakeIssuerRoutes(const Issuer& issuer, TokenDesk& desk) {
  const auto metadata = [](const HttpRequest& request) {
    return HttpReply{.body = MetadataOf(request)};
  };
  return {{.path = kJwks,
           .answer =
               [&issuer](const HttpRequest&) {
                 return HttpReply{.body = issuer.KeySetText(),
                                  .content_type = "application/jwk-set+json"};
               }},
          {.path = "/.well-known/oauth-authorization-server", .answer = metadata},
          {.path = "/.well-known/openid-configuration", .answer = metadata},
          {.path = kToken,
           .answer = [&desk](const HttpRequest& request) { return GiveToken(desk, request); }}};
}

}  // namespace kantoku::issuer
