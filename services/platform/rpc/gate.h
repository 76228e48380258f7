#ifndef KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_

#include <grpcpp/server_context.h>

#include <memory>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/identity/identity.h"
#include "services/platform/identity/right.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/call_monitor.h"

namespace kantoku::platform {

// Who makes a call, or why nobody is known or may not.
using Admitted = absl::StatusOr<std::shared_ptr<const Identity>>;

class Call;

// Where every call of a server is asked who makes it and whether that may call the method. What
// else it may do, in which namespace and with whose tasks, is up to the method.
//
// Thread-safe. Everything that it is given outlives it.
class Gate {
 public:
  // Refused calls are counted in `calls`, unless it is null.
  Gate(Authenticator& authenticator, const MacKeys& keys, Clock& clock,
       CallMonitor* calls = nullptr)
      : authenticator_(authenticator), keys_(keys), clock_(clock), calls_(calls) {}

  // A service shows its identity (auth/tokens.h), a user an access token in the metadata entry
  // `authorization`, as `Bearer …` (RFC 6750).
  //
  // PERMISSION_DENIED: NOT_A_SERVICE where only services may call, or what is shown as a service's
  // identity is not genuine; SCOPE_MISSING names what the token has to allow. Else as
  // Authenticator.
  Admitted Admit(const grpc::ServerContextBase& call, std::string_view method,
                 const Right& right) const;

  // From now on, and until Forget, the call is cancelled by EndRefused when whoever makes it is no
  // longer let in. For streams: other calls end by themselves.
  void Watch(Call& call) const;
  void Forget(Call& call) const;

  // Cancels the calls that are watched and whose token has ended some seconds ago, or was revoked:
  // a client makes them again, and is let in with a newer token or told why not. To be called
  // several times a second.
  void EndRefused() const;

 private:
  Admitted Ask(const grpc::ServerContextBase& call, const Right& right) const;

  Authenticator& authenticator_;
  const MacKeys& keys_;
  Clock& clock_;
  CallMonitor* const calls_;

  mutable Mutex mutex_;
  mutable absl::flat_hash_set<Call*> watched_ ABSL_GUARDED_BY(mutex_);
};

// One call of a server.
class Call : public grpc::ServerContext {
 public:
  // Who makes it. An error until the gate was asked.
  const Admitted& identity() const { return identity_; }
  void Admit(const Gate& gate, std::string_view method, const Right& right) {
    identity_ = gate.Admit(*this, method, right);
  }
  // As Gate::Watch, for as long as it lasts. Once.
  void LetWatch(const Gate& gate) {
    watching_ = &gate;
    gate.Watch(*this);
  }

 protected:
  ~Call() override {
    if (watching_ != nullptr) watching_->Forget(*this);
  }

 private:
  Admitted identity_;
  const Gate* watching_ = nullptr;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_GATE_H_
