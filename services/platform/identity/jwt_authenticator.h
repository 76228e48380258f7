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
// found bad is known, too, for a while, and so is one that names a key which is not there, until
// keys are fetched again: showing it once more costs its peer nothing. These have a memory of their
// own, so that however many there are, no good one is forgotten. Peers that show many bad ones, or
// many whose keys nobody knows, are told to wait, and so is everybody with a new token while all
// together show too many; who is known is not held up.
//
// Thread-safe.
class JwtAuthenticator final : public Authenticator {
 public:
  struct Options {
    std::vector<IssuerRules> issuers;
    TimeRules times;
    size_t max_known = 100'000;   // Good tokens that are remembered,
    size_t max_refused = 40'000;  // and others.
    FailureBudget::Options failures;
    // Of tokens that name keys nobody knows: as many executors as may come back at once.
    FailureBudget::Options unknown_keys = {.of_one = {.per_second = 200, .burst = 20'000},
                                           .of_all = {.per_second = 2'000, .burst = 40'000}};
    // A key may be published so long after the first token that it signed was made; an older token
    // with a key that the set does not have is bad.
    absl::Duration key_lag = absl::Seconds(30);
    // A key set that could not be fetched again for so long counts for nothing, nor does what was
    // found out with it.
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
  enum class Verdict : uint8_t { kGood, kForged, kNoSuchKey };
  // What was found out about a token, with one set of its issuer's keys.
  struct Finding {
    Verdict verdict = Verdict::kForged;
    std::shared_ptr<const Identity> identity;  // When it is good.
    absl::Time expires;                        // When it would be.
    size_t issuer = 0;
    uint64_t generation = 0;
    absl::Duration fetched;  // The set, last; steady.
  };
  using Findings = absl::flat_hash_map<Digest, Finding>;
  struct Keys {
    std::shared_ptr<const KeySet> set;  // Null: none were fetched yet.
    Now fetched;
    uint64_t generation = 0;  // Changes so far.
  };
  // Findings about so many tokens at most, in two halves: those that were asked for lately, and
  // those before. When the first is full and another comes, it becomes the second: what nobody asks
  // for goes after a while.
  class Memory {
   public:
    explicit Memory(size_t max) : max_(max) {}

    const Finding* Find(const Digest& digest);  // Null: there is none. Until the next call.
    void Forget(const Digest& digest);
    // What it returns is forgotten, and to be let go without the lock, which every call takes.
    Findings Remember(const Digest& digest, Finding finding);

   private:
    const size_t max_;
    Findings recent_;
    Findings older_;
  };

  std::optional<Finding> FindKnown(const Digest& digest, const Now& now);
  bool Holds(const Finding& finding, const Now& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool AreOfUse(const Keys& keys, const Now& now) const;
  // As Authenticate, of a token that this was found out about.
  absl::StatusOr<std::shared_ptr<const Identity>> Answer(const Finding& finding) const;
  // An error is nothing to remember.
  absl::StatusOr<Finding> Check(std::string_view text, const Now& now);
  absl::Status CheckSignature(const Jwt& token, const Now& now, Finding& finding);
  void Remember(const Digest& digest, Finding finding);
  // OK while this source may show another new token.
  absl::Status CheckBudgets(std::string_view source, const Now& now);

  const Options options_;
  const WantKeys want_keys_;

  Mutex mutex_;
  std::vector<Keys> keys_ ABSL_GUARDED_BY(mutex_);  // By issuer.
  Memory good_ ABSL_GUARDED_BY(mutex_);
  Memory refused_ ABSL_GUARDED_BY(mutex_);
  FailureBudget failures_ ABSL_GUARDED_BY(mutex_);
  FailureBudget unknown_keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_JWT_AUTHENTICATOR_H_
