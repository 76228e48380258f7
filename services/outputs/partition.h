#ifndef KANTOKU_SERVICES_OUTPUTS_PARTITION_H_
#define KANTOKU_SERVICES_OUTPUTS_PARTITION_H_

#include <memory>
#include <span>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/outputs/await_hub.h"
#include "services/outputs/inputs_lookup.h"
#include "services/outputs/metrics.h"
#include "services/outputs/result_book.h"
#include "services/platform/clock.h"
#include "services/platform/partition/partition_runner.h"

namespace kantoku::outputs {

// Someone who reads the items of a task as they come.
class ItemFollower {
 public:
  virtual ~ItemFollower() = default;
  // More of them can be read. On the apply thread.
  virtual void OnItems(platform::Transaction& transaction) = 0;
};

// One partition of Outputs: the book, those who wait, and what Inputs is asked for them, behind one
// apply thread.
//
// Guarantees: a waiter is registered before the store is read for it, and the store before Inputs
// is asked; a result that becomes durable meanwhile finds the waiter; so each is answered once.
// What goes to a waiter is durable.
//
// Thread-safe where it says so; the rest is confined to the apply thread, that is, to commands.
// Store, clock and lives outlive it.
class OutputsPartition final : private platform::PartitionMachine {
 public:
  using Command = absl::AnyInvocable<void(OutputsPartition&, platform::Transaction&)>;
  using Urgency = platform::PartitionRunner::Urgency;

  struct Options {
    ResultBook::Options book;
    AwaitHub::Limits awaits;
    std::shared_ptr<AwaitCount> awaited = std::make_shared<AwaitCount>();  // In all partitions.
    InputsLookup::Options lookup;
    platform::PartitionRunner::Options runner;
    absl::AnyInvocable<uint64_t()> random;
  };

  // Recovers the book; commands run from then on.
  static absl::StatusOr<std::unique_ptr<OutputsPartition>> Start(Options options,
                                                                 platform::RecordStore& store,
                                                                 platform::Clock& clock,
                                                                 TaskLives& lives,
                                                                 Metrics& metrics);
  ~OutputsPartition() override;

  // Thread-safe. As PartitionRunner's.
  absl::Status Post(Command command, Urgency urgency = Urgency::kNormal);
  absl::Status health() const { return runner_->health(); }
  // Runs what was posted, commits it, joins the threads; whoever still waits or follows then is
  // told that it is UNAVAILABLE. Idempotent.
  void Stop();

  // Of the apply thread. As ResultBook's; whoever waits is told once it is durable.
  absl::StatusOr<std::vector<ResultBook::Decision>> Put(std::span<const ResultBook::Offer> offers,
                                                        platform::Transaction& transaction);
  absl::StatusOr<std::vector<ResultBook::Decision>> PutItems(
      std::span<const ItemBook::Batch> batches, platform::Transaction& transaction);
  absl::StatusOr<std::vector<ResultBook::ClosingDecision>> Fence(
      uint64_t epoch, std::span<const ResultBook::Closing> closings,
      platform::Transaction& transaction);

  ResultBook::Room room(absl::Time now) const { return book_->room(now); }

  // Visits tasks until `visit` says false, which means that it took nothing of the last one.
  using GetVisitor = absl::FunctionRef<bool(size_t index, ResultBook::Presence presence,
                                            const StoredResult* result)>;
  absl::Status Get(std::span<const platform::TaskId> tasks, absl::Time now, GetVisitor visit);

  // Until Unfollow, `follower` is told when items of the task became durable.
  void Follow(const platform::TaskId& task, std::shared_ptr<ItemFollower> follower);
  void Unfollow(const platform::TaskId& task, const ItemFollower* follower);
  // As ItemBook's; to others than the owner there are none.
  absl::StatusOr<ItemBook::Reading> ReadItems(const platform::TaskId& task,
                                              const platform::Identity& caller, ItemPosition from,
                                              size_t max_bytes, ItemBook::ItemVisitor visit);

  AwaitHub::StreamId OpenStream(std::shared_ptr<AwaitSink> sink) {
    return hub_.Open(std::move(sink));
  }
  void CloseStream(AwaitHub::StreamId stream) { hub_.Close(stream); }
  // Lets a stream wait for tasks; the answers go to its sink, as does an error.
  void Await(AwaitHub::StreamId stream, std::span<const platform::TaskId> tasks,
             platform::Transaction& transaction);
  void Forget(AwaitHub::StreamId stream, std::span<const platform::TaskId> tasks) {
    hub_.Forget(stream, tasks);
  }
  // Thread-safe. As AwaitHub's.
  void CountDeferred(int64_t change) { hub_.CountDeferred(change); }
  size_t deferred() const { return hub_.deferred(); }
  // Finishes the stream once it waits for nothing.
  void EndStreamWhenIdle(AwaitHub::StreamId stream) { hub_.EndWhenIdle(stream); }

 private:
  OutputsPartition(Options options, std::unique_ptr<ResultBook> book, TaskLives& lives,
                   Metrics& metrics);

  void FinishGroup(platform::Transaction& transaction) override;
  absl::Duration NextWake() const override { return next_wake_; }

  // Answers what the store can answer about awaited tasks. Those that it does not know become
  // `absent`; those that it does not show yet are looked up again once it does. Returns how many
  // tasks were dealt with: all, unless `asking` had no room for more.
  absl::StatusOr<size_t> LookUp(std::span<const platform::TaskId> tasks, const AwaitSink* asking,
                                platform::Transaction& transaction,
                                std::vector<platform::TaskId>& absent);
  void LookUpOnceDurable(std::vector<platform::TaskId> tasks, platform::Transaction& transaction);
  void AskInputs(absl::Duration now);
  void OnAnswer(std::vector<Awaited> asked, const absl::StatusOr<std::vector<TaskLife>>& lives,
                platform::Transaction& transaction);
  // Those of which Inputs could not say anything.
  void AskLater(std::span<const Awaited> asked, std::span<const TaskLife> lives,
                absl::Duration now);
  // Answers those who wait for what does not live, after a last look into the store.
  void OnLives(std::span<const Awaited> asked, std::span<const TaskLife> lives,
               platform::Transaction& transaction);
  // Tells the followers of tasks once the running transaction is durable.
  void TellFollowers(std::vector<platform::TaskId> tasks, platform::Transaction& transaction);
  void OnYielded(std::span<const platform::TaskId> tasks, platform::Transaction& transaction);
  // The store shows now what became of tasks that were on their way there.
  void OnDurable(std::span<const platform::TaskId> tasks, platform::Transaction& transaction);

  absl::AnyInvocable<uint64_t()> random_;
  TaskLives& lives_;
  GaugeShare waiters_;
  GaugeShare results_;
  GaugeShare fences_;
  GaugeShare bytes_;

  std::unique_ptr<ResultBook> book_;
  AwaitHub hub_;
  InputsLookup lookup_;
  Deliveries deliveries_;  // Released with the group.
  absl::flat_hash_map<platform::TaskId, std::vector<std::shared_ptr<ItemFollower>>> followers_;
  std::vector<platform::TaskId> yielded_;  // Tasks with followers and new items in the group.
  absl::Duration next_wake_ = absl::ZeroDuration();

  std::unique_ptr<platform::PartitionRunner> runner_;  // Last: it uses all of the above.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_PARTITION_H_
