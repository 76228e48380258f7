#ifndef KANTOKU_SERVICES_ISSUER_ISSUER_H_
#define KANTOKU_SERVICES_ISSUER_ISSUER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/issuer/grant.h"
#include "services/platform/clock.h"
#include "services/platform/identity/jwt_authenticator.h"
#include "services/platform/identity/signing_key.h"
#include "services/platform/mutex.h"
#include "services/platform/server/own_issuer.h"

namespace kantoku::issuer {

// Its name, as in `iss`, and whom its tokens are for, as in `aud`.
inline constexpr char kIssuerName[] = "https://kantoku.internal";
inline constexpr char kAudience[] = "kantoku";

// Signs access tokens (RFC 9068) and knows them again, unless their grant was revoked.
//
// Thread-safe.
class Issuer final : public platform::OwnIssuer {
 public:
  struct Options {
    std::string key_file;
    platform::TimeRules times;
    std::function<uint64_t()> random;
  };
  static constexpr absl::Duration kTokenLifetime = absl::Minutes(10);

  // The key is made when there is none. Errors as SigningKey::LoadOrCreate.
  static absl::StatusOr<std::shared_ptr<Issuer>> Open(Options options, platform::Clock& clock);

  // For whoever holds the grant, good for kTokenLifetime from `now`, but no longer than the grant.
  std::string TokenOf(const Grant& grant, absl::Time now) const;
  // INVALID_ARGUMENT, INVALID_GRANT when its tokens would not be taken, as they say too much or
  // what no token may say.
  absl::Status Check(const Grant& grant, absl::Time now) const;
  std::string AdministratorToken(absl::Time now) override;

  // From now on tokens of the grant are UNAUTHENTICATED, TOKEN_REVOKED.
  void Refuse(GrantId grant);

  // The key set to publish.
  std::string KeySetText() const { return key_->KeySetText(); }

  absl::StatusOr<std::shared_ptr<const platform::Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer,
      const platform::Now& now) override;

  absl::Status CheckStill(const platform::Identity& identity, const platform::Now& now) override;

  Issuer(Options options, std::unique_ptr<platform::SigningKey> key);

 private:
  absl::Status Publish(const platform::Now& now);
  absl::Status CheckNotRefused(const platform::Identity& identity);

  const Options options_;
  const std::unique_ptr<platform::SigningKey> key_;
  platform::JwtAuthenticator tokens_;

  std::atomic<bool> any_refused_ = false;
  platform::Mutex mutex_;
  absl::flat_hash_set<GrantId> refused_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_ISSUER_H_
