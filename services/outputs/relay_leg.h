#ifndef KANTOKU_SERVICES_OUTPUTS_RELAY_LEG_H_
#define KANTOKU_SERVICES_OUTPUTS_RELAY_LEG_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "services/outputs/await_leg.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/forwarder.h"
#include "services/platform/rpc/relay.h"

namespace kantoku::outputs {

// The leg to another replica, for all tasks that it has: an Await call of ours there. Its answers
// pass as they come; while the client has no room for them, nothing is read from there.
//
// Thread-safe. Owned by the trunk, and by the relay until it ends.
class RelayLeg final : public AwaitLeg,
                       private platform::Relay::Receiver,
                       public std::enable_shared_from_this<RelayLeg> {
 public:
  // As whoever made `call`, which is the trunk's; `token` is the last within it, if there is one.
  static std::shared_ptr<RelayLeg> Open(std::shared_ptr<AwaitTrunk> trunk,
                                        platform::Forwarder& forwarder,
                                        const grpc::ServerContextBase& call,
                                        const platform::Forwarder::Target& target,
                                        std::string_view token);

  void Ask(AwaitWish wish) override;
  void EndWhenIdle() override;
  void OnWritable() override;
  void Leave() override;

 private:
  explicit RelayLeg(std::shared_ptr<AwaitTrunk> trunk) : trunk_(std::move(trunk)) {}

  void OnRelayed(std::string_view message) override;
  void OnRelayWritable() override;
  void OnRelayEnded(const absl::Status& status) override;
  // False: the client has no room for it.
  bool Say(std::string_view message);

  const std::shared_ptr<AwaitTrunk> trunk_;
  std::shared_ptr<platform::Relay> relay_;  // From Open on; but for its end, it is silent before.

  platform::Mutex mutex_;
  // What waits for room, one way and the other.
  std::optional<std::string> unwritten_ ABSL_GUARDED_BY(mutex_);
  std::optional<std::string> unsaid_ ABSL_GUARDED_BY(mutex_);
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_RELAY_LEG_H_
