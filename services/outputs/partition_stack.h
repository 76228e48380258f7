#ifndef KANTOKU_SERVICES_OUTPUTS_PARTITION_STACK_H_
#define KANTOKU_SERVICES_OUTPUTS_PARTITION_STACK_H_

#include <cstdint>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "kantoku/config/v1/config.pb.h"
#include "services/outputs/inputs_client.h"
#include "services/outputs/metrics.h"
#include "services/outputs/partition.h"
#include "services/outputs/served.h"
#include "services/platform/server/module.h"
#include "services/platform/store/record_store.h"

namespace kantoku::outputs {

// Everything of one partition in this process: the partition over its store, and what it asks
// Inputs.
//
// Thread-safe but for Stop. Held by whoever still calls it.
class PartitionStack {
 public:
  // Takes the partition over and recovers it. Config, environment and metrics outlive it.
  static absl::StatusOr<std::shared_ptr<PartitionStack>> Open(
      uint32_t number, OutputsPartition::Options options, platform::RecordStoreFactory& stores,
      const config::v1::OutputsConfig& config, platform::Environment& environment,
      Metrics& metrics);
  ~PartitionStack() { Stop(); }

  // What answers calls; it keeps the stack.
  static std::shared_ptr<Served> ServedOf(const std::shared_ptr<PartitionStack>& stack) {
    return {stack, &*stack->served_};
  }
  OutputsPartition& partition() { return *partition_; }
  uint32_t number() const { return number_; }

  // Commits what was accepted, ends the streams that wait in it, and answers no more. Idempotent.
  void Stop();

 private:
  PartitionStack(uint32_t number, std::unique_ptr<platform::RecordStore> store,
                 const config::v1::OutputsConfig& config, platform::Environment& environment);

  const uint32_t number_;
  const std::unique_ptr<platform::RecordStore> store_;
  InputsClient inputs_;  // Calls back into the partition until it is stopped.
  std::unique_ptr<OutputsPartition> partition_;
  std::optional<Served> served_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_PARTITION_STACK_H_
