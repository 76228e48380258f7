#include "services/outputs/partition_stack.h"

#include <utility>

#include "services/platform/status.h"

namespace kantoku::outputs {

absl::StatusOr<std::shared_ptr<PartitionStack>> PartitionStack::Open(
    uint32_t number, OutputsPartition::Options options, platform::RecordStoreFactory& stores,
    const config::v1::OutputsConfig& config, platform::Environment& environment, Metrics& metrics) {
  KANTOKU_ASSIGN_OR_RETURN(auto store, stores.Open(number));
  std::shared_ptr<PartitionStack> stack(
      new PartitionStack(number, std::move(store), config, environment));
  KANTOKU_ASSIGN_OR_RETURN(stack->partition_,
                           OutputsPartition::Start(std::move(options), *stack->store_,
                                                   environment.clock(), stack->inputs_, metrics));
  stack->served_.emplace(Served{.number = number, .partition = *stack->partition_});
  return stack;
}

PartitionStack::PartitionStack(uint32_t number, std::unique_ptr<platform::RecordStore> store,
                               const config::v1::OutputsConfig& config,
                               platform::Environment& environment)
    : number_(number),
      store_(std::move(store)),
      inputs_([&config, &environment] { return environment.Connect(config.inputs_address()); },
              environment.mac_keys(), environment.clock()) {}

void PartitionStack::Stop() {
  if (partition_ != nullptr) partition_->Stop();
  inputs_.Stop();
}

}  // namespace kantoku::outputs
