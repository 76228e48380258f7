#ifndef KANTOKU_SERVICES_ISSUER_TOKEN_DESK_H_
#define KANTOKU_SERVICES_ISSUER_TOKEN_DESK_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/issuer/grant_machine.h"
#include "services/issuer/issuer.h"
#include "services/platform/audit/audit_trail.h"
#include "services/platform/clock.h"
#include "services/platform/identity/failure_budget.h"
#include "services/platform/mutex.h"
#include "services/platform/partition/partition_runner.h"

namespace kantoku::issuer {

// Gives access tokens for secrets of grants, however one asks. What is refused, and who takes a
// grant, is in the audit trail.
//
// Thread-safe. Never blocks. Everything it is made from outlives it.
class TokenDesk {
 public:
  struct Parts {
    platform::PartitionRunner& runner;
    GrantMachine& machine;
    Issuer& issuer;
    platform::Clock& clock;
    platform::AuditTrail& audit;
  };
  struct Token {
    std::string access_token;
    absl::Duration lifetime;
    std::vector<std::string> scopes;
  };
  // Called once, on any thread and perhaps before Exchange returns.
  using Done = absl::AnyInvocable<void(absl::StatusOr<Token>)>;

  explicit TokenDesk(const Parts& parts) : parts_(parts), failures_({}) {}

  // `host` is where who asks is: one that has shown many wrong secrets lately waits behind those
  // that have not, and is told RESOURCE_EXHAUSTED when there are too many, but each secret is
  // looked at: nobody guesses one, and nobody can keep others from theirs. Errors as
  // GrantMachine::Take; INVALID_ARGUMENT, INVALID_GRANT when `secret` has not the form of one.
  // UNAVAILABLE, or as the store says: repeat.
  void Exchange(GrantMachine::Exchange exchange, std::string host, Done done);

 private:
  platform::PartitionRunner::Urgency UrgencyOf(std::string_view host);
  absl::StatusOr<Token> Answer(const absl::StatusOr<GrantMachine::Changed>& taken, GrantId id,
                               const std::string& host, absl::Time now);

  const Parts parts_;
  platform::Mutex mutex_;
  platform::FailureBudget failures_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_TOKEN_DESK_H_
