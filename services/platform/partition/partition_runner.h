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
// Confined to the apply thread: whichever thread applies at the moment.
class Transaction {
 public:
  virtual ~Transaction() = default;

  // Read at least once per group; commands that are applied in one go agree. `steady` never goes
  // back.
  virtual const Now& now() const = 0;
  virtual WriteBatch& batch() = 0;

  // Runs on the thread that stores after the batch is durable, in the order of the calls; never
  // when it did not become durable. Must not block.
  virtual void OnDurable(absl::AnyInvocable<void()> release) = 0;

  // After all of OnDurable with OK (others may wait for what is released; who asked is told last);
  // but as soon as a commit fails, its own or one before it, runs with that
  // error on the thread that stores or applies, and the outcome is open: the batch is repeated and
  // may yet become durable. For callers that wait and can repeat their request. Runs exactly once,
  // also when the runner stops. Must not block.
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

  // Whether commands have brought about what is not to wait, though all of them were patient.
  virtual bool IsImpatient() const { return false; }
};

// Runs commands one at a time against a machine (apply) and commits what they changed in groups
// (store): while one group commits, the next is applied.
//
// Guarantees: commands run in the order of Post. Nothing is released before the batch of its
// command, and every earlier batch, is durable. After a failed commit the same batch is repeated
// with a pause until it succeeds, `health` says why, new commands are refused with that error
// (urgent ones are not), and nothing is undone. After ABORTED, DATA_LOSS or FAILED_PRECONDITION
// the runner is lost: nothing runs any more, commands that wait are destroyed without having run,
// and `health` stays so.
//
// A command alone is committed at once; what comes while the store is busy becomes the next group;
// what is patient waits a moment for others to share its commit.
//
// Thread-safe; Stop and the destructor not from commands, releases, replies and events. Owns two
// threads, either of which may apply or store; store, machine and clock outlive it. A thread that
// runs events (after_event.h) and posts to an idle runner does the work itself after its event, as
// long as commits are small and quick: no thread needs to be woken for it, nor that one for what is
// released. Until Stop has returned, machine and store are the runner's.
class PartitionRunner {
 public:
  using Command = absl::AnyInvocable<void(Transaction&)>;

  struct Options {
    std::string name;                          // Of threads and in logs: "inputs/0".
    size_t max_mailbox = 100'000;              // Commands that may wait; also the most in a group.
    size_t max_group_bytes = size_t{8} << 20;  // Applying waits when a batch is this large.
    absl::Duration retry_pause = absl::Milliseconds(100);
    absl::Duration patience = absl::Milliseconds(1);  // How long patient commands wait for others.
    // Told of each change between OK and an error. On the thread that stores; must neither block
    // nor stop the runner.
    absl::AnyInvocable<void(const absl::Status&)> on_health;
  };

  static absl::StatusOr<std::unique_ptr<PartitionRunner>> Start(Options options, RecordStore& store,
                                                                PartitionMachine& machine,
                                                                Clock& clock);
  virtual ~PartitionRunner() = default;

  // RESOURCE_EXHAUSTED when the mailbox is full (repeat later), UNAVAILABLE after Stop or when the
  // runner is lost, and `health` while commits fail; the command is then destroyed without having
  // run. Urgent commands (about work that is already accepted) pass a full mailbox and a failing
  // store; patient ones do too, and are for what nobody waits for: applied at once, committed with
  // the next command that is not patient, at the latest after `patience`.
  enum class Urgency { kNormal, kUrgent, kPatient };
  virtual absl::Status Post(Command command, Urgency urgency = Urgency::kNormal) = 0;

  // OK, or why the last commit failed.
  virtual absl::Status health() const = 0;

  // Runs what was posted, commits it (one more try if the store is failing; then replies get its
  // error), and joins the threads. Idempotent.
  virtual void Stop() = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_PARTITION_PARTITION_RUNNER_H_
