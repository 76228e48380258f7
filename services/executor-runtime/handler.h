#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_HANDLER_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_HANDLER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/ids.h"
#include "services/platform/log/log.h"

namespace kantoku::executor {

// What a handler returns.
struct Result {
  std::string data;          // At most 16 MiB less 4 KiB; the server may allow less.
  std::string content_type;  // Media type; at most 255 bytes of UTF-8.
};

// Why a handler is asked to stop.
enum class StopCause : uint8_t {
  kNone,         // It is not.
  kCancelled,    // The user asked.
  kInterrupted,  // The user insists: soon the dispatch is taken away, whatever the handler does.
  kTimeout,      // The attempt's time is over; whatever it returns now is a failure.
  kRevoked,      // The dispatch belongs to somebody else; whatever it returns is dropped.
  kLost,         // Inputs was not heard for so long that it is about to give the task away.
  kDraining,     // This executor stops.
};

using platform::LogLevel;

// How a task ended whose result is an argument.
enum class ArgumentStatus : uint8_t { kSucceeded, kFailed, kCancelled };

// The result of a task that this one depends on.
struct TaskArgument {
  platform::TaskId task_id;
  ArgumentStatus status =
      ArgumentStatus::kSucceeded;  // Another only where the task wants to run then.
  std::string data;                // Empty unless it succeeded.
  std::string content_type;
  std::string reason;  // Of its failure, or of what cancelled it.
  std::string message;
};

// Who caused a task: kantoku.task.v1.Provenance.
struct Provenance {
  std::string user;                         // Who began it all, and owns the task.
  std::string app;                          // With which that was done; empty: not known.
  std::string spawner_app;                  // With which this task was spawned.
  std::string spawner_executor_owner;       // Of the handler that did, with a task token.
  std::vector<platform::TaskId> ancestors;  // The parent first, the root last; the nearest 64.
};

// What a handler knows of the task it runs, and what it may say while it runs.
//
// Thread-safe. Valid until the handler returns.
class Context {
 public:
  virtual ~Context() = default;

  virtual const platform::TaskId& task_id() const = 0;
  // Number of this dispatch; larger than that of every earlier one of the same task. A system that
  // the handler writes to can refuse a lower number than it has seen, and so shut out a handler
  // that was frozen past its lease.
  virtual uint32_t dispatch() const = 0;
  // From 1.
  virtual uint32_t attempt() const = 0;
  virtual const std::string& type() const = 0;
  virtual const std::string& payload() const = 0;
  virtual const std::string& content_type() const = 0;
  // Results of the dependencies that were marked as arguments, in their order; 64 MiB at most.
  virtual std::span<const TaskArgument> arguments() const = 0;
  // One of them, which must be there.
  const TaskArgument& Argument(size_t index) const { return arguments()[index]; }
  // Of the task's tree; the task itself where it is in none. What the handler spawns goes below it:
  // kantoku::ChildOf(task_id(), root_id()), or all of a client with kantoku::Lineage.
  virtual const platform::TaskId& root_id() const = 0;
  // The task's context, empty where it has none; for what the handler spawns
  // kantoku::InContext(context_id()), or kantoku::Lineage with it.
  virtual const std::string& context_id() const = 0;
  virtual const Provenance& provenance() const = 0;
  // With it as access token the handler spawns children of this task in its owner's name, and does
  // nothing else. Made of the newest lease there is: each is good for an hour, and while this
  // dispatch is held another one comes in time. A secret. Empty where the executor itself has no
  // access token to show.
  virtual std::string task_token() const = 0;
  // What is left of the attempt's time, which stands still while the task is paused; infinite when
  // it has no end, negative when it is over.
  virtual absl::Duration time_left() const = 0;

  // Whether to stop, and why. May still become kLost or kRevoked. A handler that stops returns any
  // error; a result that it returns all the same counts when the cause was kCancelled, kLost or
  // kDraining.
  virtual StopCause stop_cause() const = 0;
  bool cancelled() const { return stop_cause() != StopCause::kNone; }
  // Signalled when `cancelled` becomes true. `std::stop_callback on_stop(context.stop_token(), …)`
  // calls back from a thread of the runtime, which it must not block, and keeps the callback from
  // outliving the handler.
  virtual std::stop_token stop_token() = 0;

