#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_EFFECTS_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_EFFECTS_H_

#include <optional>
#include <string_view>
#include <vector>

#include "services/inputs/engine/types.h"
#include "services/platform/identity/block_list.h"

// What the engine wants done. Records are to be committed first; messages leave only when they are
// durable. Within one kind, order matters.
namespace kantoku::inputs {

// ---- Records ----

// What happened to a living task since it was accepted. Absent while nothing unusual did; never
// written for an ordinary dispatch.
struct StateRecord {
  uint32_t closed_dispatch = 0;  // This and earlier dispatches are over.
  uint32_t failed_attempts = 0;
  bool cancel_requested = false;
  bool once_begun = false;           // Of effect ONCE, and may have begun: never dispatched again.
  bool interrupt_requested = false;  // Goes with cancel_requested.
  bool pause_requested = false;
  bool stepping = false;  // Goes with pause_requested: runs to its next pause point.
  std::optional<TaskState> intended_end;   // Set while SETTLING.
  std::optional<absl::Time> not_before;    // Of a backoff.
  std::optional<absl::Time> stop_by;       // Of a held dispatch: when its executor is overruled.
  CauseTimes waited{};                     // What it has waited for …
  std::optional<absl::Time> waited_until;  // … until then; absent in records of old.
  Failure last_failure;
  FailedAttempts attempts;
  bool operator==(const StateRecord&) const = default;
};

// One row for all dispatches of a group.
struct DispatchGroupRecord {
  struct Entry {
    TaskKey task;
    uint32_t dispatch;
    SessionNumber session;
    bool operator==(const Entry&) const = default;
  };
  std::vector<Entry> entries;
  std::optional<absl::Time> at;  // When they were dispatched; absent in records of old.
  bool operator==(const DispatchGroupRecord&) const = default;
};

struct SessionRecord {
  SessionId id;
  Caller caller;
  std::string name_space;
  bool operator==(const SessionRecord&) const = default;
};

// Who holds a reference: outlives the task by its history.
struct ReferenceRecord {
  TaskId task;
  std::string name_space;
  std::string owner;
  std::string reference;
  SpecHashes hashes{};
  TaskId parent;  // Where a handler spawned it with a task token: references are its task's then.
  bool operator==(const ReferenceRecord&) const = default;
};

// What was asked of a whole tree, by the key of its root: of the members it had and of those that
// it gets. Lives as long as the tree; one that asks to resume, until every member has heard of it.
struct TreeRecord {
  TaskId root;
  ControlVerb verb = ControlVerb::kCancel;
  bool swept = false;                     // Every member of then has heard of it.
  std::optional<uint32_t> escalation_ms;  // Of an interrupt that names one.
  bool operator==(const TreeRecord&) const = default;
};

// A task that ended, but not as SUCCEEDED, by its key, as long as others wait for it that have not
// heard of it.
struct EndedDependencyRecord {
  TaskId task;
  TaskState end = TaskState::kFailed;
  bool operator==(const EndedDependencyRecord&) const = default;
};

// What a dead task was restarted as, by its key: goes when it is forgotten.
struct RestartRecord {
  TaskId successor;
  bool operator==(const RestartRecord&) const = default;
};

// A result of a PURE task that may be reused, by the task's key: of equal tasks the latest. Times
// are of the wall clock.
struct ReuseRecord {
  TaskId task;
  Digest equal;           // As TaskSpec.equal.
  absl::Time ended;       // As far as Inputs knows.
  absl::Time held_until;  // By Outputs, at least.
  bool operator==(const ReuseRecord&) const = default;
};

// A spawn call that may be repeated. Ids follow from `first_sequence`, `created` and `random`, but
// for the exceptions: items whose reference was taken, whose result is reused, or that were
// refused.
struct RequestRecord {
  // Stands in `conflict` where a field's name would.
  static constexpr std::string_view kReused = "(reused)";
  struct Exception {
    uint32_t index;
    TaskId holder;  // Of the reference, or of the result; empty: the item was refused.
    // The field that differs; empty: an equal spec, `holder` is the answer; kReused: its result is
    // reused. Of a refused item: why.
    std::string conflict;
    uint32_t count = 1;  // Of items in a row that found no room.
    bool operator==(const Exception&) const = default;
  };
  Digest request;  // Of namespace, owner, handler and request id.
  Digest content;
  absl::Time created;
  uint32_t slot = 0;
  uint64_t first_sequence = 0;
  uint32_t count = 0;  // Items, exceptions included.
  uint64_t random = 0;
  std::vector<Exception> exceptions;
  bool operator==(const RequestRecord&) const = default;
};

// Which executors may get tasks of a type, beside what each task asks for.
struct RouteRecord {
  std::string name_space;
  std::string type;
  std::optional<Selector> selector;  // Always there.
  bool operator==(const RouteRecord&) const = default;
};

// What is set for a key of tasks.
struct LimitRecord {
  std::string name_space;
  KeyName name;
  LimitValue value;
  bool transient = false;  // A task has set it: it goes when none names it any more.
  bool operator==(const LimitRecord&) const = default;
};

// A type, or a whole namespace, of which nothing is dispatched. Numbered together with limits.
struct PauseRecord {
  std::string name_space;
  std::string type;    // Empty: all.
  std::string reason;  // For people.
  bool operator==(const PauseRecord&) const = default;
};

template <typename Record>
struct Change {
  uint64_t key;
  std::optional<Record> record;  // Absent: erase.
};

// ---- Messages ----

struct DispatchMessage {
  ConnectionId connection;
  TaskId task;
  uint32_t dispatch;
  uint32_t attempt;
  SessionId session;
  Caller holder;
  std::string_view name_space;  // Of the engine; see Engine::FreeUnused.
  std::string_view owner;
  std::string_view type;
  uint32_t timeout_ms;
  uint32_t retention_s;
  bool confirm_start;  // The handler begins only after a StartMessage.
  bool pause;          // The handler stops at its first pause point.
  TaskId root;         // Of its tree; empty where it is in none.
  bool arguments;      // Results of dependencies, which its spec names, are arguments.
  std::shared_ptr<const Info> info;  // Null: none.
  Provenance provenance;
};

// The handler of a dispatch may begin.
struct StartMessage {
  ConnectionId connection;
  TaskId task;
  uint32_t dispatch;
};

// The wire's numbers.
enum class HandlerAction : uint8_t { kCancel = 1, kRevoke, kInterrupt, kPause, kResume, kStep };

struct HandlerMessage {
  ConnectionId connection;
  TaskId task;
  uint32_t dispatch;
  HandlerAction action;
  std::string_view reason;  // Static storage.
  uint32_t number;          // Of the pauses, resumptions and steps of this dispatch; else 0.
};

enum class ExecutorVerb : uint8_t { kDrain = 1, kBounce, kKick };

// What an operator asks of an executor.
struct ExecutorMessage {
  ConnectionId connection;
  ExecutorVerb verb;
  absl::Duration delay;  // Of kBounce.
};

// Asks Outputs to close a dispatch, or to take an end that Inputs decided.
struct FenceMessage {
  struct Settlement {
    TaskState end;  // kFailed or kCancelled.
    Failure failure;
    uint32_t retention_s;
  };
  TaskId task;
  uint32_t dispatch;
  std::string_view name_space;  // Of the engine; see Engine::FreeUnused.
  std::string_view owner;
  std::optional<Settlement> settlement;
};

struct CloseMessage {
  ConnectionId connection;
  absl::Status why;
};

enum class EventType : uint8_t {
  kTaskCreated = 1,
  kTaskReceived,
  kTaskStarted,
  kTaskProgress,
  kTaskRetried,
  kTaskReturned,
  kTaskCancelling,
  kTaskFinished,
  kExecutorConnected,
  kExecutorDisconnected,
  kExecutorLost,
  kTaskInterrupting,
  kTaskPausing,
  kTaskPaused,
  kTaskResuming,
  kTaskResumed,
};

struct EventMessage {
  EventType type;
  TaskId task;                  // Empty when it is about none.
  std::string_view name_space;  // Of the engine; see Engine::FreeUnused.
  std::string_view owner;
  std::string_view task_type;
  uint32_t dispatch = 0;
  SessionId session;
  std::optional<TaskState> state;
  Failure failure;
  float progress = -1;
  uint32_t skipped = 0;  // Reports of progress since the last event that this one stands for.
};

// Everything that commands of one group brought about.
//
// Thread-compatible.
struct Effects {
  std::vector<TaskKey> erased_specs;
  std::vector<Change<StateRecord>> states;
  std::vector<Change<DispatchGroupRecord>> groups;
  std::vector<Change<SessionRecord>> sessions;
  std::vector<Change<ReferenceRecord>> references;
  std::vector<Change<RequestRecord>> requests;
  std::vector<Change<TreeRecord>> trees;
  std::vector<Change<EndedDependencyRecord>> ended_dependencies;
  std::vector<Change<RouteRecord>> routes;
  std::vector<Change<platform::Block>> blocks;  // Numbered together with routes.
  std::vector<Change<LimitRecord>> limits;
  std::vector<Change<PauseRecord>> pauses;
  std::vector<Change<RestartRecord>> restarts;
  std::vector<Change<Info>> infos;  // By task: of those that were patched.
  std::vector<Change<ReuseRecord>> reuses;
  std::vector<Change<uint64_t>> high_water;  // By slot: sequences below are used or reserved.
  std::vector<Change<std::vector<TaskView>>> history;  // Succeeded tasks, one row a group.
  std::vector<Change<std::vector<TaskView>>> dead;     // Failed and cancelled ones.

  std::vector<DispatchMessage> dispatches;
  std::vector<DispatchMessage> renewals;  // New lease tokens for held dispatches.
  std::vector<StartMessage> starts;
  std::vector<HandlerMessage> controls;
  std::vector<ExecutorMessage> executor_controls;
  std::vector<FenceMessage> fences;
  std::vector<CloseMessage> closes;
  std::vector<EventMessage> events;

  // Empties it and keeps its memory.
  void Clear();
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_EFFECTS_H_
