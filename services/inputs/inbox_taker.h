#ifndef KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
#define KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/mutex.h"
#include "services/platform/store/inbox.h"

namespace kantoku::inputs {

// Has a partition take what others put into its store: as soon as the store says that something
// came, and every few seconds whatever it says, so that nothing hangs on being told. While the
// store cannot be asked it tries again.
//
// Thread-safe. Owns the watch and a thread; the partition outlives it.
class InboxTaker {
 public:
  InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Partition& partition);
  ~InboxTaker() { Stop(); }

  // Idempotent. The partition answers what it was asked, so it is to be stopped before.
  void Stop();

 private:
  // What the partition owes, at most once at a time.
  struct Answer;

  void Run();
  // All that is there.
  absl::Status TakeAll();
  absl::Status Take(std::vector<platform::RecordKey> keys);
  void NoteState(const absl::Status& state);
  // Until it is time to try again.
  void Pause();

  const std::unique_ptr<platform::InboxWatch> watch_;
  Partition& partition_;
  platform::Mutex mutex_;
  platform::CondVar stopped_;
  std::atomic<bool> stopping_ = false;  // Set with mutex_ held.
  bool failing_ = false;                // And it was said.
  std::thread thread_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_INBOX_TAKER_H_
