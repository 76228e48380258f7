#ifndef KANTOKU_SERVICES_PLATFORM_OAUTH_STORED_LOGIN_H_
#define KANTOKU_SERVICES_PLATFORM_OAUTH_STORED_LOGIN_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/clock.h"
#include "services/platform/file_turn.h"
#include "services/platform/identity/http_client.h"
#include "services/platform/mutex.h"
#include "services/platform/oauth/access_token.h"
#include "services/platform/oauth/token_endpoint.h"

namespace kantoku::platform {

// What is left of a login when its user has gone. That of a public client: a secret is not kept.
struct Login {
  OAuthClient client;
  std::string refresh_token;
  AccessToken access_token;
};

// A login in a file of mode 0600, which the programs of a user share: JSON, replaced as a whole.
// They take turns by a lock on PATH.lock.
//
// Guarantees: a refresh token that replaces another is durable before an access token which came
// with it is used. Programs that want a new access token at the same time get one and the same,
// with one request, and none spoils the refresh token of another. A program that dies between the
// issuer's answer and the file loses the login, unless the issuer takes a refresh token twice.
//
// Confined to one thread, but for Stop. HttpClient and clock outlive it.
class StoredLogin {
 public:
  StoredLogin(std::string path, HttpClient& http, Clock& clock);

  // Replaces the login by another.
  absl::Status Save(const Login& login);

  // An access token that is good for ten seconds at least and is another than that of the last
  // call: the one in the file if it is, or else a new one. NOT_FOUND, NO_LOGIN;
  // FAILED_PRECONDITION, INVALID_LOGIN_FILE; UNAVAILABLE, LOGIN_LOCKED when others held the file
  // for 15 s; as TokenEndpoint::ByRefreshToken. When the file cannot be written the issuer is not
  // asked.
  absl::StatusOr<AccessToken> Next();

  // Ends Next and Save, now and from now on. Thread-safe.
  void Stop();

 private:
  absl::StatusOr<FileTurn> TakeLock();
  absl::StatusOr<AccessToken> Refresh(Login login) const;
  bool IsNews(const AccessToken& token) const;

  const std::string path_;
  HttpClient& http_;
  Clock& clock_;
  std::string last_;  // The access token of the last call.

  Mutex mutex_;
  CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_OAUTH_STORED_LOGIN_H_
