#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_HELD_TASK_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_HELD_TASK_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/executor-runtime/handler.h"
#include "services/platform/ids.h"
#include "services/platform/mutex.h"

namespace kantoku::executor {

// One dispatch of a task.
struct DispatchKey {
  platform::TaskId task;
  uint32_t dispatch = 0;

  bool operator==(const DispatchKey&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const DispatchKey& key) {
    return H::combine(std::move(h), key.task, key.dispatch);
  }
};

// A handler and how it is run.
struct Registration {
  Handler handler;
  bool run_inline = false;
};

enum class Phase : uint8_t {
  kFetching,   // Received; its arguments are on their way.
  kQueued,     // Received; the handler has not begun.
  kStarting,   // About to begin, as soon as Inputs has confirmed that it may.
  kRunning,    // The handler runs.
  kPutting,    // The handler returned a result that is on its way to Outputs.
  kAcking,     // Outputs has the result; Inputs has not confirmed it.
  kReturning,  // Handed back; Inputs has not surely heard so.
};

// Whether a handler, or Outputs, is still to do something.
inline bool IsWork(Phase phase) {
  return phase == Phase::kFetching || phase == Phase::kQueued || phase == Phase::kStarting ||
         phase == Phase::kRunning || phase == Phase::kPutting;
}

// How a task is handed back. `kind` is a NackKind.
struct HandBack {
  int kind = 0;
  std::string reason;
  std::string message;
};

// What a handler leaves to its task's next dispatch.
struct LeftCheckpoint {
  uint64_t number = 0;  // 0: there is none.
  uint64_t items = 0;  // That the handler had yielded before: it leaves only when they are durable.
  std::string data;
};

// A dispatch that this executor holds. What the handler sees is constant from the moment it begins
// until it ends; everything else belongs to the Ledger, but for the atomics and the hold.
struct HeldTask {
  DispatchKey key;
  platform::TaskId root;
  std::string context_id;
  Provenance provenance;
  uint32_t attempt = 0;
  std::string type;
  std::string payload;
  std::string content_type;
  std::vector<TaskArgument> arguments;
  std::string checkpoint;  // What an earlier dispatch has left.
  const Registration* registration = nullptr;
  bool confirm_start = false;  // The handler begins at most once: Inputs confirms that it may.
  absl::Duration timeout = absl::InfiniteDuration();
  absl::Duration begun = absl::ZeroDuration();

  std::atomic<StopCause> stop_cause{StopCause::kNone};
  std::atomic<bool> pause_wanted{false};  // A handler looks at it often.

  // Of work that is held back from outside. Its own mutex, so that who withdraws it waits for a
  // call that is under way.
  platform::Mutex hold_mu;
  std::function<void(bool)> hold ABSL_GUARDED_BY(hold_mu);

  absl::Duration deadline = absl::InfiniteDuration();  // Of the attempt, by steady time.
  absl::Duration time_left = absl::ZeroDuration();     // While it is paused: until its deadline.
  bool can_hold = false;                               // `hold` is set.
  bool paused = false;                                 // The handler is held back.
  uint32_t control_number = 0;                         // Of what was told last of pauses.
  bool state_pending = false;

  std::vector<std::string> grants;  // To read the arguments, until they are there.
  size_t arguments_missing = 0;
  size_t argument_bytes = 0;

  Phase phase = Phase::kQueued;
  bool dropped = false;  // No longer ours: whatever its handler returns is forgotten.
  bool cancelled = false;
  bool timed_out = false;
  bool has_begun = false;
  bool start_reported = false;
  bool progress_pending = false;
  size_t running_index = 0;  // Where the ledger's list of running tasks has it.
  double progress = 0;
  std::string progress_message;
  uint64_t items = 0;                // That the handler has yielded.
  uint64_t items_durable = 0;        // The first so many of them are in Outputs.
  LeftCheckpoint next_checkpoint;    // Leaves next, or is on its way; until Inputs has answered it.
  LeftCheckpoint newest_checkpoint;  // Follows it.
  uint64_t checkpoint_number = 0;    // Of the latest that the handler has left; 0: none.
  uint64_t checkpoint_answered = 0;  // The latest that Inputs has answered.
  absl::Status checkpoint_status;    // What the answer was.
  bool checkpoint_sent = false;      // The next one, on this connection.
  bool checkpoint_pending = false;   // In the list of those to be sent.
  std::string lease_token;
  std::string receipt;                          // In phase kAcking.
  std::optional<HandBack> failure;              // Once the handler has failed.
  HandBack hand_back;                           // In phase kReturning.
  std::optional<std::stop_source> stop_source;  // Once the handler asked for a token.
};

using HeldTaskPtr = std::shared_ptr<HeldTask>;

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_HELD_TASK_H_
