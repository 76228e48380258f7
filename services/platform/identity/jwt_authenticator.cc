#include "services/platform/identity/jwt_authenticator.h"

#include <openssl/evp.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/peer.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Fetched once: looking it up takes longer than the digest itself.
std::array<uint8_t, 32> Sha256(std::string_view text) {
  static const EVP_MD* const kAlgorithm = ::EVP_MD_fetch(nullptr, "SHA256", nullptr);
  std::array<uint8_t, 32> digest;
  KANTOKU_CHECK(
      ::EVP_Digest(text.data(), text.size(), digest.data(), nullptr, kAlgorithm, nullptr) == 1);
  return digest;
}

}  // namespace

JwtAuthenticator::JwtAuthenticator(Options options, WantKeys want_keys)
    : options_(std::move(options)),
      want_keys_(std::move(want_keys)),
      keys_(options_.issuers.size()),
      failures_(options_.failures),
      unknown_keys_(options_.unknown_keys) {}

JwtAuthenticator::~JwtAuthenticator() = default;

absl::Status JwtAuthenticator::SetKeys(size_t issuer, std::string_view text, const Now& now) {
  KANTOKU_ASSIGN_OR_RETURN(KeySet set, KeySet::Parse(text));
  MutexLock lock(mutex_);
  Keys& keys = keys_[issuer];
  keys.fetched = now;
  if (keys.set != nullptr && keys.set->IsSameAs(set)) return absl::OkStatus();
  keys.set = std::make_shared<const KeySet>(std::move(set));
  ++keys.generation;  // Whoever comes again is checked again.
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Identity>> JwtAuthenticator::Authenticate(
    std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) {
  if (token.empty()) {
    return Error(absl::StatusCode::kUnauthenticated, "NO_TOKEN", "the call shows no access token");
  }
  const Digest digest = Sha256(token);
  if (const auto known = FindKnown(digest, now); known.has_value()) {
    if (known->forged) return InvalidToken("its signature is wrong");
    return known->identity;
  }

  const std::string source = HostOfPeer(peer());
  KANTOKU_RETURN_IF_ERROR(CheckBudgets(source, now));
  Finding finding;
  auto identity = Check(token, now, finding);
  if (identity.ok()) {
    finding.identity = std::make_shared<const Identity>(*std::move(identity));
    Remember(digest, finding);
    return finding.identity;
  }
  if (finding.forged) Remember(digest, std::move(finding));
  MutexLock lock(mutex_);
  if (ReasonOf(identity.status()) == "INVALID_TOKEN") failures_.Failed(source, now.steady);
  if (absl::IsUnavailable(identity.status())) unknown_keys_.Failed(source, now.steady);
  return identity.status();
}

absl::Status JwtAuthenticator::CheckBudgets(std::string_view source, const Now& now) {
  MutexLock lock(mutex_);
  if (failures_.HasRoom(source, now.steady) && unknown_keys_.HasRoom(source, now.steady)) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_BAD_TOKENS",
               "too many access tokens from there were refused; try again later");
}

std::optional<JwtAuthenticator::Finding> JwtAuthenticator::FindKnown(const Digest& digest,
                                                                     const Now& now) {
  MutexLock lock(mutex_);
  auto found = recent_.find(digest);
  if (found == recent_.end()) {
    const auto older = older_.find(digest);
    if (older == older_.end()) return std::nullopt;
    found = recent_.emplace(digest, std::move(older->second)).first;
    older_.erase(older);
  }
  const Finding& finding = found->second;
  const bool holds = finding.generation == keys_[finding.issuer].generation &&
                     (finding.forged || now.wall < finding.identity->expires);
  if (holds) return finding;
  recent_.erase(found);
  return std::nullopt;
}

void JwtAuthenticator::Remember(const Digest& digest, Finding finding) {
  Known dropped;  // Let go without the lock, which every call takes.
  MutexLock lock(mutex_);
  if (recent_.size() >= options_.max_known / 2) {
    dropped = std::exchange(older_, std::exchange(recent_, {}));
  }
  recent_[digest] = std::move(finding);
}

absl::StatusOr<Identity> JwtAuthenticator::Check(std::string_view text, const Now& now,
                                                 Finding& finding) {
  KANTOKU_ASSIGN_OR_RETURN(const Jwt token, ParseJwt(text));
  const auto rules = std::find_if(
      options_.issuers.begin(), options_.issuers.end(),
      [named = IssuerOf(token)](const IssuerRules& each) { return each.issuer == named; });
  if (rules == options_.issuers.end()) return InvalidToken("iss is not trusted here");
  finding.issuer = static_cast<size_t>(rules - options_.issuers.begin());
  KANTOKU_ASSIGN_OR_RETURN(Identity identity, ReadClaims(token, *rules, options_.times, now.wall));
  KANTOKU_RETURN_IF_ERROR(CheckSignature(token, now, finding));
  return identity;
}

absl::Status JwtAuthenticator::CheckSignature(const Jwt& token, const Now& now, Finding& finding) {
  Keys keys;
  {
    MutexLock lock(mutex_);
    keys = keys_[finding.issuer];
  }
  finding.generation = keys.generation;
  const bool usable =
      keys.set != nullptr && now.steady - keys.fetched.steady < options_.max_key_age;
  const auto answer = usable ? keys.set->Verify(token) : KeySet::Answer::kNoSuchKey;
  if (answer == KeySet::Answer::kGood) return absl::OkStatus();
  if (answer == KeySet::Answer::kBad) {
    finding.forged = true;
    return InvalidToken("its signature is wrong");
  }
  if (usable && IssuedAt(token) < keys.fetched.wall - options_.key_lag) {
    return InvalidToken("its issuer has no such key");
  }
  want_keys_(finding.issuer);
  return Error(absl::StatusCode::kUnavailable, "KEYS_UNKNOWN",
               "the keys of the token's issuer are being fetched");
}

}  // namespace kantoku::platform
