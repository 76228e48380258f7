#ifndef KANTOKU_TASK_INFO_H_
#define KANTOKU_TASK_INFO_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/output.h"
#include "kantoku/task.h"
#include "kantoku/task_id.h"

namespace kantoku {

// Where a task stands. The last three are final. A state that this version does not know is
// kUnknown.
enum class TaskState {
  kUnknown,
  kBlocked,       // Waits for tasks that it depends on.
  kScheduled,     // Waits for a time.
  kReady,         // Waits for an executor that has room.
  kLeased,        // Held by an executor that has not begun it.
  kRunning,       // Its handler runs.
  kCancelling,    // Asked to stop, not confirmed yet.
  kInterrupting,  // Likewise, and soon stopped by force.
  kPausing,       // Asked to pause, not confirmed yet.
  kPaused,        // Not run, or held back at a pause point.
  kResuming,      // Asked to go on, not confirmed yet.
  kSettling,      // Its end is decided and on the way to Outputs.
  kSucceeded,
  kFailed,
  kCancelled,
};

// Why a task waits.
enum class WaitCause {
  kNone,
  kDelay,               // Its time has not come.
  kBackoff,             // The pause between two attempts.
  kFence,               // The earlier dispatch must be closed first.
  kNoImplementation,    // No connected executor implements the type.
  kNoCredit,            // Executors implement it, and all are full.
  kExecutorQueue,       // Held by an executor that has not begun it.
  kPlacementUnmatched,  // Executors implement it, and the task's placement fits none.
  kPaused,              // Somebody has paused it, its type or its namespace.
  kDependency,          // Tasks that it depends on have not ended.
  kOrderingKey,         // An earlier task of its ordering key has not ended.
  kConcurrencyKey,      // As much runs as its concurrency key allows.
  kRateKey,             // The bucket of its rate key holds too little.
  kFairnessTurn,        // Another fairness key has its turn first.
  kRecovering,          // The server was away.
};

// How long something was waited for.
struct Wait {
  WaitCause cause = WaitCause::kNone;
  absl::Duration time;
  bool operator==(const Wait&) const = default;
};

// What may be asked of a task, or of a tree.
enum class ControlVerb {
  kCancel,     // Stop soon: what waits ends, what runs is asked.
  kInterrupt,  // As kCancel, and by force when the escalation time is over.
  kPause,      // Not run until it is resumed; a handler stops at its next pause point.
  kResume,     // Undoes kPause.
  kStep,       // Of what is paused: run to the next pause point.
};

struct ControlOptions {
  bool tree = false;  // The task is a root, and all that was and will be spawned below it is meant.
  // Of an interrupt, of which the first two figures count. 0 to 1 h; 5 s.
  std::optional<absl::Duration> escalation;
  std::string why{};  // For the audit trail. At most 256 bytes without control characters.
};

// Lower-case words, as in "running" and "no_implementation".
std::string_view ToString(TaskState state);
std::string_view ToString(WaitCause cause);
std::string_view ToString(OutputStatus status);
std::string_view ToString(ControlVerb verb);
// The state of such a word; absent when it is none.
std::optional<TaskState> ParseTaskState(std::string_view word);

// Who caused a task, as the server knows it.
struct Provenance {
  std::string user;         // Who began it all: the owner of the task.
  std::string app;          // With which the root of its tree was spawned; empty: not recorded.
  std::string spawner_app;  // With which it was spawned itself, or restarted.
  // Of the parent's executor, where the handler spawned it with its task token; else empty.
  std::string spawner_executor_owner;
  std::vector<TaskId> ancestors;  // The parent first, the root last; the nearest 64.
};

// An attempt that failed, timed out or was lost.
struct FailedAttempt {
  uint32_t dispatch = 0;  // Number of the dispatch that it was.
  absl::Time ended_at;
  TaskError error;
};

// What the server knows of a task.
struct TaskInfo {
  TaskId id;
  std::string namespace_name;
  std::string owner;
  std::string type;
  std::string reference;
  int32_t priority = 0;
  TaskState state = TaskState::kUnknown;
  WaitCause wait_cause = WaitCause::kNone;
  std::string wait_detail;  // For people, where there is more to say than the cause.
  uint32_t failed_attempts = 0;
  uint32_t dispatch = 0;   // Number of the latest; 0 when it was never dispatched.
  std::string session_id;  // Of the executor that holds it; empty when none does.
  absl::Time created_at;
  std::optional<absl::Time> ended_at;
  std::optional<TaskError> last_error;
  std::vector<FailedAttempt> attempts;  // Oldest first, the newest ten. Not in lists.
  std::optional<double> progress;       // From 0 to 1.
  // The selector in its canonical form; absent when there is none, and once the task has ended.
  std::optional<PlacementPolicy> placement;
  TaskKeys keys;          // With the limits as they are now; empty once the task has ended.
  TaskId parent;          // Whose handler spawned it; empty when none did.
  TaskId root;            // Of its tree, perhaps itself; empty when it is in none.
  TaskId restarted_from;  // The dead task that it repeats; empty when it is no restart.
  TaskId restarted_as;    // The task that repeats it; empty when it was not restarted.
  uint32_t open_dependencies = 0;  // How many tasks it still waits for.
  // What it has waited for so far, each cause once: together the time since its spawn, less that of
  // its handlers. Of single tasks, not in lists; none once it has ended.
  std::vector<Wait> waits;
  std::map<std::string, std::string> info;  // As patched last; of what has ended as it was then.
  uint64_t info_revision = 0;               // Patches of the info so far.
  std::string context_id;
  Provenance provenance;
};

// A change of a task's info; removes first.
struct InfoPatch {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
  std::optional<uint64_t> expected_revision;  // Only of this one.
  std::string why{};  // For the audit trail. At most 256 bytes without control characters.
};

// In which order a list shows tasks; equal ones in the order of their spawn.
enum class TaskSort : uint8_t {
  kNone,      // Living ones in the order of their spawn, then ended ones, newest end first.
  kCreated,   // By the time of their spawn.
  kEnded,     // By the time of their end; living ones are behind all others.
  kPriority,  // By their priority.
};

// Which tasks a list shall hold.
struct TaskQuery {
  std::string type;               // Empty means all.
  std::vector<TaskState> states;  // None means all.
  TaskId root;                    // Only tasks of this tree; empty means all.
  uint32_t page_size = 0;         // 0 means the server's default, 100; at most 1,000.
  std::string page_token;         // From the page before; empty means the first page.
  // Selector over the info, and over `task.type`, `task.state` and more (ListTasksRequest.filter).
  std::string filter;
  std::string context_id;  // Only tasks of this context; empty means all.
  TaskSort sort = TaskSort::kNone;
  bool descending = false;  // The other way round; goes with a sort.
};

struct TaskPage {
  std::vector<TaskInfo> tasks;  // In the order of the query's sort.
  std::string next_page_token;  // Empty on the last page.
};

// Which dead tasks are to be restarted. All that is set must hold.
struct DeadTaskQuery {
  std::string type;                        // Empty means all.
  std::string reason;                      // Of the last failure, such as TIMEOUT; empty means all.
  std::vector<TaskState> states;           // Of kFailed and kCancelled; none means both.
  TaskId root;                             // Only tasks of this tree; empty means all.
  std::string filter;                      // As in TaskQuery.
  std::string context_id;                  // Only tasks of this context; empty means all.
  std::optional<absl::Time> ended_after;   // At this time or later.
  std::optional<absl::Time> ended_before;  // Before this time.
  uint32_t page_size = 0;                  // 0 means the server's default, 100; at most 1,000.
  std::string page_token;                  // From the page before; empty means the first page.
};

struct RestartOptions {
  bool dry_run = false;  // Nothing is restarted: the answer says what would be.
  std::string why{};     // For the audit trail. At most 256 bytes without control characters.
};

// A dead task and what became of its restart.
struct RestartedTask {
  TaskId dead;
  absl::Status status;   // OK; else why it was not restarted, and nothing below counts.
  TaskId id;             // The new task; empty in a dry run, unless there is one.
  bool created = false;  // False when it had been restarted before, and in a dry run.
};

struct RestartPage {
  // Of ids in their order. Of a query pages go from the oldest end to the newest, and each in the
  // order of spawn: a task follows those that it depends on, and waits for their restarts.
  std::vector<RestartedTask> tasks;
  std::string next_page_token;  // Empty on the last page.
};

// An executor's session.
struct ExecutorInfo {
  std::string session_id;
  std::string name;
  std::string executor_owner;
  std::string client_id;
  std::vector<std::string> types;
  // All that selectors look at: its own, and `executor`, `app`, `owner` and `version`.
  std::map<std::string, std::string> labels;
  std::string version;     // Of its program.
  bool connected = false;  // Otherwise its grace runs.
  uint32_t max_held = 0;
  uint32_t held = 0;
  bool leaving = false;  // Was asked to drain, to bounce or to end: gets nothing new.
  absl::Time connected_at;
};

// What may be asked of an executor.
enum class ExecutorVerb : uint8_t {
  kDrain = 1,  // Takes nothing more, hands back its queue, finishes what runs, and ends.
  kBounce,     // Leaves the connection, and comes back after the delay as the same session.
  kKick,       // As kDrain, but asks its handlers to stop at once.
};

struct ExecutorControlOptions {
  absl::Duration delay;  // Of kBounce: how long to stay away, at most 1 h.
  std::string why{};     // For the audit trail. At most 256 bytes without control characters.
};

// What an operator says of a change.
struct ChangeOptions {
  std::string why{};  // For the audit trail. At most 256 bytes without control characters.
};

// Which executors get tasks of a type at all, beside what each task asks for.
struct Route {
  std::string type;
  std::string selector;
};

}  // namespace kantoku

#endif  // KANTOKU_TASK_INFO_H_
