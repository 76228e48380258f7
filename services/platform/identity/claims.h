#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_CLAIMS_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_CLAIMS_H_

#include <bitset>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/identity/identity.h"
#include "services/platform/identity/jwt.h"

namespace kantoku::platform {

// What tokens of one issuer have to say.
struct IssuerRules {
  std::string issuer;                  // `iss`, byte for byte.
  std::vector<std::string> audiences;  // One of them is in `aud`.
  std::bitset<kAlgorithms> algorithms = std::bitset<kAlgorithms>().set();
  // Before each subject and client id, so that two issuers that know the same name mean two users.
  // No prefix of one issuer begins with that of another, but for one issuer without.
  std::string prefix;
  std::vector<std::string> foreign_prefixes;  // Those of the other issuers.
  bool plain_jwt = false;                     // Also `typ` JWT, which RFC 9068 does not allow.
  // Names of claims, where an issuer has its own.
  std::string client_id_claim = "client_id";
  std::string scope_claim = "scope";                    // Words in a text, or an array of words.
  std::string namespaces_claim = "kantoku_namespaces";  // A text, or an array; absent: `default`.
  std::string labels_claim = "kantoku_labels";          // An object of texts.
};

// What holds for the tokens of all issuers.
struct TimeRules {
  absl::Duration leeway = absl::Seconds(30);      // How far clocks may differ.
  absl::Duration max_lifetime = absl::Hours(24);  // From `iat` to `exp`.
};

// The issuer that the token names, before anything is proven; empty where it names none.
std::string IssuerOf(const Jwt& token);

// When it says that it was made; absl::InfinitePast() where it does not.
absl::Time IssuedAt(const Jwt& token);

// Who the bearer is, by the profile of RFC 9068: type, issuer, audience, times, subject, client id;
// with scopes, namespaces and labels as the rules name them. It is for the caller to prove the
// signature. Identity.expires has the leeway in it.
//
// UNAUTHENTICATED: TOKEN_EXPIRED, or INVALID_TOKEN naming the claim that is missing or wrong, and
// nothing of its content.
absl::StatusOr<Identity> ReadClaims(const Jwt& token, const IssuerRules& rules,
                                    const TimeRules& times, absl::Time now);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_CLAIMS_H_
