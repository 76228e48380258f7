#include "services/platform/oauth/stored_login.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/identity/strict_json.h"
#include "services/platform/rpc/token_source.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kLeastLife = absl::Seconds(10);
constexpr absl::Duration kLockPatience = absl::Seconds(15);  // More than one refresh takes.
constexpr absl::Duration kLockInterval = absl::Milliseconds(20);

constexpr char kExpires[] = "access_token_expires";  // Seconds since 1970.

std::string JsonOf(const Login& login) {
  const nlohmann::json object = {
      {"issuer", login.client.issuer},
      {"client_id", login.client.client_id},
      {"scope", login.client.scope},
      {"audience", login.client.audience},
      {"resource", login.client.resource},
      {"refresh_token", login.refresh_token},
      {"access_token", login.access_token.text},
      {kExpires, absl::ToUnixSeconds(login.access_token.expires)},
  };
  // Whatever a configuration holds; the issuer's texts are ASCII.
  return object.dump(2, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace) +
         "\n";
}

absl::Status BadFile(const std::string& path, absl::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, "INVALID_LOGIN_FILE",
               absl::StrCat(path, ": ", why, "; log in again"));
}

absl::StatusOr<Login> ReadLogin(const std::string& path) {
  const auto text = ReadWholeFile(path, kForOwnerAlone);
  if (absl::IsNotFound(text.status())) {
    return Error(absl::StatusCode::kNotFound, "NO_LOGIN",
                 absl::StrCat(path, ": there is no login; log in first"));
  }
  if (!text.ok()) return text.status();
  const auto object = ParseStrictObject(*text);
  if (!object.has_value()) return BadFile(path, "is no JSON object");
  Login login;
  const std::pair<const char*, std::string*> texts[] = {{"issuer", &login.client.issuer},
                                                        {"client_id", &login.client.client_id},
                                                        {"scope", &login.client.scope},
                                                        {"audience", &login.client.audience},
                                                        {"resource", &login.client.resource},
                                                        {"refresh_token", &login.refresh_token},
                                                        {"access_token", &login.access_token.text}};
  for (const auto& [name, target] : texts) {
    const auto found = object->find(name);
    if (found == object->end() || !found->is_string()) {
      return BadFile(path, absl::StrCat("has no text \"", name, "\""));
    }
    *target = found->get<std::string>();
  }
  const auto expires = object->find(kExpires);
  if (expires == object->end() || !expires->is_number_integer()) {
    return BadFile(path, absl::StrCat("has no number \"", kExpires, "\""));
  }
  login.access_token.expires = absl::FromUnixSeconds(expires->get<int64_t>());
  if (!CheckToken(login.access_token.text).ok()) login.access_token = {};
  return login;
}

}  // namespace

StoredLogin::StoredLogin(std::string path, HttpClient& http, Clock& clock)
    : path_(std::move(path)), http_(http), clock_(clock) {}

void StoredLogin::Stop() {
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.SignalAll();
  http_.Stop();
}

// Looks again and again, as a wait for the lock itself could not be ended.
absl::StatusOr<FileTurn> StoredLogin::TakeLock() {
  const std::string path = path_ + ".lock";
  KANTOKU_ASSIGN_OR_RETURN(FileTurn held, FileTurn::Open(path));
  const absl::Duration give_up = clock_.Read().steady + kLockPatience;
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (held.Try()) return held;
    const absl::Duration now = clock_.Read().steady;
    if (now >= give_up) break;
    clock_.Wait(mutex_, changed_, now + kLockInterval);
  }
  return Error(absl::StatusCode::kUnavailable, "LOGIN_LOCKED",
               absl::StrCat(path, stopping_ ? ": the program stops" : ": others hold it"));
}

absl::Status StoredLogin::Save(const Login& login) {
  KANTOKU_ASSIGN_OR_RETURN(const FileTurn lock, TakeLock());
  return ReplaceWholeFile(path_, JsonOf(login));
}

bool StoredLogin::IsNews(const AccessToken& token) const {
  return !token.text.empty() && token.text != last_ &&
         token.expires >= clock_.Read().wall + kLeastLife;
}

absl::StatusOr<AccessToken> StoredLogin::Next() {
  KANTOKU_ASSIGN_OR_RETURN(Login login, ReadLogin(path_));
  if (!IsNews(login.access_token)) {
    KANTOKU_ASSIGN_OR_RETURN(const FileTurn lock, TakeLock());
    KANTOKU_ASSIGN_OR_RETURN(login, ReadLogin(path_));  // Others may have refreshed it.
    if (!IsNews(login.access_token)) {
      KANTOKU_ASSIGN_OR_RETURN(AccessToken refreshed, Refresh(login));
      login.access_token = std::move(refreshed);
    }
  }
  last_ = login.access_token.text;
  return std::move(login.access_token);
}

absl::StatusOr<AccessToken> StoredLogin::Refresh(Login login) const {
  // First as it is: where nothing can be written, the next refresh token would be lost.
  KANTOKU_RETURN_IF_ERROR(ReplaceWholeFile(path_, JsonOf(login)));
  TokenEndpoint endpoint(login.client, http_, clock_);
  KANTOKU_ASSIGN_OR_RETURN(TokenGrant grant, endpoint.ByRefreshToken(login.refresh_token));
  if (!grant.refresh_token.empty()) login.refresh_token = std::move(grant.refresh_token);
  login.access_token = std::move(grant.access_token);
  KANTOKU_RETURN_IF_ERROR(ReplaceWholeFile(path_, JsonOf(login)));
  return std::move(login.access_token);
}

}  // namespace kantoku::platform
