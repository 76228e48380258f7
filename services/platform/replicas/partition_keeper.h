#ifndef KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_KEEPER_H_
#define KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_KEEPER_H_

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/replicas/partition_map.h"
#include "services/platform/replicas/replica_directory.h"

namespace kantoku::platform {

// What serves partitions in this process.
//
// Its functions are called for one partition at a time, but for several at once, on threads of
// whoever does. Open and Close may take long, health may not.
class PartitionHost {
 public:
  virtual ~PartitionHost() = default;

  // Opens the store, which fences whoever had it, recovers, and serves. After an error it is not
  // open.
  virtual absl::Status Open(uint32_t partition) = 0;
  // Of one that is open. Serves it no more: what was accepted is durable, unless another owner has
  // fenced it, streams have been told to come back, and what comes late is UNAVAILABLE.
  virtual void Close(uint32_t partition) = 0;
  // Of one that is open: OK, or why it takes no commits. ABORTED: another owner has fenced it.
  virtual absl::Status health(uint32_t partition) const = 0;
};

// Keeps this process's share of a component's partitions: says in the directory, beat by beat, that
// it lives, opens what becomes its own, closes what it loses or gives away (spread.h), and knows
// where the rest is.
//
// Guarantees: a partition is here only while it is open, the directory says that it is ours, and
// the last beat that succeeded began less than a lease ago, by a clock that counts sleep: so a
// process that was stopped for longer answers for nothing when it goes on, though it has heard
// nothing yet. One that it gives away is released in the directory after it was closed, one at a
// time. Opening and closing hold up no beat. While the directory cannot be reached for
// a while nothing is closed, as it mostly is the database that is away, for all: who has a
// partition goes on with it as soon as a beat says that it is still his. After `patience` it is
// closed, so that those whose streams are here look for whoever has it now.
//
// Thread-safe, but Start and Stop, which are for one thread. Owns its threads; what it is given
// outlives it.
class PartitionKeeper final : public PartitionMap {
 public:
  struct Options {
    std::string component;  // For logs and names of threads.
    Replica self;
    uint32_t partitions = 1;
    absl::Duration beat = absl::Milliseconds(500);
    absl::Duration lease = absl::Seconds(2);
    // Until one that was not to be opened, or was fenced under our hands, is claimed again.
    absl::Duration retry_pause = absl::Seconds(1);
    // How long after a lease that could not be renewed everything is closed: others may have it.
    absl::Duration patience = absl::Seconds(10);
    // Told of the other replicas when there are others than before. On the keeper's thread, whose
    // beats wait for it.
    std::function<void(const std::vector<Replica>& others)> on_others;
  };

  // The directory is the keeper's alone from then on.
  PartitionKeeper(Options options, ReplicaDirectory& directory, PartitionHost& host, Clock& clock);
  ~PartitionKeeper() override;

  // Beats for the first time, and returns when what could be claimed then is open; goes on on its
  // own thread. Errors: of that beat, or of opening, and then nothing is ours. Once.
  absl::Status Start();
  // Gives everything to the others, if there are any, and takes nothing any more; knows where the
  // partitions are until Stop. False, and nothing happens: there are no others. Idempotent.
  bool Drain();
  // Closes everything at once, beating until that is done; then leaves, and joins the threads.
  // Idempotent.
  void Stop();

  uint32_t count() const override { return options_.partitions; }
  Place Find(uint32_t partition) const override;

  // OK while beats succeed and what is ours is open and takes commits, as of the last beat.
  absl::Status health() const;

 private:
  // Of a partition, on this side. The beat thread leads out of kNone and kServing, the worker that
  // it starts then leads out of kOpening and kClosing.
  enum class State {
    kNone,     // Not open. If the directory says that it is ours, it is opened or released.
    kOpening,  // A worker opens it, and then it is kServing, or kNone and to be released.
    kServing,  // Open; here as long as it is ours.
    kClosing,  // Lost, given away or for the end. A worker closes it, and then it is kNone.
  };
  struct Slot {
    State state = State::kNone;
    bool release = false;  // It is not to be ours any more, and the directory has not been told.
    absl::Duration claim_from = absl::ZeroDuration();  // By steady time.
    absl::Status health;  // Why it could not be opened, or takes no commits.
  };

  // All of these on the beat thread.
  void Run();
  void Beat();
  absl::StatusOr<ReplicaView> AskDirectory(const Replica& self);
  void TellOfOthers(const ReplicaView& view);
  void Tend(uint32_t partition);
  void TendServing(uint32_t partition);
  void Move(const ReplicaView& view, absl::Duration until);
  void Claim(uint32_t partition);
  void GiveOneAway();
  void Release(uint32_t partition);
  void StartOpening(uint32_t partition);
  void StartClosing(uint32_t partition, bool lost, bool release);
  void Leave();

  // On a worker.
  void Open(uint32_t partition);
  absl::Status OpenIfOurs(uint32_t partition);
  void Close(uint32_t partition, bool lost);

  bool IsOurs(uint32_t partition) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool LeaseLasts() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool AnyIs(State state) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool AllAreGone() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void FailStart(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Wake() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Options options_;
  ReplicaDirectory& directory_;
  PartitionHost& host_;
  Clock& clock_;

  // Confined to the beat thread.
  std::vector<std::thread> workers_;  // By partition: the last one's.
  std::vector<Replica> others_;

  mutable Mutex mu_;  // Never held while directory, host or on_others are called.
  CondVar wake_;      // For the beat thread.
  CondVar started_;   // For Start.
  bool woken_ ABSL_GUARDED_BY(mu_) = false;
  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool has_begun_ ABSL_GUARDED_BY(mu_) = false;  // Claimed what it could at first.
  absl::Status start_error_ ABSL_GUARDED_BY(mu_);
  absl::Status last_beat_ ABSL_GUARDED_BY(mu_);                           // How it ended.
  absl::Duration lease_end_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();  // By steady time.
  ReplicaView view_
      ABSL_GUARDED_BY(mu_);  // Of the last beat that succeeded, and what we did since.
  std::vector<Slot> slots_ ABSL_GUARDED_BY(mu_);  // By partition.

  std::thread thread_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_REPLICAS_PARTITION_KEEPER_H_
