#ifndef KANTOKU_SERVICES_ISSUER_GRANT_AUDIT_H_
#define KANTOKU_SERVICES_ISSUER_GRANT_AUDIT_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "services/issuer/grant.h"
#include "services/platform/audit/audit_trail.h"

// What becomes of grants, for the audit trail (services/events/README.md). No secret is in it.
namespace kantoku::issuer {

// Who did something, and how.
struct Act {
  std::string_view by;     // The user.
  std::string_view why{};  // As he said; may be empty.
  std::string_view peer;   // The host that the call came from.
};

// In the namespace of the grant, where it names one alone.
platform::AuditEvent GrantCreated(const Grant& grant, const Act& act);
// `first` is false when it was revoked before.
platform::AuditEvent GrantRevoked(const Grant& grant, bool first, const Act& act);

// Somebody at `peer` came first with the secret.
platform::AuditEvent GrantTaken(const Grant& grant, std::string_view peer);

// The grant was not exchanged for a token, as `why` says.
platform::AuditEvent GrantRefused(GrantId id, const absl::Status& why, std::string_view peer);

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_GRANT_AUDIT_H_