  // A place where the handler can be paused: returns at once unless the task is to pause, otherwise
  // when it is resumed, may step, or is to stop. Whether to go on; false means `cancelled`. A
  // handler that is paused keeps its thread; one that runs inline is not paused.
  virtual bool PausePoint() = 0;
  // For work that can be held back at any time from outside, such as a process: `hold(true)` holds
  // it back, `hold(false)` lets it go on, and when that returns the task counts as paused, or as
  // running; the same may be said twice. Calls come one at a time from threads of the runtime,
  // which they must not block; the first may come before this returns. To be withdrawn with an
  // empty function before the handler returns: after that none comes, and none is under way.
  virtual void OnPause(std::function<void(bool)> hold) = 0;

  // Gives the task's reader another item, before the result. OK: the item was taken into a window
  // of at most 1,000 items and 1 MiB that is on its way to Outputs; the handler's result is put
  // only once all its items are durable there, in their order, each once. Waits at most `patience`
  // while the window is full, and not at all in a handler that runs inline.
  //
  // Not OK, and the item was not taken: CANCELLED when the handler is to stop (see `stop_cause`);
  // RESOURCE_EXHAUSTED, WINDOW_FULL: there was no room in time; INVALID_ARGUMENT names the limit:
  // 4 MiB, a content type of 255 bytes of UTF-8, 10,000,000 items. When the handler fails, items
  // that are not durable 5 s later are dropped; what was stored stays readable, and another
  // dispatch begins anew.
  virtual absl::Status Yield(std::string data, std::string_view content_type,
                             absl::Duration patience) = 0;
  absl::Status Yield(std::string data, std::string_view content_type = {}) {
    return Yield(std::move(data), content_type, absl::InfiniteDuration());
  }

  // What the task's earlier dispatches left: the latest checkpoint; empty when there is none.
  virtual const std::string& checkpoint() const = 0;
  // Leaves `data`, at most 1 MiB, to the task's next dispatch, should there be one, in place of
  // what was left before; empty: nothing. OK: it was taken and is on its way to Inputs, and the
  // handler need not wait. It leaves once all items that were yielded before it are durable. Of
  // many in a row only some are recorded, about 20 in a second and in the end the newest. A failure
  // or a hand-back is said to Inputs together with the last one that may leave; only a crash of
  // this process or a loss of the connection can take that away, see AwaitCheckpoint. A task of
  // effect ONCE has no next dispatch: there it does nothing.
  //
  // Not OK, and `data` was not taken: INVALID_ARGUMENT, CHECKPOINT_TOO_LARGE; CANCELLED when the
  // dispatch was taken away, Inputs was not heard for too long, or the executor ends at once.
  virtual absl::Status Checkpoint(std::string data) = 0;
  // Waits until the latest checkpoint of this handler is durable, usually not longer than 50 ms;
  // also when the handler is to stop for a cancellation, a timeout or a drain. Not OK, and the one
  // before may be what the next dispatch gets: RESOURCE_EXHAUSTED, CHECKPOINTS_FULL when Inputs has
  // no room; CANCELLED as above; FAILED_PRECONDITION, WAITS_INLINE in a handler that runs inline.
  virtual absl::Status AwaitCheckpoint() = 0;

  // How far the handler is, from 0 to 1; other values are brought into that range. The message is
  // for people and cut at 4 KiB. Reports may be merged: the last one counts.
  virtual void Progress(double fraction, std::string_view message) = 0;
  // A line in this executor's log, with the task's id.
  virtual void Log(LogLevel level, std::string_view message) = 0;
};

// Runs one task. Called from several threads at once. What it throws counts as a failure.
//
// An error costs an attempt and is tried again as the task's retry policy says. Its reason (see
// platform::Error) and message reach the user; without a reason it is HANDLER_FAILED.
using Handler = std::function<absl::StatusOr<Result>(Context&)>;

// An error that another attempt would not mend: the task ends as FAILED. `reason` is an upper-case
// word of at most 63 bytes, `message` is for people.
absl::Status FailFinally(std::string_view reason, std::string_view message);
// Whether `status` was made by FailFinally.
bool IsFinal(const absl::Status& status);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_HANDLER_H_
