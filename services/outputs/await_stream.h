#ifndef KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_
#define KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/outputs/await_leg.h"
#include "services/outputs/metrics.h"
#include "services/outputs/served.h"
#include "services/platform/rpc/partitioned_service.h"

namespace kantoku::outputs {

// One Await call. It has a leg to each partition of this process that its tasks are in, and one to
// each other replica that has the others, opened with the first of these tasks. It reads a request
// only when every leg that was asked something by the one before is ready for more, so that what a
// client can make it keep is bounded.
//
// Thread-safe. Owned as CoalescingStream says, and by its legs until it ends.
class AwaitStream final : public AwaitTrunk {
 public:
  using Routes = platform::PartitionRoutes<Served>;

  // `on_ended` is called last. The routes outlive it.
  AwaitStream(Call* call, platform::CallMonitor::Method& method,
              const platform::BidiStreamOptions& options,
              std::shared_ptr<const platform::Identity> caller, const Routes& routes,
              Metrics& metrics, std::function<void(AwaitStream*)> on_ended);

  const std::shared_ptr<const platform::Identity>& caller() const override { return caller_; }
  void LegReady() override;
  void LegEnded() override;

 private:
  using Request = outputs::v1::AwaitRequest;

  void OnRequest(Request& request) override;
  void OnToken(std::string_view token) override;
  void OnHalfClosed() override;
  void OnWritable() override;
  void OnEnded(const absl::Status& status) override;

  std::shared_ptr<AwaitStream> self() {
    return std::static_pointer_cast<AwaitStream>(shared_from_this());
  }
  // What a request says to each leg; opens those that are missing. Malformed ids are answered.
  absl::StatusOr<std::vector<AwaitWish>> Divide(const Request& request);
  // Its place among the legs.
  absl::StatusOr<size_t> LegTo(uint32_t partition);
  size_t LegTo(const platform::Forwarder::Target& target);
  absl::Status AnswerMalformed(const std::string& id, const absl::Status& why);

  Call* const call_;
  const std::shared_ptr<const platform::Identity> caller_;
  const Routes& routes_;
  Metrics& metrics_;
  const std::function<void(AwaitStream*)> on_ended_;

  // Of the queue's thread.
  std::vector<std::shared_ptr<AwaitLeg>> legs_;
  std::vector<std::optional<size_t>> leg_to_;  // By partition.
  std::map<std::string, size_t> relays_;       // By address.
  std::string token_;                          // Of the client's, the last within the stream.
  bool token_is_new_ = false;                  // Relays have yet to be told.

  std::atomic<size_t> asked_ = 0;  // Legs that are not ready for more.
  std::atomic<size_t> open_ = 0;   // Legs that have not ended, once they are to end.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_AWAIT_STREAM_H_
