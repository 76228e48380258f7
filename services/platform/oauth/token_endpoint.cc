#include "services/platform/oauth/token_endpoint.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/identity/discovery.h"
#include "services/platform/identity/strict_json.h"
#include "services/platform/rpc/token_source.h"
#include "services/platform/status.h"
#include "services/platform/url.h"

namespace kantoku::platform {
namespace {

constexpr char kTokenEndpoint[] = "token_endpoint";
constexpr char kDeviceEndpoint[] = "device_authorization_endpoint";
constexpr char kDeviceGrant[] = "urn:ietf:params:oauth:grant-type:device_code";

// Of a token whose issuer does not say how long it is good.
constexpr absl::Duration kUnsaidLifetime = absl::Minutes(5);
constexpr absl::Duration kLongestLifetime = absl::Hours(366 * 24);
constexpr absl::Duration kUnsaidInterval = absl::Seconds(5);
constexpr absl::Duration kSlowDown = absl::Seconds(5);
constexpr absl::Duration kLongestInterval = absl::Minutes(1);
constexpr size_t kMaxTextBytes = 16'384;
constexpr size_t kMaxUserCodeBytes = 64;
constexpr int kOk = 200;

// RFC 6749, 5.2; RFC 8707, 2; RFC 8628, 3.5; RFC 6749, 4.1.2.1 for what some say here, too.
struct Refusal {
  std::string_view error;
  absl::StatusCode code;
  std::string_view reason;
  std::string_view message;
};
constexpr std::array kRefusals = {
    Refusal{"invalid_client", absl::StatusCode::kUnauthenticated, "INVALID_CLIENT",
            "the issuer does not know the client, or its secret is wrong (invalid_client)"},
    Refusal{"unauthorized_client", absl::StatusCode::kUnauthenticated, "INVALID_CLIENT",
            "the issuer does not let the client ask for tokens so (unauthorized_client)"},
    Refusal{"invalid_grant", absl::StatusCode::kUnauthenticated, "INVALID_GRANT",
            "the login has ended or was revoked (invalid_grant)"},
    Refusal{"invalid_scope", absl::StatusCode::kInvalidArgument, "INVALID_SCOPE",
            "the issuer refuses the scope (invalid_scope)"},
    Refusal{"invalid_target", absl::StatusCode::kInvalidArgument, "INVALID_SCOPE",
            "the issuer refuses the audience or the resource (invalid_target)"},
    Refusal{"access_denied", absl::StatusCode::kPermissionDenied, "ACCESS_DENIED",
            "the login was refused (access_denied)"},
    Refusal{"expired_token", absl::StatusCode::kDeadlineExceeded, "LOGIN_EXPIRED",
            "nobody has confirmed the login in time (expired_token)"},
    Refusal{"invalid_request", absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED",
            "the issuer does not take such a request (invalid_request)"},
    Refusal{"unsupported_grant_type", absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED",
            "the issuer does not make tokens so (unsupported_grant_type)"},
    Refusal{"temporarily_unavailable", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
            "the issuer has no time (temporarily_unavailable)"},
    Refusal{"server_error", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
            "the issuer is broken (server_error)"},
    Refusal{"slow_down", absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE",
            "the issuer is asked too often (slow_down)"},
};

absl::Status Unreachable(absl::string_view why) {
  return Error(absl::StatusCode::kUnavailable, "ISSUER_UNREACHABLE", ToStd(why));
}

absl::Status BadAnswer(absl::string_view why) {
  return Unreachable(absl::StrCat("the issuer's answer ", why));
}

absl::Status NameUnreachable(const absl::Status& status) {
  return absl::IsUnavailable(status) ? Unreachable(status.message()) : status;
}

// What a terminal shows as it is.
bool IsPrintable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

// The text at `name`, printable and not too long; empty where there is none.
absl::StatusOr<std::string> TextAt(const nlohmann::json& object, const char* name,
                                   size_t max_size = kMaxTextBytes) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return std::string();
  if (!found->is_string()) return BadAnswer(absl::StrCat("has a ", name, " that is no text"));
  auto text = found->get<std::string>();
  if (text.size() > max_size || !IsPrintable(text)) {
    return BadAnswer(absl::StrCat("has a ", name, " that is too long or not printable"));
  }
  return text;
}

// The seconds at `name`.
absl::StatusOr<absl::Duration> SecondsAt(const nlohmann::json& object, const char* name,
                                         absl::Duration unsaid, absl::Duration longest) {
  const auto found = object.find(name);
  if (found == object.end() || found->is_null()) return unsaid;
  const double seconds = found->is_number() ? found->get<double>() : 0;
  if (!(seconds >= 1 && seconds <= absl::ToDoubleSeconds(longest))) {
    return BadAnswer(absl::StrCat("has an ", name, " that is no number of seconds up to ",
                                  absl::ToInt64Seconds(longest)));
  }
  return absl::Seconds(static_cast<int64_t>(seconds));
}

// The `error` of an answer; empty when it names none.
std::string ErrorOf(const HttpAnswer& answer) {
  const auto object = ParseStrictObject(answer.body);
  if (!object.has_value()) return "";
  const auto error = object->find("error");
  return error != object->end() && error->is_string() ? error->get<std::string>() : "";
}

absl::Status RefusalOf(const HttpAnswer& answer) {
  const std::string error = ErrorOf(answer);
  for (const Refusal& refusal : kRefusals) {
    if (refusal.error == error) return Error(refusal.code, refusal.reason, refusal.message);
  }
  // Not what it says: it knows our secrets, and may repeat them.
  if (error.empty() || answer.status == 408 || answer.status == 429) {
    return BadAnswer(absl::StrCat("has status ", answer.status, " and no error of OAuth"));
  }
  return Error(absl::StatusCode::kFailedPrecondition, "GRANT_REFUSED",
               "the issuer refuses with an error that is not known here");
}

// The object that an answer which is no refusal holds.
absl::StatusOr<nlohmann::json> ObjectOf(const HttpAnswer& answer) {
  if (answer.status != kOk || !ErrorOf(answer).empty()) return RefusalOf(answer);
  auto object = ParseStrictObject(answer.body);
  if (!object.has_value()) return BadAnswer("is no JSON object");
  return *std::move(object);
}

absl::StatusOr<TokenGrant> ReadGrant(const HttpAnswer& answer, absl::Time asked_at) {
  KANTOKU_ASSIGN_OR_RETURN(const nlohmann::json object, ObjectOf(answer));
  KANTOKU_ASSIGN_OR_RETURN(const std::string type, TextAt(object, "token_type"));
  if (!absl::EqualsIgnoreCase(type, "Bearer")) return BadAnswer("has no token of type Bearer");
  TokenGrant grant;
  KANTOKU_ASSIGN_OR_RETURN(grant.access_token.text, TextAt(object, "access_token"));
  if (!CheckToken(grant.access_token.text).ok()) return BadAnswer("has no access token");
  KANTOKU_ASSIGN_OR_RETURN(const absl::Duration lifetime,
                           SecondsAt(object, "expires_in", kUnsaidLifetime, kLongestLifetime));
  grant.access_token.expires = asked_at + lifetime;
  KANTOKU_ASSIGN_OR_RETURN(grant.refresh_token, TextAt(object, "refresh_token"));
  return grant;
}

// An address that a user is sent to, which may have a query.
absl::StatusOr<std::string> PageAt(const nlohmann::json& object, const char* name) {
  KANTOKU_ASSIGN_OR_RETURN(std::string url, TextAt(object, name));
  if (!url.empty() && !CheckUrl(url.substr(0, url.find('?'))).ok()) {
    return BadAnswer(absl::StrCat("has a ", name, " that is no https URL"));
  }
  return url;
}

absl::StatusOr<DeviceLogin> ReadDeviceLogin(const HttpAnswer& answer, absl::Time asked_at) {
  KANTOKU_ASSIGN_OR_RETURN(const nlohmann::json object, ObjectOf(answer));
  DeviceLogin login;
  KANTOKU_ASSIGN_OR_RETURN(login.device_code, TextAt(object, "device_code"));
  KANTOKU_ASSIGN_OR_RETURN(login.user_code, TextAt(object, "user_code", kMaxUserCodeBytes));
  KANTOKU_ASSIGN_OR_RETURN(login.verification_uri, PageAt(object, "verification_uri"));
  KANTOKU_ASSIGN_OR_RETURN(login.verification_uri_complete,
                           PageAt(object, "verification_uri_complete"));
  if (login.device_code.empty() || login.user_code.empty() || login.verification_uri.empty()) {
    return BadAnswer("lacks device_code, user_code or verification_uri");
  }
  KANTOKU_ASSIGN_OR_RETURN(login.interval,
                           SecondsAt(object, "interval", kUnsaidInterval, kLongestInterval));
  KANTOKU_ASSIGN_OR_RETURN(const absl::Duration lifetime,
                           SecondsAt(object, "expires_in", kUnsaidLifetime, absl::Hours(24)));
  login.expires = asked_at + lifetime;
  return login;
}

}  // namespace

