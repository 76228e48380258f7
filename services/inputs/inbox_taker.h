#ifndef KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
#define KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

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
// Guarantees: records are handed over in the order of their keys, and of two of which one was
// committed before the other that one is never the later, as long as fewer than a few hundred wait
// in the inbox. What the partition leaves there is handed over again after a few seconds, and holds
// up nothing else; beyond 10,000 of these it is slowly that what is behind them is found.
//
// Thread-safe. Owns the watch and a thread; the clock outlives it.
class InboxTaker {
 public:
  // Partition::TakeInbox.
  using Take = std::function<void(std::vector<TaskKey>, Partition::Done<InboxStep>)>;

  InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Take take, platform::Clock& clock);
  ~InboxTaker() { Stop(); }

  // Nothing more is taken. Returns at once. Idempotent.
  void BeginStop();
  // Idempotent. The partition answers what it was asked, so it is to be stopped between the two.
  void Stop();

 private:
  // What the partition owes, at most once at a time.
  struct Answer;

  void Run();
  // All that is there, but for what was left a moment ago.
  absl::Status TakeAll();
  // What to take next; empty: nothing.
  absl::StatusOr<std::vector<TaskKey>> Next();
  absl::StatusOr<InboxStep> TakeSome(std::vector<TaskKey> keys);
  // When it is time to look at them again.
  void ForgetOldLeft();
  void NoteLeft(const std::vector<TaskKey>& looked_at, const InboxStep& step);
  void NoteState(const absl::Status& state);
  absl::Duration Now() const { return clock_.Read().steady; }
  void PauseUntil(absl::Duration steady);

  const std::unique_ptr<platform::InboxWatch> watch_;
  const Take take_;
  platform::Clock& clock_;
  platform::Mutex mutex_;
  platform::CondVar stopped_;
  std::atomic<bool> stopping_ = false;  // Set with mutex_ held.

  // Confined to the thread.
  absl::flat_hash_set<TaskKey> left_;
  TaskKey behind_left_ = 0;  // Where it goes on when there is no room for more of these.
  absl::Duration all_at_ = -absl::InfiniteDuration();  // When nothing was taken to be left.
  bool failing_ = false;                               // And it was said.
  std::thread thread_;                                 // Last: it uses all the others.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
