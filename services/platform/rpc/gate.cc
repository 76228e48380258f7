#include "services/platform/rpc/gate.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr char kAuthorization[] = "authorization";
constexpr absl::string_view kScheme = "bearer ";
// How long a stream outlives its token: who looks after that by itself, as Pull does, is first.
constexpr absl::Duration kStreamGrace = absl::Seconds(5);

// Empty where there is none.
absl::StatusOr<std::string_view> TokenOf(const grpc::ServerContextBase& call) {
  const auto& metadata = call.client_metadata();
  const auto [entry, end] = metadata.equal_range(kAuthorization);
  if (entry == end) return std::string_view();
  if (std::next(entry) != end) {
    return Error(absl::StatusCode::kUnauthenticated, "INVALID_TOKEN",
                 "the call shows more than one access token");
  }
  std::string_view shown(entry->second.data(), entry->second.size());
  if (!absl::StartsWithIgnoreCase(ToAbsl(shown), kScheme)) return std::string_view();
  shown.remove_prefix(kScheme.size());
  return shown;
}

absl::Status NotAService() {
  return Error(absl::StatusCode::kPermissionDenied, "NOT_A_SERVICE",
               "only services may call this, and the call shows no service identity");
}

absl::Status ScopeMissing(const Right& right) {
  std::string names;
  for (const Verb verb : right.verbs) {
    absl::StrAppend(&names, names.empty() ? "" : " or ", ToAbsl(NameOf(verb)));
  }
  return Error(absl::StatusCode::kPermissionDenied, "SCOPE_MISSING",
               absl::StrCat("the access token does not allow ", names));
}

}  // namespace

Admitted Gate::Admit(const grpc::ServerContextBase& call, std::string_view method,
                     const Right& right) const {
  Admitted admitted = Ask(call, right);
  if (!admitted.ok() && calls_ != nullptr) {
    CallMonitor::Method& counted = calls_->MethodOf(method);
    counted.Ended(counted.Begin(), admitted.status());
  }
  return admitted;
}

void Gate::Watch(Call& call) const {
  MutexLock lock(mutex_);
  watched_.insert(&call);
}

void Gate::Forget(Call& call) const {
  MutexLock lock(mutex_);
  watched_.erase(&call);
}

void Gate::EndRefused() const {
  Now now = clock_.Read();
  now.wall -= kStreamGrace;
  MutexLock lock(mutex_);  // So that no call is gone before it is cancelled, which does not block.
  for (Call* const call : watched_) {
    if (!authenticator_.CheckStill(**call->identity(), now).ok()) call->TryCancel();
  }
}

Admitted Gate::Ask(const grpc::ServerContextBase& call, const Right& right) const {
  if (right.anybody) return std::make_shared<const Identity>();
  const Now now = clock_.Read();
  if (right.services) {
    KANTOKU_ASSIGN_OR_RETURN(std::string service, CallingService(call, keys_, now.wall));
    if (!service.empty()) {
      auto identity = std::make_shared<Identity>();
      identity->service = std::move(service);
      return identity;
    }
  }
  if (right.verbs.empty()) return NotAService();
  KANTOKU_ASSIGN_OR_RETURN(const std::string_view token, TokenOf(call));
  KANTOKU_ASSIGN_OR_RETURN(auto identity, authenticator_.Authenticate(
                                              token, [&] { return call.peer(); }, now));
  const auto allows = [&](Verb verb) { return identity->scopes.Allows(verb); };
  if (!std::any_of(right.verbs.begin(), right.verbs.end(), allows)) return ScopeMissing(right);
  return identity;
}

}  // namespace kantoku::platform
