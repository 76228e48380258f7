#include "services/issuer/grant_audit.h"

#include <utility>

#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

using platform::AuditEvent;

AuditEvent About(std::string type, const Grant& grant, std::string_view peer) {
  AuditEvent event;
  event.type = std::move(type);
  if (grant.namespaces.size() == 1) event.name_space = grant.namespaces.front();
  event.details = {{"grant", ToText(grant.id)},
                   {"user", grant.user},
                   {"app", grant.app},
                   {"peer", std::string(peer)}};
  return event;
}

AuditEvent Done(std::string type, const Grant& grant, const Act& act) {
  AuditEvent event = About(std::move(type), grant, act.peer);
  event.details["by"] = act.by;
  if (!act.why.empty()) event.details["why"] = act.why;
  return event;
}

}  // namespace

AuditEvent GrantCreated(const Grant& grant, const Act& act) {
  AuditEvent event = Done("audit.grant_created", grant, act);
  event.details["scopes"] = absl::StrJoin(grant.scopes, " ");
  event.details["namespaces"] = absl::StrJoin(grant.namespaces, " ");
  event.details["reusable"] = grant.reusable ? "true" : "false";
  event.details["expires"] =
      absl::FormatTime(absl::RFC3339_sec, grant.expires, absl::UTCTimeZone());
  return event;
}

AuditEvent GrantRevoked(const Grant& grant, bool first, const Act& act) {
  AuditEvent event = Done("audit.grant_revoked", grant, act);
  if (!first) event.details["again"] = "true";
  return event;
}

AuditEvent GrantTaken(const Grant& grant, std::string_view peer) {
  return About("audit.grant_taken", grant, peer);
}

AuditEvent GrantRefused(GrantId id, const absl::Status& why, std::string_view peer) {
  AuditEvent event = {.type = "audit.grant_refused",
                      .details = {{"reason", platform::ReasonOf(why)},
                                  {"message", std::string(why.message())},
                                  {"peer", std::string(peer)}}};
  // Else whoever guesses would name as many as he likes.
  if (event.details["reason"] != "INVALID_GRANT") event.details["grant"] = ToText(id);
  return event;
}

}  // namespace kantoku::issuer
