#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_STACK_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_STACK_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/inputs/inbox_taker.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/peers.h"
#include "services/inputs/pull_stream.h"
#include "services/inputs/served.h"
#include "services/platform/server/module.h"
#include "services/platform/store/inbox.h"
#include "services/platform/store/record_store.h"

namespace kantoku::inputs {

// Everything of one partition in this process: the partition over its store, its links to Outputs
// and Events, the streams of its executors, and who takes what was spawned by SQL.
//
// Thread-safe but for Start and Stop, which come in this order. Held by whoever still calls it.
class PartitionStack {
 public:
  // Takes the partition over and recovers it. Inbox, config and environment outlive it; no inbox is
  // null.
  static absl::StatusOr<std::shared_ptr<PartitionStack>> Open(
      uint32_t number, PartitionOptions options, platform::RecordStoreFactory& stores,
      platform::Inbox* inbox, const config::v1::InputsConfig& config,
      platform::Environment& environment);
  ~PartitionStack() { Stop(); }

  // What answers calls; it keeps the stack.
  static std::shared_ptr<Served> ServedOf(const std::shared_ptr<PartitionStack>& stack) {
    return {stack, &stack->served_};
  }
  Partition& partition() { return *partition_; }

  // Connects it to the other services. From then on calls are answered.
  absl::Status Start();
  // Ends the streams of its executors, who come back elsewhere or later, commits what was accepted,
  // and answers no more. Idempotent.
  void Stop();

 private:
  PartitionStack(uint32_t number, platform::Inbox* inbox, const config::v1::InputsConfig& config,
                 platform::Environment& environment, std::unique_ptr<Partition> partition);

  platform::Inbox* const inbox_;
  const config::v1::InputsConfig& config_;
  platform::Environment& environment_;
  const std::unique_ptr<Partition> partition_;
  PullStreams streams_;
  Served served_;
  std::unique_ptr<OutputsPeer> outputs_;
  std::unique_ptr<EventsPeer> events_;
  std::unique_ptr<InboxTaker> taker_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_STACK_H_
