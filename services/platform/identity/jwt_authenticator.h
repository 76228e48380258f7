#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_AUTHENTICATOR_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_AUTHENTICATOR_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/claims.h"
#include "services/platform/identity/failure_budget.h"
#include "services/platform/identity/key_set.h"
#include "services/platform/mutex.h"

namespace kantoku::platform {

// Takes access tokens that are JWTs of issuers which it knows (RFC 9068).
//
// A token that was found good is known by its SHA-256 until it ends, or its issuer's keys change;
// checking it again takes less than a microsecond. New tokens are checked on the calling thread:
// form, issuer, claims, then the signature, which takes some 20 to 70 microseconds. One that was
// found bad is known, too, for a while. Peers that show many bad ones, or many whose keys nobody
// knows, are told to wait, and so is everybody with a new token while all together show too many;
// who is known is not held up.
//
// Thread-safe.
class JwtAuthenticator final : public Authenticator {
 public:
  struct Options {
    std::vector<IssuerRules> issuers;
    TimeRules times;
    size_t max_known = 100'000;  // Tokens that are remembered, good and bad.
    FailureBudget::Options failures;
    // Of tokens that name keys nobody knows: as many executors as may come back at once.
    FailureBudget::Options unknown_keys = {.of_one = {.per_second = 200, .burst = 20'000},
                                           .of_all = {.per_second = 2'000, .burst = 40'000}};
    // A key may be published so long after the first token that it signed was made; an older token
    // with a key that the set does not have is bad.
    absl::Duration key_lag = absl::Seconds(30);
    // A key set that could not be fetched again for so long counts for nothing.
    absl::Duration max_key_age = absl::Hours(24);
  };
  // Called with the index of an issuer whose keys are to be fetched; must not block. Called often
  // while they are missing.
  using WantKeys = std::function<void(size_t issuer)>;

  JwtAuthenticator(Options options, WantKeys want_keys);
  ~JwtAuthenticator() override;

  // The key set that an issuer publishes at the time `now`, which replaces the one before. Errors
  // as KeySet::Parse; then the one before stays.
  absl::Status SetKeys(size_t issuer, std::string_view text, const Now& now);

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) override;

 private:
  using Digest = std::array<uint8_t, 32>;
  // What was found out about a token, under one generation of its issuer's keys.
  struct Finding {
    std::shared_ptr<const Identity> identity;  // Null when it is not good.
    bool forged = false;                       // Then it is never good under these keys.
    size_t issuer = 0;
    uint64_t generation = 0;
  };
  using Known = absl::flat_hash_map<Digest, Finding>;
  struct Keys {
    std::shared_ptr<const KeySet> set;  // Null: none were fetched yet.
    Now fetched;
    uint64_t generation = 0;  // Changes so far.
  };

  std::optional<Finding> FindKnown(const Digest& digest, const Now& now);
  // Fills in issuer and generation, as far as it comes.
  absl::StatusOr<Identity> Check(std::string_view text, const Now& now, Finding& finding);
  absl::Status CheckSignature(const Jwt& token, const Now& now, Finding& finding);
  void Remember(const Digest& digest, Finding finding);
  // OK while this source may show another new token.
  absl::Status CheckBudgets(std::string_view source, const Now& now);

  const Options options_;
  const WantKeys want_keys_;

  Mutex mutex_;
  std::vector<Keys> keys_ ABSL_GUARDED_BY(mutex_);  // By issuer.
  // Those that were asked for lately, and those before: when the first are half of what may be
  // known, they become the second. What nobody asks for so goes after a while.
  Known recent_ ABSL_GUARDED_BY(mutex_);
  Known older_ ABSL_GUARDED_BY(mutex_);
  FailureBudget failures_ ABSL_GUARDED_BY(mutex_);
  FailureBudget unknown_keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_AUTHENTICATOR_H_
