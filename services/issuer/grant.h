#ifndef KANTOKU_SERVICES_ISSUER_GRANT_H_
#define KANTOKU_SERVICES_ISSUER_GRANT_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/secret.h"

namespace kantoku::issuer {

// Names a grant: 63 random bits, written as 16 hexadecimal digits.
using GrantId = uint64_t;

std::string ToText(GrantId id);
std::optional<GrantId> GrantIdOf(std::string_view text);

// Who somebody is and what that may do (kantoku/auth/v1/grants.proto).
struct Grant {
  GrantId id = 0;
  std::string user;
  std::string app;
  std::vector<std::string> scopes;
  std::vector<std::string> namespaces;
  std::map<std::string, std::string> labels;  // Without `trusted/`.
  bool reusable = false;
  std::string created_by;
  absl::Time created;
  absl::Time expires;
  std::optional<absl::Time> taken;  // When it was bound to a holder.
  std::optional<absl::Time> revoked;
  platform::SecretDigest secret{};
  platform::SecretDigest holder_secret{};  // Once it is taken.
};

// The record of a grant, and back. DATA_LOSS when it is not whole.
std::string EncodeGrant(const Grant& grant);
absl::StatusOr<Grant> DecodeGrant(GrantId id, std::string_view record);

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_GRANT_H_
