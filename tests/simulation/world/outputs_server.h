#ifndef KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_

#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/outputs/result_book.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/partition/group.h"
#include "services/platform/store/record_store.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// Outputs: the real book of results over a store in memory. Each call is a group of its own, and is
// durable when it returns.
class OutputsServer {
 public:
  OutputsServer(const Scene& scene, Model& model);

  // The calls, as the service answers them.
  outputs::v1::PutResponse Put(const outputs::v1::PutRequest& request,
                               const platform::Caller& caller);
  outputs::v1::PutItemsResponse PutItems(const outputs::v1::PutItemsRequest& request,
                                         const platform::Caller& caller);
  // Results that grants let the caller read.
  outputs::v1::GetResponse Get(const outputs::v1::GetRequest& request,
                               const platform::Caller& caller);
  absl::StatusOr<outputs::ItemBook::Reading> ReadItems(const TaskId& task,
                                                       outputs::ItemPosition from, size_t max_bytes,
                                                       outputs::ItemBook::ItemVisitor visit) {
    return book_->items().Read(task, from, max_bytes, visit);
  }
  // ABORTED when a later owner has asked.
  absl::StatusOr<outputs::v1::FenceResponse> Fence(uint64_t epoch,
                                                   const outputs::v1::FenceItem& item);

  // What it knows is read from the store again.
  void Crash();

 private:
  void Open();
  void Get(const platform::ReadGrant& grant, outputs::v1::GetResult& result);
  absl::StatusOr<platform::Lease> OpenLease(std::string_view session,
                                            const platform::Caller& caller,
                                            std::string_view token) const;
  // Runs a command and commits what it did; a step, if that is anything.
  void Run(absl::FunctionRef<void(platform::Transaction&)> command);

  const Scene scene_;
  Model& model_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  std::unique_ptr<platform::RecordStore> store_;
  std::unique_ptr<outputs::ResultBook> book_;
  platform::Group group_;
  uint64_t next_number_ = 1;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_
