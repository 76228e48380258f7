#include "services/issuer/issuer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/platform/identity/jwt.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::Identity;

constexpr char kLocal[] = "local";
constexpr absl::Duration kAdministratorTokenLifetime = absl::Hours(24);
constexpr char kSeparator = '.';  // Between the grant and the rest of a token's id.

platform::IssuerRules Rules() {
  platform::IssuerRules rules;
  rules.issuer = kIssuerName;
  rules.audiences = {kAudience};
  rules.algorithms.reset();
  rules.algorithms.set(static_cast<size_t>(platform::Algorithm::kEs256));
  return rules;
}

platform::JwtAuthenticator::Options OptionsOf(const platform::TimeRules& times) {
  platform::JwtAuthenticator::Options options;
  options.issuers.push_back(Rules());
  options.times = times;
  // Its keys are those of this very process: they do not age, and none comes later.
  options.max_key_age = absl::InfiniteDuration();
  options.key_lag = -absl::InfiniteDuration();
  return options;
}

nlohmann::json ClaimsOf(std::string_view user, std::string_view app, absl::Time now,
                        absl::Time expires) {
  return {{"iss", kIssuerName},
          {"aud", kAudience},
          {"sub", user},
          {"client_id", app},
          {"iat", absl::ToUnixSeconds(now)},
          {"exp", absl::ToUnixSeconds(expires)}};
}

}  // namespace

Issuer::Issuer(Options options, std::unique_ptr<platform::SigningKey> key)
    : options_(std::move(options)),
      key_(std::move(key)),
      tokens_(OptionsOf(options_.times), [](size_t) {}) {}

absl::StatusOr<std::shared_ptr<Issuer>> Issuer::Open(Options options, platform::Clock& clock) {
  KANTOKU_ASSIGN_OR_RETURN(auto key, platform::SigningKey::LoadOrCreate(options.key_file));
  auto issuer = std::make_shared<Issuer>(std::move(options), std::move(key));
  KANTOKU_RETURN_IF_ERROR(issuer->Publish(clock.Read()));
  return issuer;
}

absl::Status Issuer::Publish(const platform::Now& now) {
  return tokens_.SetKeys(0, key_->KeySetText(), now);
}

std::string Issuer::TokenOf(const Grant& grant, absl::Time now) const {
  auto claims = ClaimsOf(grant.user, grant.app, now, std::min(now + kTokenLifetime, grant.expires));
  claims["scope"] = absl::StrJoin(grant.scopes, " ");
  claims["kantoku_namespaces"] = grant.namespaces;
  if (!grant.labels.empty()) claims["kantoku_labels"] = grant.labels;
  claims["jti"] = absl::StrCat(ToText(grant.id), std::string(1, kSeparator),
                               absl::Hex(options_.random(), absl::kZeroPad16));
  return key_->Sign(claims);
}

absl::Status Issuer::Check(const Grant& grant, absl::Time now) const {
  absl::Status taken;
  if (const auto token = platform::ParseJwt(TokenOf(grant, now)); !token.ok()) {
    taken = token.status();
  } else {
    taken = platform::ReadClaims(*token, Rules(), options_.times, now).status();
  }
  if (taken.ok()) return taken;
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_GRANT",
                         absl::StrCat("its tokens would not be taken: ", taken.message()));
}

std::string Issuer::AdministratorToken(absl::Time now) {
  auto claims = ClaimsOf(kLocal, kLocal, now, now + kAdministratorTokenLifetime);
  claims["scope"] = platform::NameOf(platform::Verb::kAdmin);
  claims["kantoku_namespaces"] = platform::kEveryNamespace;
  claims["jti"] = absl::StrCat(kLocal, std::string(1, kSeparator),
                               absl::Hex(options_.random(), absl::kZeroPad16));
  return key_->Sign(claims);
}

void Issuer::Refuse(GrantId grant) {
  platform::MutexLock lock(mutex_);
  refused_.insert(grant);
  any_refused_ = true;
}

absl::Status Issuer::CheckNotRefused(const Identity& identity) {
  if (!any_refused_) return absl::OkStatus();
  const std::string_view token_id = identity.token_id;
  const auto grant = GrantIdOf(token_id.substr(0, token_id.find(kSeparator)));
  if (!grant.has_value()) return absl::OkStatus();
  platform::MutexLock lock(mutex_);
  if (!refused_.contains(*grant)) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kUnauthenticated, "TOKEN_REVOKED",
                         "the grant of the access token was revoked");
}

absl::Status Issuer::CheckStill(const Identity& identity, const platform::Now& now) {
  KANTOKU_RETURN_IF_ERROR(CheckNotRefused(identity));
  return OwnIssuer::CheckStill(identity, now);
}

absl::StatusOr<std::shared_ptr<const Identity>> Issuer::Authenticate(
    std::string_view token, absl::FunctionRef<std::string()> peer, const platform::Now& now) {
  KANTOKU_ASSIGN_OR_RETURN(auto identity, tokens_.Authenticate(token, peer, now));
  KANTOKU_RETURN_IF_ERROR(CheckNotRefused(*identity));
  return identity;
}

}  // namespace kantoku::issuer
