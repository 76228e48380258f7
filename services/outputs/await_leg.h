#ifndef KANTOKU_SERVICES_OUTPUTS_AWAIT_LEG_H_
#define KANTOKU_SERVICES_OUTPUTS_AWAIT_LEG_H_

#include <memory>
#include <string>
#include <vector>

#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/platform/identity/identity.h"
#include "services/platform/ids.h"
#include "services/platform/rpc/bidi_stream.h"

namespace kantoku::outputs {

// What the legs of an Await call share: the way to the client.
//
// Thread-safe. Owned as CoalescingStream says.
class AwaitTrunk
    : public platform::CoalescingStream<outputs::v1::AwaitRequest, outputs::v1::AwaitResponse> {
 public:
  using CoalescingStream::CoalescingStream;

  virtual const std::shared_ptr<const platform::Identity>& caller() const = 0;
  // A leg has taken what it was asked, and would take more: once for each Ask.
  virtual void LegReady() = 0;
  // A leg that was to end when it is idle is: once.
  virtual void LegEnded() = 0;
};

// What a request says to a leg.
struct AwaitWish {
  std::vector<platform::TaskId> added;
  std::vector<platform::TaskId> forgotten;
  std::string access_token;  // That the client shows from now on; empty: the one before.

  bool empty() const { return added.empty() && forgotten.empty() && access_token.empty(); }
};

// An Await call as far as it goes to one place, to whose answers it gives way as there is room.
// Ends the trunk when the place is lost: the client asks again.
//
// Called by one thread at a time; its own calls of the trunk come from any.
class AwaitLeg {
 public:
  virtual ~AwaitLeg() = default;

  // Waits for tasks, and for others no more. The next one comes after LegReady.
  virtual void Ask(AwaitWish wish) = 0;
  // There will be no more to ask.
  virtual void EndWhenIdle() = 0;
  // As CoalescingStream's.
  virtual void OnWritable() = 0;
  // The call is over. The last one.
  virtual void Leave() = 0;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_AWAIT_LEG_H_
