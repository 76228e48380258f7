#include "services/platform/rpc/gate.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/identity/bearer.h"
#include "services/platform/peer.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr char kAuthorization[] = "authorization";

// Empty where there is none.
absl::StatusOr<std::string_view> TokenOf(const grpc::ServerContextBase& call) {
  const auto& metadata = call.client_metadata();
  const auto [entry, end] = metadata.equal_range(kAuthorization);
  if (entry == end) return std::string_view();
  if (std::next(entry) != end) {
    return Error(absl::StatusCode::kUnauthenticated, "INVALID_TOKEN",
                 "the call shows more than one access token");
  }
  return BearerOf({entry->second.data(), entry->second.size()});
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
                     const Right& right, std::shared_ptr<const Identity>& bearer) const {
  Admitted admitted = Ask(call, right, bearer);
  if (!admitted.ok() && calls_ != nullptr) {
    CallMonitor::Method& counted = calls_->MethodOf(method);
    counted.Ended(counted.Begin(), admitted.status());
  }
  return admitted;
}

std::optional<uint32_t> Gate::ForwardedTo(const grpc::ServerContextBase& call) const {
  if (call.client_metadata().count(kForwardedMetadataKey) == 0) return std::nullopt;
  return platform::ForwardedTo(call, keys_, clock_.Read().wall);
}

void Gate::NoteRefusal(const grpc::ServerContextBase& call, std::string_view method,
                       const Identity* bearer, const absl::Status& status) const {
  if (audit_ == nullptr || !IsRefusal(status)) return;
  AuditEvent event = {.type = "audit.refused",
                      .details = {{"method", std::string(method)},
                                  {"reason", ReasonOf(status)},
                                  {"peer", HostOfPeer(call.peer())},
                                  {"message", std::string(status.message())}}};
  const auto add = [&](const char* name, const std::string& value) {
    if (!value.empty()) event.details[name] = value;
  };
  if (bearer != nullptr) {
    add("user", bearer->subject);
    add("app", bearer->client_id);
    add("service", bearer->service);
  }
  audit_->SayOften(std::move(event));
}

std::shared_ptr<StreamWatch> Gate::Watch(StreamWatch::Stream& stream,
                                         std::shared_ptr<const Identity> identity) const {
  auto watch = std::make_shared<StreamWatch>(stream, std::move(identity), clock_.Read());
  MutexLock lock(mutex_);
  watches_.push_back(watch);
  return watch;
}

absl::Status Gate::Renew(StreamWatch& watch, const grpc::ServerContextBase& call,
                         std::string_view token) const {
  return watch.Show(
      token, [&] { return call.peer(); }, authenticator_, clock_.Read());
}

void Gate::LookAfterStreams() const {
  const Now now = clock_.Read();
  // Not one after the other under the lock: whoever opens a stream waits for that.
  std::vector<std::shared_ptr<StreamWatch>> watches;
  {
    MutexLock lock(mutex_);
    watches.reserve(watches_.size());
    std::erase_if(watches_, [&](const std::weak_ptr<StreamWatch>& weak) {
      auto watch = weak.lock();
      const bool gone = watch == nullptr;
      if (!gone) watches.push_back(std::move(watch));
      return gone;
    });
  }
  for (const auto& watch : watches) watch->Look(authenticator_, now);
}

Admitted Gate::Ask(const grpc::ServerContextBase& call, const Right& right,
                   std::shared_ptr<const Identity>& bearer) const {
  if (right.anybody) return std::make_shared<const Identity>();
  const Now now = clock_.Read();
  if (right.services) {
    KANTOKU_ASSIGN_OR_RETURN(std::string service, CallingService(call, keys_, now.wall));
    if (!service.empty()) {
      auto identity = std::make_shared<Identity>();
      identity->service = std::move(service);
      bearer = std::move(identity);
      return bearer;
    }
  }
  if (right.verbs.empty()) return NotAService();
  KANTOKU_ASSIGN_OR_RETURN(bearer, Bearer(call, now));
  const auto allows = [&](Verb verb) { return bearer->scopes.Allows(verb); };
  // What is open to whoever may do something is not open to handlers, who may do one thing.
  const bool admitted = bearer->handler.has_value()
                            ? std::all_of(right.verbs.begin(), right.verbs.end(), allows)
                            : std::any_of(right.verbs.begin(), right.verbs.end(), allows);
  if (!admitted) return ScopeMissing(right);
  return bearer;
}

// A task token is told from others by how it begins, and by the MAC keys: nothing of the
// authenticator is used up by it, be it good or bad, and nobody is held up by who tries many.
Admitted Gate::Bearer(const grpc::ServerContextBase& call, const Now& now) const {
  KANTOKU_ASSIGN_OR_RETURN(const std::string_view token, TokenOf(call));
  if (!IsTaskToken(token)) {
    return authenticator_.Authenticate(
        token, [&] { return call.peer(); }, now);
  }
  KANTOKU_ASSIGN_OR_RETURN(Lease opened, OpenTaskToken(keys_, token, now.wall));
  auto identity = std::make_shared<const Identity>(HandlerOf(std::move(opened)));
  KANTOKU_RETURN_IF_ERROR(authenticator_.CheckStill(*identity, now));  // In its owner's name.
  return identity;
}

}  // namespace kantoku::platform