TokenEndpoint::TokenEndpoint(OAuthClient client, HttpClient& http, Clock& clock)
    : client_(std::move(client)), http_(http), clock_(clock) {}

absl::StatusOr<TokenGrant> TokenEndpoint::ByClientCredentials() {
  return Ask({{"grant_type", "client_credentials"},
              {"scope", client_.scope},
              {"audience", client_.audience},
              {"resource", client_.resource}});
}

absl::StatusOr<TokenGrant> TokenEndpoint::ByRefreshToken(const std::string& refresh_token) {
  return Ask({{"grant_type", "refresh_token"},
              {"refresh_token", refresh_token},
              {"resource", client_.resource}});
}

absl::StatusOr<DeviceLogin> TokenEndpoint::StartDeviceLogin() {
  const absl::Time asked_at = clock_.Read().wall;
  KANTOKU_ASSIGN_OR_RETURN(const HttpAnswer answer,
                           Send(kDeviceEndpoint, {{"scope", client_.scope},
                                                  {"audience", client_.audience},
                                                  {"resource", client_.resource}}));
  return ReadDeviceLogin(answer, asked_at);
}

absl::StatusOr<std::optional<TokenGrant>> TokenEndpoint::PollDeviceLogin(DeviceLogin& login) {
  const absl::Time now = clock_.Read().wall;
  if (now >= login.expires) {
    return Error(absl::StatusCode::kDeadlineExceeded, "LOGIN_EXPIRED",
                 "nobody has confirmed the login in time");
  }
  const auto answer = Send(kTokenEndpoint, {{"grant_type", kDeviceGrant},
                                            {"device_code", login.device_code},
                                            {"resource", client_.resource}});
  if (!answer.ok()) {
    login.interval = std::max(login.interval, std::min(2 * login.interval, kLongestInterval));
    return answer.status();
  }
  const std::string error = ErrorOf(*answer);
  if (error == "authorization_pending") return std::nullopt;
  if (error == "slow_down") {
    login.interval += kSlowDown;
    return std::nullopt;
  }
  return ReadGrant(*answer, now);
}

