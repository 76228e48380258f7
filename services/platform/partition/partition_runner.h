#ifndef KANTOKU_SERVICES_PLATFORM_PARTITION_PARTITION_RUNNER_H_
#define KANTOKU_SERVICES_PLATFORM_PARTITION_PARTITION_RUNNER_H_

#include <memory>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/store/record_store.h"

namespace kantoku::platform {

// What a command sees: the time, the batch it writes to, and what happens once that is durable.
//
// Confined to the apply thread.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Read once per group, so that all commands of a group agree.
  virtual const Now& now() const = 0;
  virtual WriteBatch& batch() = 0;

  // Runs on the store thread after the batch is durable, in the order of the calls; never when it
  // did not become durable. Must not block.
  virtual void OnDurable(absl::AnyInvocable<void()> release) = 0;

  // As OnDurable with OK; but when the first try of the commit fails, runs at once with that error,
  // and the outcome is open: the batch is repeated and may yet become durable. For callers that
  // wait and can repeat their request. Runs exactly once, also when the runner stops.
  virtual void Reply(absl::AnyInvocable<void(const absl::Status&)> reply) = 0;
};

// A state machine behind a partition.
//
// Confined to the apply thread.
class PartitionMachine {
 public:
  virtual ~PartitionMachine() = default;

  // Called once per group, after its commands and before its commit: the place for work that is
  // cheaper in bulk (dispatch) and for what time has brought.
  virtual void FinishGroup(Transaction& transaction) = 0;

  // Steady time at which FinishGroup wants to run though no command came;
  // absl::InfiniteDuration() when there is none.
  virtual absl::Duration NextWake() const = 0;
};

// Runs commands one at a time against a machine on one thread (apply) and commits what they changed
// in groups on another (store): while one group commits, the next is applied.
//
// Guarantees: commands run in the order of Post. Nothing is released before the batch of its
// command, and every earlier batch, is durable. On a failed commit (all but ABORTED) the same batch
// is repeated with a pause until it succeeds, `health` says why, and nothing is undone. After
// ABORTED or DATA_LOSS nothing runs any more and `health` stays so.
//
// Thread-safe. Owns its threads; store, machine and clock outlive it.
class PartitionRunner {
 public:
  using Command = absl::AnyInvocable<void(Transaction&)>;

  struct Options {
    std::string name;                        // For thread names and logs: "inputs/0".
    size_t max_mailbox = 100'000;            // Commands that may wait.
    size_t max_group_bytes = size_t{8} << 20;  // A group is closed when its batch is this large.
    absl::Duration retry_pause = absl::Milliseconds(100);
    // Told of each change between OK and an error. On the store thread; must not block.
    absl::AnyInvocable<void(const absl::Status&)> on_health;
  };

  static absl::StatusOr<std::unique_ptr<PartitionRunner>> Start(Options options, RecordStore& store,
                                                                PartitionMachine& machine,
                                                                Clock& clock);
  virtual ~PartitionRunner() = default;

  // RESOURCE_EXHAUSTED when the mailbox is full (repeat later), UNAVAILABLE after Stop or when the
  // runner is lost; the command is then destroyed without having run. `urgent` commands (about work
  // that is already accepted) pass a full mailbox.
  enum class Urgency { kNormal, kUrgent };
  virtual absl::Status Post(Command command, Urgency urgency = Urgency::kNormal) = 0;

  // OK, or why the last commit failed.
  virtual absl::Status health() const = 0;

  // Runs what was posted, commits it (one try if the store is failing), and joins the threads.
  // Idempotent.
  virtual void Stop() = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PARTITION_PARTITION_RUNNER_H_
