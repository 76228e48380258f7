#ifndef KANTOKU_TESTS_SIMULATION_WORLD_STEPPED_RUNNER_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_STEPPED_RUNNER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "services/platform/partition/group.h"
#include "services/platform/partition/partition_runner.h"

namespace kantoku::simulation {

// The partition runner without threads: what its two threads would do next is done when the world
// says so, in every order that they could come to. Group has the rules of group commit; the order
// of applying, closing, committing and releasing is the threaded runner's.
//
// Confined to one thread.
class SteppedRunner final : public platform::PartitionRunner {
 public:
  // `store` and `machine` outlive it.
  SteppedRunner(platform::RecordStore& store, platform::PartitionMachine& machine,
                platform::Clock& clock, uint64_t last_batch);
  ~SteppedRunner() override { Stop(); }

  absl::Status Post(Command command, Urgency urgency) override;
  absl::Status health() const override { return health_; }
  // As a crash: what was not committed never will be.
  void Stop() override;

  // Runs every command that was posted so far.
  bool CanApply() const { return !inbox_.empty() && !stopped_ && !lost_; }
  void Apply();
  // Finishes the open group and hands it over to be committed: the store is free, though what the
  // last commit released may not have left yet, and there is a reason to.
  bool CanClose() const;
  void Close();
  // Tries to commit the group that was handed over.
  bool CanCommit() const {
    return handed_over_ != nullptr && durable_ == nullptr && !failed_ && !stopped_ && !lost_;
  }
  void Commit();
  // Releases it, or tells of the failure; after one, it is to be committed again.
  bool CanSettle() const { return (durable_ != nullptr || failed_) && !stopped_ && !lost_; }
  void Settle();

  // Nothing is posted, applied or committed that is not released.
  bool quiet() const {
    return inbox_.empty() && open_->empty() && handed_over_ == nullptr && durable_ == nullptr;
  }
  // A group has been finished that the store does not surely hold.
  bool committing() const { return handed_over_ != nullptr; }

 private:
  platform::RecordStore& store_;
  platform::PartitionMachine& machine_;
  platform::Clock& clock_;
  uint64_t next_number_;
  std::vector<Command> inbox_;
  std::unique_ptr<platform::Group> open_ = std::make_unique<platform::Group>();
  std::unique_ptr<platform::Group> handed_over_;  // To be committed.
  std::unique_ptr<platform::Group> durable_;      // To be released.
  bool failed_ = false;  // The last try to commit did, and nobody was told.
  size_t applied_ = 0;   // Commands since the last group was closed.
  absl::Status health_;
  bool stopped_ = false;
  bool lost_ = false;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_STEPPED_RUNNER_H_
