#ifndef KANTOKU_SERVICES_PLATFORM_AUDIT_AUDIT_TRAIL_H_
#define KANTOKU_SERVICES_PLATFORM_AUDIT_AUDIT_TRAIL_H_

#include <map>
#include <string>

#include "services/platform/identity/identity.h"

namespace kantoku::platform {

// What an administrator may want to know afterwards: who did what, or was refused what, and why.
struct AuditEvent {
  std::string type;                            // "audit.refused"; services/events/README.md.
  std::string name_space = kEveryNamespace;    // Which it is about; that: the installation.
  std::map<std::string, std::string> details;  // Never a token or a secret.
};

// Where those are said that do not come from a commit of a partition.
//
// Thread-safe. Never blocks: what cannot be kept is counted, and lost.
class AuditTrail {
 public:
  virtual ~AuditTrail() = default;

  virtual void Say(AuditEvent event) = 0;

  // For what strangers bring about as often as they like. What differs from an earlier one by more
  // than its `message` is said at once. Repeats are counted, and said once a minute, with their
  // number as `count`.
  virtual void SayOften(AuditEvent event) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUDIT_AUDIT_TRAIL_H_
