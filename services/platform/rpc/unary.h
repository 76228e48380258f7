#ifndef KANTOKU_SERVICES_PLATFORM_RPC_UNARY_H_
#define KANTOKU_SERVICES_PLATFORM_RPC_UNARY_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/rpc/call_monitor.h"
#include "services/platform/rpc/gate.h"
#include "services/platform/rpc/unary_call.h"

namespace kantoku::platform {

// Answers one unary call. To be called once, at any time, from any thread; the request and the
// response of the call live until then. When it is dropped without having been called, the call
// ends with INTERNAL, NO_REPLY.
//
// Thread-compatible. Moves.
class Reply {
 public:
  Reply(UnaryCall* call, CallMonitor::Method& method);
  Reply(Reply&& other) noexcept;
  Reply& operator=(Reply&&) = delete;
  ~Reply();

  // With OK the response goes out as it is now. Touch neither it nor the request afterwards. The
  // fence of a store (ABORTED, STORE_FENCED) is told as UNAVAILABLE, NOT_OWNER: a repeat meets
  // whoever has set it, and may find it done.
  void operator()(const absl::Status& status);

 private:
  UnaryCall* call_;  // Null once the call is answered.
  CallMonitor::Method* method_;
  absl::Duration begin_;
};

// Who calls, or why the call is refused before anything is done: what the gate said, deadline over.
Admitted AdmitCall(const Call& call);

// What every unary method shares: admission, metrics, logging, conversion of the status. A method
// of a service is then
//
//   HandleUnary(call, spawn_, [&](const Identity& caller, Reply reply) {
//     engine_.Spawn(Decode(*request), [response, reply = std::move(reply)](auto result) mutable {
//       Encode(result, *response);
//       reply(result.status());
//     });
//   });
//
// `handler` takes a `const Identity&`, which lives as long as the call, and a `Reply`.
template <typename Handler>
void HandleUnary(UnaryCall* call, CallMonitor::Method& method, Handler&& handler) {
  Reply reply(call, method);
  if (const auto caller = AdmitCall(*call); caller.ok()) {
    std::forward<Handler>(handler)(**caller, std::move(reply));
  } else {
    reply(caller.status());
  }
}

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_RPC_UNARY_H_