absl::StatusOr<TokenGrant> TokenEndpoint::Ask(Form form) {
  const absl::Time asked_at = clock_.Read().wall;
  KANTOKU_ASSIGN_OR_RETURN(const HttpAnswer answer, Send(kTokenEndpoint, std::move(form)));
  return ReadGrant(answer, asked_at);
}

absl::StatusOr<HttpAnswer> TokenEndpoint::Send(const char* endpoint, Form form) {
  HttpPost post;
  KANTOKU_ASSIGN_OR_RETURN(post.url, AddressOf(endpoint));
  std::erase_if(form, [](const auto& field) { return field.second.empty(); });
  post.form = std::move(form);
  if (client_.client_secret.empty() || client_.secret_in_form) {
    post.form.emplace_back("client_id", client_.client_id);
    if (!client_.client_secret.empty())
      post.form.emplace_back("client_secret", client_.client_secret);
  } else {
    post.user = FormEncode(client_.client_id);  // RFC 6749, 2.3.1.
    post.password = FormEncode(client_.client_secret);
  }
  auto answer = http_.Post(post);
  if (answer.ok() && answer->status != 404) return answer;
  addresses_.clear();  // It may have moved.
  if (!answer.ok()) return NameUnreachable(answer.status());
  return answer;
}

absl::StatusOr<std::string> TokenEndpoint::AddressOf(const char* endpoint) {
  if (const auto known = addresses_.find(endpoint); known != addresses_.end()) return known->second;
  const auto discovery = Discovery::Fetch(http_, client_.issuer);
  if (!discovery.ok()) return NameUnreachable(discovery.status());
  auto address = discovery->Address(endpoint);
  if (!address.ok()) return NameUnreachable(address.status());
  return addresses_[endpoint] = *std::move(address);
}

}  // namespace kantoku::platform
