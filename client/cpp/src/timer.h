#ifndef KANTOKU_CLIENT_CPP_SRC_TIMER_H_
#define KANTOKU_CLIENT_CPP_SRC_TIMER_H_

#include <cstdint>
#include <map>
#include <thread>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/time/time.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::internal {

// Runs functions later, one at a time, on one thread of its own, which starts with the first of
// them.
//
// Thread-safe. `clock` outlives it.
class Timer {
 public:
  using Id = uint64_t;
  static constexpr Id kNone = 0;

  explicit Timer(platform::Clock& clock) : clock_(clock) {}
  // Drops what has not begun and waits for what has. Not from a function that it runs.
  ~Timer();

  // Runs `run` after `delay`, unless Cancel comes before. An infinite delay never ends and is
  // kNone.
  Id After(absl::Duration delay, absl::AnyInvocable<void()> run);
  // True when the function will not run; false when it has begun, or is unknown.
  bool Cancel(Id id);

 private:
  using Key = std::pair<absl::Duration, Id>;

  void Run();

  platform::Clock& clock_;
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::map<Key, absl::AnyInvocable<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Id, absl::Duration> deadlines_ ABSL_GUARDED_BY(mutex_);
  Id last_id_ ABSL_GUARDED_BY(mutex_) = kNone;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_TIMER_H_
