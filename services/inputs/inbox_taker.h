#ifndef KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
#define KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"
#include "services/platform/store/inbox.h"

namespace kantoku::inputs {

// Has a partition take what others put into its store: as soon as the store says that something
// came, and every few seconds whatever it says, so that nothing hangs on being told. While the
// store cannot be asked it tries again.
//
// Guarantees: the records of a slot are handed over in the order of their keys, from its beginning
// each time, so that what was committed earlier is in no later step than what came after it; and no
// slot waits for more than one step of each other, however many of its records there are. What the
// partition leaves there is handed over again after a few seconds, and holds up nothing else;
// beyond 10,000 of a slot it is slowly that what is behind them there is found.
//
// Thread-safe. Owns the watch and a thread; the clock outlives it.
class InboxTaker {
 public:
  // Partition::TakeInbox.
  using Take = std::function<void(std::vector<TaskKey>, Partition::Done<InboxStep>)>;

  // How many were left when all was looked at last, of a slot at most 10,000.
  using TellLeft = std::function<void(size_t)>;

  InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Take take, TellLeft tell_left,
             platform::Clock& clock);
  ~InboxTaker() { Stop(); }

  // Nothing more is taken. Returns at once. Idempotent.
  void BeginStop();
  // Idempotent. The partition answers what it was asked, so it is to be stopped between the two.
  void Stop();

 private:
  // What the partition owes, at most once at a time.
  struct Answer;

  // Of a slot: what was left a moment ago.
  struct Left {
    absl::flat_hash_set<TaskKey> keys;
    TaskKey behind = 0;  // Where it goes on when there is no room for more of these.
  };

  void Run();
  // All that is there, but for what was left a moment ago.
  absl::Status TakeAll();
  // Some of each slot. False: there was nothing to take.
  absl::StatusOr<bool> TakeRound();
  // What to take next of this slot, and of those after it; empty: nothing.
  absl::StatusOr<std::vector<TaskKey>> NextFrom(uint32_t slot);
  absl::StatusOr<InboxStep> TakeSome(std::vector<TaskKey> keys);
  // When it is time to look at them again.
  void ForgetOldLeft();
  void NoteLeft(const std::vector<TaskKey>& looked_at, const InboxStep& step);
  size_t CountLeft() const;
  void NoteState(const absl::Status& state);
  absl::Duration Now() const { return clock_.Read().steady; }
  void PauseUntil(absl::Duration steady);

  const std::unique_ptr<platform::InboxWatch> watch_;
  const Take take_;
  const TellLeft tell_left_;
  platform::Clock& clock_;
  platform::Mutex mutex_;
  platform::CondVar stopped_;
  std::atomic<bool> stopping_ = false;  // Set with mutex_ held.

  // Confined to the thread.
  absl::flat_hash_map<uint32_t, Left> left_;           // By slot.
  absl::Duration all_at_ = -absl::InfiniteDuration();  // When nothing was taken to be left.
  bool failing_ = false;                               // And it was said.
  std::thread thread_;                                 // Last: it uses all the others.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
