#ifndef KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_

#include <grpcpp/server_context.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/audit/audit_trail.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/identity.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/identity/right.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/stream_watch.h"

namespace kantoku::platform {

// Who makes a call, or why nobody is known or may not.
using Admitted = absl::StatusOr<std::shared_ptr<const Identity>>;

// Where every call of a server is asked who makes it and whether that may call the method. What
// else it may do, in which namespace and with whose tasks, is up to the method.
//
// Thread-safe. Everything that it is given outlives it.
class Gate {
 public:
  // Refused calls are counted in `calls` and said in `audit`, unless these are null.
  Gate(Authenticator& authenticator, const MacKeys& keys, Clock& clock,
       CallMonitor* calls = nullptr, AuditTrail* audit = nullptr)
      : authenticator_(authenticator), keys_(keys), clock_(clock), calls_(calls), audit_(audit) {}

  // A service shows its identity (auth/tokens.h), a user an access token in the metadata entry
  // `authorization`, as `Bearer …` (RFC 6750), and a handler its task token in the same place.
  //
  // PERMISSION_DENIED: NOT_A_SERVICE where only services may call, or what is shown as a service's
  // identity is not genuine; SCOPE_MISSING names what the token has to allow, and `bearer` is whose
  // it is. Else as OpenTaskToken or Authenticator.
  Admitted Admit(const grpc::ServerContextBase& call, std::string_view method, const Right& right,
                 std::shared_ptr<const Identity>& bearer) const;

  // For which partition a replica of ours has forwarded the call here; empty: none has, or nothing
  // genuine says so.
  std::optional<uint32_t> ForwardedTo(const grpc::ServerContextBase& call) const;

  // Says in the audit trail that a call, or an item of it, comes to `status`, if that is a refusal:
  // here, or deeper, for what the call is about.
  void NoteRefusal(const grpc::ServerContextBase& call, std::string_view method,
                   const Identity* bearer, const absl::Status& status) const;

  // From now on, and until the watch is told to forget it, LookAfterStreams looks after the stream.
  // For calls that last: others end by themselves.
  std::shared_ptr<StreamWatch> Watch(StreamWatch::Stream& stream,
                                     std::shared_ptr<const Identity> identity) const;

  // A stream that is watched shows another token within itself. It is looked at as one that comes
  // with a call, budgets for bad ones included, and takes the place of the one before, now or when
  // LookAfterStreams comes to find it good. Errors as StreamWatch::Show.
  absl::Status Renew(StreamWatch& watch, const grpc::ServerContextBase& call,
                     std::string_view token) const;

  // A stream that is watched is ending: as StreamWatch::EndSoon.
  void EndSoon(StreamWatch& watch) const { watch.EndSoon(clock_.Read()); }

  // Asks streams for newer tokens, and ends those whose caller is let in no more, with the status
  // that says why. To be called several times a second, by one thread. Calls do not wait for it.
  void LookAfterStreams() const;

 private:
  Admitted Ask(const grpc::ServerContextBase& call, const Right& right,
               std::shared_ptr<const Identity>& bearer) const;
  // Who bears the token that the call shows.
  Admitted Bearer(const grpc::ServerContextBase& call, const Now& now) const;

  Authenticator& authenticator_;
  const MacKeys& keys_;
  Clock& clock_;
  CallMonitor* const calls_;
  AuditTrail* const audit_;

  mutable Mutex mutex_;
  // Those that are gone are let go by the next look.
  mutable std::vector<std::weak_ptr<StreamWatch>> watches_ ABSL_GUARDED_BY(mutex_);
};

// One call of a server.
class Call : public grpc::ServerContext {
 public:
  // Who makes it. An error until the gate was asked. Newer tokens that a stream shows say the same,
  // but for their ids and times, which the gate keeps.
  const Admitted& identity() const { return identity_; }
  // As Gate::ForwardedTo, once the gate was asked.
  std::optional<uint32_t> forwarded_to() const { return forwarded_to_; }
  // `method` outlives the call.
  void Admit(const Gate& gate, std::string_view method, const Right& right) {
    identity_ = gate.Admit(*this, method, right, bearer_);
    forwarded_to_ = gate.ForwardedTo(*this);
    // What anybody may call says by itself what it refuses, and why.
    if (right.anybody) return;
    audited_by_ = &gate;
    method_ = method;
  }
  // As Gate::NoteRefusal. Of what the call ends with it is said by itself. Not after the call is
  // finished.
  void NoteRefusal(const absl::Status& status) const {
    if (audited_by_ != nullptr) audited_by_->NoteRefusal(*this, method_, bearer_.get(), status);
  }
  // Of a batch that has an answer for each item: the first of them that is refused is said.
  // `status_of(item)` is its status.
  template <typename Items, typename StatusOf>
  void NoteRefusedItem(const Items& items, StatusOf status_of) const {
    for (const auto& item : items) {
      const absl::Status& status = std::invoke(status_of, item);
      if (IsRefusal(status)) return NoteRefusal(status);
    }
  }

 protected:
  ~Call() override = default;

 private:
  Admitted identity_;
  std::optional<uint32_t> forwarded_to_;
  std::shared_ptr<const Identity> bearer_;  // Who it is, also where that may not; null: nobody.
  const Gate* audited_by_ = nullptr;
  std::string_view method_;  // With audited_by_.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_
