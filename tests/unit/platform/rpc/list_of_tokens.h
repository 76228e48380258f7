#ifndef KANTOKU_TESTS_UNIT_PLATFORM_RPC_LIST_OF_TOKENS_H_
#define KANTOKU_TESTS_UNIT_PLATFORM_RPC_LIST_OF_TOKENS_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/platform/audit/audit_trail.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/status.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {

// Knows tokens by their text.
class ListOfTokens final : public Authenticator {
 public:
  // `token` is good for this scope.
  void Add(const std::string& token, std::string_view scope,
           absl::Time expires = absl::InfiniteFuture()) {
    auto identity = std::make_shared<Identity>();
    identity->subject = "anna";
    identity->client_id = "laptop";
    identity->scopes = Scopes::Parse(scope);
    identity->token_id = token;
    identity->expires = expires;
    identities_[token] = std::move(identity);
  }

  absl::StatusOr<std::shared_ptr<const Identity>> Authenticate(
      std::string_view token, absl::FunctionRef<std::string()> peer, const Now& now) override {
    const auto found = identities_.find(token);
    if (found != identities_.end()) {
      KANTOKU_RETURN_IF_ERROR(Authenticator::CheckStill(*found->second, now));
      return found->second;
    }
    return Error(absl::StatusCode::kUnauthenticated, token.empty() ? "NO_TOKEN" : "INVALID_TOKEN",
                 "not known, from " + peer());
  }

  void Revoke(const std::string& token) { revoked_ = token; }
  absl::Status CheckStill(const Identity& identity, const Now& now) override {
    if (identity.token_id == revoked_) {
      return Error(absl::StatusCode::kUnauthenticated, "TOKEN_REVOKED", "revoked");
    }
    return Authenticator::CheckStill(identity, now);
  }

 private:
  std::map<std::string, std::shared_ptr<const Identity>, std::less<>> identities_;
  std::string revoked_ = "none";
};

// Keeps what is said.
class ListOfEvents final : public AuditTrail {
 public:
  void Say(AuditEvent event) override { SayOften(std::move(event)); }
  void SayOften(AuditEvent event) override {
    all.Update([&](auto& events) { events.push_back(std::move(event)); });
  }

  Awaited<std::vector<AuditEvent>> all;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_UNIT_PLATFORM_RPC_LIST_OF_TOKENS_H_
