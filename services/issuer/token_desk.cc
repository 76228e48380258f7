#include "services/issuer/token_desk.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "services/issuer/grant_audit.h"
#include "services/platform/auth/secret.h"
#include "services/platform/peer.h"
#include "services/platform/status.h"

namespace kantoku::issuer {

using platform::Error;

void TokenDesk::Exchange(GrantMachine::Exchange exchange, std::string host, Done done) {
  if (!platform::IsSecretText(exchange.secret)) {
    return done(Error(absl::StatusCode::kInvalidArgument, "INVALID_GRANT",
                      "secret: is not 43 characters of base64url"));
  }
  const auto urgency = UrgencyOf(host);
  // Shared, as a command that is not taken is gone.
  const auto answer = std::make_shared<Done>(std::move(done));
  const absl::Status posted = parts_.runner.Post(
      [this, answer, exchange = std::move(exchange),
       host = std::move(host)](platform::Transaction& transaction) {
        parts_.machine.Take(transaction, exchange,
                            [this, answer, id = exchange.id, host, now = transaction.now().wall](
                                const absl::StatusOr<GrantMachine::Changed>& taken) {
                              (*answer)(Answer(taken, id, host, now));
                            });
      },
      urgency);
  if (!posted.ok()) (*answer)(posted);
}

// Urgent: who holds a grant goes on though the disk is full.
platform::PartitionRunner::Urgency TokenDesk::UrgencyOf(std::string_view host) {
  platform::MutexLock lock(mutex_);
  return failures_.HasRoom(platform::SourceOfHost(host), parts_.clock.Read().steady)
             ? platform::PartitionRunner::Urgency::kUrgent
             : platform::PartitionRunner::Urgency::kNormal;
}

absl::StatusOr<TokenDesk::Token> TokenDesk::Answer(
    const absl::StatusOr<GrantMachine::Changed>& taken, GrantId id, const std::string& host,
    absl::Time now) {
  if (absl::IsUnauthenticated(taken.status())) {
    parts_.audit.SayOften(GrantRefused(id, taken.status(), host));
    // Who has a secret that was good once does not guess.
    if (platform::ReasonOf(taken.status()) == "INVALID_GRANT") {
      platform::MutexLock lock(mutex_);
      failures_.Failed(platform::SourceOfHost(host), parts_.clock.Read().steady);
    }
  }
  if (!taken.ok()) return taken.status();
  const Grant& grant = taken->grant;
  if (taken->now) parts_.audit.Say(GrantTaken(grant, host));
  return Token{.access_token = parts_.issuer.TokenOf(grant, now),
               .lifetime = std::min(Issuer::kTokenLifetime, grant.expires - now),
               .scopes = grant.scopes};
}

}  // namespace kantoku::issuer
