#ifndef KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_

#include <memory>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/outputs/result_book.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"
#include "tests/simulation/world/faulty_store.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/stepped_runner.h"

namespace kantoku::simulation {

// Outputs: the real book of results over a store in memory, with the rules of group commit. Who
// calls waits for the answer, or gives up: then what he asked for is done with the next call, or,
// where Outputs crashes before, never.
class OutputsServer final : private platform::PartitionMachine {
 public:
  OutputsServer(const Scene& scene, Model& model);

  // The calls, as the service answers them. With an error it is open whether anything was done.
  absl::StatusOr<outputs::v1::PutResponse> Put(const outputs::v1::PutRequest& request,
                                               const platform::Caller& caller);
  absl::StatusOr<outputs::v1::PutItemsResponse> PutItems(
      const outputs::v1::PutItemsRequest& request, const platform::Caller& caller);
  // Results that grants let the caller read.
  absl::StatusOr<outputs::v1::GetResponse> Get(const outputs::v1::GetRequest& request,
                                               const platform::Caller& caller);
  absl::StatusOr<outputs::ItemBook::Reading> ReadItems(const TaskId& task,
                                                       outputs::ItemPosition from, size_t max_bytes,
                                                       outputs::ItemBook::ItemVisitor visit);
  // ABORTED when a later owner has asked.
  absl::StatusOr<outputs::v1::FenceResponse> Fence(uint64_t epoch,
                                                   const outputs::v1::FenceItem& item);

  // What it knows is read from the store again.
  void Crash();
  // It will, in a call: before what that does is durable, or before that is answered.
  void CrashInCall() { crash_due_ = true; }
  // From now on nothing goes wrong.
  void BecomeReliable();

 private:
  void Open();
  absl::Status Get(const platform::ReadGrant& grant, outputs::v1::GetResult& result);
  absl::StatusOr<platform::Lease> OpenLease(std::string_view session,
                                            const platform::Caller& caller,
                                            std::string_view token) const;
  // Runs a command and commits what it did. OK means durable.
  absl::Status Run(absl::FunctionRef<absl::Status(platform::Transaction&)> command);
  // Comes a little further with committing.
  void Advance();
  // Whether the call that is under way gets no answer.
  bool Interrupted();
  // Commits what is under way: what is read is durable.
  void Rest();

  void FinishGroup(platform::Transaction& transaction) override { book_->FinishGroup(transaction); }
  absl::Duration NextWake() const override { return absl::InfiniteDuration(); }

  const Scene scene_;
  Model& model_;
  const std::unique_ptr<platform::RecordStoreFactory> stores_;
  StoreFaults faults_;
  bool reliable_ = false;
  bool crash_due_ = false;
  std::unique_ptr<platform::RecordStore> store_;
  std::unique_ptr<outputs::ResultBook> book_;
  std::unique_ptr<SteppedRunner> runner_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_OUTPUTS_SERVER_H_
