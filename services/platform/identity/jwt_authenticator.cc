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
      good_(options_.max_known),
      refused_(options_.max_refused),
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
  if (const auto known = FindKnown(digest, now); known.has_value()) return Answer(*known);

  const std::string source = SourceOfHost(HostOfPeer(peer()));
  KANTOKU_RETURN_IF_ERROR(CheckBudgets(source, now));
  const auto finding = Check(token, now);
  if (finding.ok()) Remember(digest, *finding);
  auto answer = finding.ok() ? Answer(*finding) : finding.status();
  if (answer.ok()) return answer;
  MutexLock lock(mutex_);
  if (ReasonOf(answer.status()) == "INVALID_TOKEN") failures_.Failed(source, now.steady);
  if (absl::IsUnavailable(answer.status())) unknown_keys_.Failed(source, now.steady);
  return answer;
}

absl::StatusOr<std::shared_ptr<const Identity>> JwtAuthenticator::Answer(
    const Finding& finding) const {
  if (finding.verdict == Verdict::kGood) return finding.identity;
  if (finding.verdict == Verdict::kForged) return InvalidToken("its signature is wrong");
  want_keys_(finding.issuer);
  return Error(absl::StatusCode::kUnavailable, "KEYS_UNKNOWN",
               "the keys of the token's issuer are being fetched");
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
  for (Memory* const memory : {&good_, &refused_}) {
    const Finding* const finding = memory->Find(digest);
    if (finding == nullptr) continue;
    if (Holds(*finding, now)) return *finding;
    memory->Forget(digest);
  }
  return std::nullopt;
}

bool JwtAuthenticator::Holds(const Finding& finding, const Now& now) const {
  const Keys& keys = keys_[finding.issuer];
  if (finding.generation != keys.generation) return false;
  switch (finding.verdict) {
    case Verdict::kGood:
      return now.wall < finding.expires && AreOfUse(keys, now);
    case Verdict::kForged:
      return true;
    case Verdict::kNoSuchKey:
      return now.wall < finding.expires && finding.fetched == keys.fetched.steady;
  }
  return false;
}

bool JwtAuthenticator::AreOfUse(const Keys& keys, const Now& now) const {
  return keys.set != nullptr && now.steady - keys.fetched.steady < options_.max_key_age;
}

void JwtAuthenticator::Remember(const Digest& digest, Finding finding) {
  Findings forgotten;
  MutexLock lock(mutex_);
  Memory& memory = finding.verdict == Verdict::kGood ? good_ : refused_;
  forgotten = memory.Remember(digest, std::move(finding));
}

absl::StatusOr<JwtAuthenticator::Finding> JwtAuthenticator::Check(std::string_view text,
                                                                  const Now& now) {
  KANTOKU_ASSIGN_OR_RETURN(const Jwt token, ParseJwt(text));
  const auto rules = std::find_if(
      options_.issuers.begin(), options_.issuers.end(),
      [named = IssuerOf(token)](const IssuerRules& each) { return each.issuer == named; });
  if (rules == options_.issuers.end()) return InvalidToken("iss is not trusted here");
  Finding finding;
  finding.issuer = static_cast<size_t>(rules - options_.issuers.begin());
  KANTOKU_ASSIGN_OR_RETURN(Identity identity, ReadClaims(token, *rules, options_.times, now.wall));
  finding.expires = identity.expires;
  KANTOKU_RETURN_IF_ERROR(CheckSignature(token, now, finding));
  if (finding.verdict == Verdict::kGood) {
    finding.identity = std::make_shared<const Identity>(std::move(identity));
  }
  return finding;
}

absl::Status JwtAuthenticator::CheckSignature(const Jwt& token, const Now& now, Finding& finding) {
  Keys keys;
  {
    MutexLock lock(mutex_);
    keys = keys_[finding.issuer];
  }
  finding.generation = keys.generation;
  finding.fetched = keys.fetched.steady;
  const bool usable = AreOfUse(keys, now);
  const auto answer = usable ? keys.set->Verify(token) : KeySet::Answer::kNoSuchKey;
  if (answer == KeySet::Answer::kNoSuchKey) {
    if (usable && IssuedAt(token) < keys.fetched.wall - options_.key_lag) {
      return InvalidToken("its issuer has no such key");
    }
    finding.verdict = Verdict::kNoSuchKey;
  } else {
    finding.verdict = answer == KeySet::Answer::kGood ? Verdict::kGood : Verdict::kForged;
  }
  return absl::OkStatus();
}

const JwtAuthenticator::Finding* JwtAuthenticator::Memory::Find(const Digest& digest) {
  const auto recent = recent_.find(digest);
  if (recent != recent_.end()) return &recent->second;
  const auto older = older_.find(digest);
  if (older == older_.end()) return nullptr;
  if (recent_.size() >= max_ / 2) return &older->second;  // The bound is for those in use, too.
  Finding& moved = recent_[digest] = std::move(older->second);
  older_.erase(older);
  return &moved;
}

void JwtAuthenticator::Memory::Forget(const Digest& digest) {
  recent_.erase(digest);
  older_.erase(digest);
}

JwtAuthenticator::Findings JwtAuthenticator::Memory::Remember(const Digest& digest,
                                                              Finding finding) {
  Findings forgotten;
  if (recent_.size() >= max_ / 2) {
    forgotten = std::exchange(older_, std::exchange(recent_, {}));
  }
  recent_[digest] = std::move(finding);
  return forgotten;
}

}  // namespace kantoku::platform
