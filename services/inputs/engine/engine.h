#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_ENGINE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_ENGINE_H_

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/container/node_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/inputs/engine/admission.h"
#include "services/inputs/engine/attempt_book.h"
#include "services/inputs/engine/commands.h"
#include "services/inputs/engine/deadline_book.h"
#include "services/inputs/engine/dependency_table.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/history.h"
#include "services/inputs/engine/indexed_heap.h"
#include "services/inputs/engine/interner.h"
#include "services/inputs/engine/matcher.h"
#include "services/inputs/engine/quota_book.h"
#include "services/inputs/engine/request_book.h"
#include "services/inputs/engine/restart_book.h"
#include "services/inputs/engine/reuse_index.h"
#include "services/inputs/engine/session_table.h"
#include "services/inputs/engine/task_filter.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/tree_table.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/engine/wait_book.h"
#include "services/platform/clock.h"
#include "services/platform/identity/block_list.h"

namespace kantoku::inputs {

struct EngineOptions {
  uint32_t slot_count = platform::kSlotCount;
  size_t max_pending = 10'000'000;
  std::vector<Quota> quotas;     // Each namespace, and each type of it, once.
  size_t max_types = 100'000;    // That living tasks and sessions name, placements counted apart.
  size_t max_selectors = 1'000;  // Different ones of living tasks, in a namespace.
  size_t max_routes = 10'000;
  size_t max_dependencies = 10'000'000;  // That living tasks wait for.
  size_t max_keys = 1'000'000;  // That living tasks name or limits are set for, in a namespace.
  size_t max_pauses = 10'000;
  size_t max_blocks = 10'000;
  size_t max_info_bytes = size_t{1} << 30;       // Of living tasks, as BytesOf tells.
  size_t wait_intervals = CauseLog::kIntervals;  // That a lane or a key knows apart.
  size_t idle_names = 1'000;  // Types, origins and policies that are kept though nobody uses them.
  uint32_t max_session_credit = 1'000;
  uint32_t max_dispatches = 100;
  absl::Duration grace = absl::Seconds(20);
  absl::Duration start_timeout = absl::Minutes(1);
  absl::Duration cancel_timeout = absl::Seconds(30);
  absl::Duration interrupt_timeout = absl::Seconds(5);  // Where the interrupt names none.
  size_t tree_sweep = 2'000;        // Members that hear in one group of what their tree is asked.
  size_t dependency_sweep = 4'000;  // Waiters that hear in one group of what they wait for.
  absl::Duration renew_interval = absl::Minutes(15);
  absl::Duration progress_interval = absl::Seconds(1);  // Of a task, between two events.
  absl::Duration history = absl::Hours(1);
  size_t max_history = 1'000'000;
  absl::Duration dead_retention = absl::Hours(24 * 7);
  size_t max_dead = 1'000'000;
  uint64_t max_dead_bytes = uint64_t{4} << 30;
  absl::Duration request_memory = absl::Minutes(10);
  size_t max_requests = 1'000'000;
  size_t max_repeats = 2'000'000;  // Of references in calls that are remembered, 56 bytes each.
  size_t max_reusable = 200'000;  // Results of PURE tasks that may be reused, about 150 bytes each.
  uint64_t seed = 0;              // Of the jitter.
};

// The scheduling core of one partition: a state machine that knows every living task, decides who
// runs what and when, and says in `effects` what is to be recorded and sent.
//
// Guarantees: deterministic: equal options, recovery, commands and times give equal effects. A task
// that was accepted ends exactly once. A dispatch follows another of the same task only after
// Outputs has closed the earlier one. Records are such that an engine recovered from any prefix of
// committed groups goes on correctly.
//
// Confined to one thread. It has no clock, no threads and no I/O: times are parameters, crypto
// (receipts, tokens) is done by the caller. Commands about one dispatch answer NOT_FOUND, NOT_HELD
// or STALE_DISPATCH when it is not held by that session under that number.
class Engine {
 public:
  explicit Engine(const EngineOptions& options);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  // ---- Recovery: before the first command, in this order ----
  void RecoverHighWater(uint32_t slot, uint64_t reserved);
  void RecoverHistory(uint64_t row, const std::vector<TaskView>& tasks);
  void RecoverDead(uint64_t row, const std::vector<TaskView>& tasks);
  void RecoverSession(SessionNumber number, const SessionRecord& record);
  void RecoverTask(const TaskId& id, std::string_view name_space, std::string_view owner,
                   const TaskSpec& spec);
  void RecoverState(TaskKey task, const StateRecord& record);
  void RecoverGroup(uint64_t number, const DispatchGroupRecord& record);
  void RecoverTree(const TreeRecord& record);
  void RecoverEndedDependency(const EndedDependencyRecord& record);
  void RecoverReference(const ReferenceRecord& record);
  void RecoverRequest(uint64_t number, RequestRecord record);
  void RecoverRoute(uint64_t number, const RouteRecord& record);
  void RecoverLimit(uint64_t number, const LimitRecord& record);
  void RecoverPause(uint64_t number, const PauseRecord& record);
  void RecoverBlock(uint64_t number, const platform::Block& block);
  void RecoverRestart(TaskKey dead, const RestartRecord& record);
  void RecoverInfo(TaskKey task, Info record);
  void RecoverReuse(const ReuseRecord& record);
  // Queues what waits, starts a fresh grace for what is leased, asks again for open fences.
  void FinishRecovery(const platform::Now& now, Effects& effects);

  // ---- Users ----
  // The tasks, none of which is living, that the batch depends on: whoever can says in the command
  // how they ended. In ascending order, each once; none when the request is known.
  std::vector<TaskId> EndedDependencies(const SpawnCommand& command) const;
  // Accepts what has room within the quotas, and the batch but for that, or nothing:
  // PERMISSION_DENIED, STALE_TASK_TOKEN when the handler's dispatch is not held any more, also when
  // the request is known; RESOURCE_EXHAUSTED, PENDING_LIMIT, TYPE_LIMIT, PLACEMENT_LIMIT,
  // DEPENDENCY_LIMIT, KEY_LIMIT, INFO_LIMIT or REPEAT_LIMIT;
  // INVALID_ARGUMENT, REQUEST_ID_REUSED when the request id came with other content before.
  absl::StatusOr<SpawnOutcome> Spawn(const SpawnCommand& command, const platform::Now& now,
                                     Effects& effects);
  // The state after the request, of a tree its root's, SETTLING when that has ended. Of a task,
  // repeats change nothing, but for steps and for interrupts that leave less time; a tree is asked
  // anew, whatever single tasks of it were asked since. NOT_FOUND, NO_SUCH_TASK when neither the
  // task nor, with `tree`, anything below it is living: it may have ended. FAILED_PRECONDITION,
  // TASK_STOPPING when a task that is being stopped is to pause, resume or step; NOT_PAUSED when
  // one that is not paused is to step.
  absl::StatusOr<TaskState> Control(const ControlCommand& command, const platform::Now& now,
                                    Effects& effects);

  // What to restart a dead task as, of its row and of its spec as it was recorded: with the info of
  // its end; in place of dependencies that have been restarted with the newest restart of each; and
  // those that have ended, however they did, do not hold it up again. With the provenance of the
  // dead one; which app restarts it the caller sets.
  TaskSpec SpecOfRestart(const TaskView& dead, TaskSpec spec) const;
  // A task that was none: it was refused, and Outputs has its end. It is kept among the dead,
  // unless its key is another's.
  void Bury(TaskView refused);
  // A new task in place of a dead one, as its row has it, with the spec of SpecOfRestart. It has
  // the dead one's reference from now on. FAILED_PRECONDITION, TREE_STOPPING when its tree or
  // parent is being stopped; REFERENCE_TAKEN; NO_SUCH_LIMIT and COST_EXCEEDS_BURST as Spawn says of
  // an item; RESOURCE_EXHAUSTED as Spawn. Not to be asked of one that has a successor.
  absl::StatusOr<TaskId> Restart(const TaskView& dead, const TaskSpec& spec, uint64_t random,
                                 const platform::Now& now, Effects& effects);
  // What Restart would answer, were it asked now.
  absl::Status CheckRestart(const TaskView& dead, const TaskSpec& spec) const;

  // Of a living task. NOT_FOUND, NO_SUCH_TASK; ABORTED, REVISION_DIFFERS; INVALID_ARGUMENT as
  // MakeInfo; RESOURCE_EXHAUSTED, INFO_LIMIT. A patch that changes nothing leaves the revision.
  InfoAnswer PatchInfo(const InfoPatch& patch, Effects& effects);

  // ---- Executors ----
  // A verdict for each held dispatch; for what is kept, LeaseOf tells what a new token is of. A
  // session that is connected elsewhere loses that connection. PERMISSION_DENIED, FOREIGN_SESSION
  // when it belongs to another caller or namespace; ABORTED, STALE_CONNECTION after a later
  // connection; UNAUTHENTICATED, BLOCKED; RESOURCE_EXHAUSTED, TYPE_LIMIT.
  absl::StatusOr<std::vector<HeldVerdict>> OpenSession(const OpenSessionCommand& command,
                                                       const platform::Now& now, Effects& effects);
  void SetCredit(ConnectionId connection, uint32_t max_held);
  // Whether the session is to get nothing new, whatever its credit; ends with the connection.
  void SetPaused(ConnectionId connection, bool paused);
  // Whether a handler of this connection's session has started and not ended.
  bool HasBegun(ConnectionId connection) const;
  // From now on nothing is dispatched.
  void Drain() { draining_ = true; }
  // The connection ended: grace begins, or the session ends when it holds nothing.
  void CloseConnection(ConnectionId connection, const platform::Now& now, Effects& effects);
  // Of effect ONCE: the handler may begin when the effects are durable, unless it is to be
  // cancelled. Said again, it is confirmed again.
  absl::Status Started(ConnectionId connection, const TaskId& task, uint32_t dispatch,
                       const platform::Now& now, Effects& effects);
  // The handler has paused, or goes on, as it was told; see HandlerStatusCommand. One that is
  // paused and is not to be is told to go on.
  absl::Status HandlerStatus(ConnectionId connection, const HandlerStatusCommand& command,
                             const platform::Now& now, Effects& effects);
  // A genuine receipt finishes the task whoever shows it; one for a task that is gone is fine.
  void Finished(const TaskId& task, uint32_t dispatch, const platform::Now& now, Effects& effects);
  // The session says that the task is done and cannot prove it: the dispatch is taken back, and the
  // fence tells whether there is a result. Nothing happens when the session does not hold it.
  void Disproved(ConnectionId connection, const TaskId& task, uint32_t dispatch,
                 const platform::Now& now, Effects& effects);
  // The dispatch, as LeaseOf gave it, could not be sent: it is taken back. Nothing happens when it
  // is over.
  void Unsent(const TaskId& task, uint32_t dispatch, const platform::Now& now, Effects& effects);
  absl::Status Nack(ConnectionId connection, const NackCommand& command, const platform::Now& now,
                    Effects& effects);
  // OK, or why the dispatch is not this session's: NOT_HELD, STALE_DISPATCH.
  absl::Status CheckHeld(ConnectionId connection, const TaskId& task, uint32_t dispatch) const {
    return FindHeld(connection, task, dispatch).status();
  }
  // Shown at once; told as an event at once or, when the last one was a moment ago, with what else
  // comes until the interval is over: the newest of them.
  absl::Status Progress(ConnectionId connection, const TaskId& task, uint32_t dispatch,
                        double fraction, std::string_view message, const platform::Now& now,
                        Effects& effects);

  // ---- Operators ----
  // From now on tasks of the type go to executors that match the selector, too; nullopt: to all
  // again. RESOURCE_EXHAUSTED, ROUTE_LIMIT; NOT_FOUND, NO_SUCH_ROUTE when there is none to remove.
  absl::Status SetRoute(std::string_view name_space, std::string_view type,
                        const std::optional<Selector>& selector, const platform::Now& now,
                        Effects& effects);
  // In the order of their types.
  std::vector<RouteRecord> Routes(std::string_view name_space) const;
  // Tells the executor, which gets nothing new on its connection from now on. NOT_FOUND,
  // NO_SUCH_SESSION; PERMISSION_DENIED, NOT_YOUR_EXECUTOR unless the viewer would see the tasks of
  // whoever connected it; FAILED_PRECONDITION, NOT_CONNECTED. `delay` is that of kBounce.
  absl::Status ControlExecutor(std::string_view name_space, const platform::Viewer& viewer,
                               const SessionId& session, ExecutorVerb verb, absl::Duration delay,
                               Effects& effects);

  // Whom it matches has no session from now on and gets none: what those held is taken back, and
  // goes on elsewhere when it is fenced. Replaces a block of the same names. RESOURCE_EXHAUSTED,
  // BLOCK_LIMIT.
  absl::Status SetBlock(const platform::Block& block, const platform::Now& now, Effects& effects);
  // NOT_FOUND, NO_SUCH_BLOCK.
  absl::Status LiftBlock(const platform::BlockNames& names, Effects& effects);
  const platform::BlockList& blocks() const { return blocks_; }
  // The session of this connection ends as if it were blocked, but may be opened again: whoever
  // opened it was refused.
  void RefuseConnection(ConnectionId connection, const absl::Status& why, const platform::Now& now,
                        Effects& effects);

  // What goes with the key's kind. Holds at once for what waits. RESOURCE_EXHAUSTED, KEY_LIMIT.
  absl::Status SetLimit(std::string_view name_space, const KeyName& name, const LimitValue& value,
                        const platform::Now& now, Effects& effects);
  // NOT_FOUND, NO_SUCH_LIMIT; FAILED_PRECONDITION, LIMIT_IN_USE while living tasks name the key,
  // unless it is a weight.
  absl::Status RemoveLimit(std::string_view name_space, const KeyName& name, Effects& effects);
  // In the order of their names behind `from` (nullopt: from the start), at most `limit`, perhaps
  // fewer; sets `from` to where to go on, nullopt at the end.
  std::vector<LimitView> Limits(std::string_view name_space, size_t limit,
                                std::optional<std::string>& from, const platform::Now& now) const;
  // Nothing of the type, or where it is empty of the namespace, is dispatched until that is lifted.
  // RESOURCE_EXHAUSTED, PAUSE_LIMIT; NOT_FOUND, NO_SUCH_PAUSE when there is none to lift.
  absl::Status SetPause(std::string_view name_space, std::string_view type, bool paused,
                        std::string_view reason, const platform::Now& now, Effects& effects);
  // In the order of their types.
  std::vector<PauseRecord> Pauses(std::string_view name_space) const;

  // ---- Outputs ----
  // Answer to a FenceMessage: the terminal state of the task in Outputs, or nullopt: closed.
  void FenceAnswered(const TaskId& task, uint32_t dispatch, std::optional<TaskState> terminal,
                     const platform::Now& now, Effects& effects);

  // ---- Time ----
  // Does what is due and dispatches what can be; to be called once per group, last.
  void FinishGroup(const platform::Now& now, Effects& effects);
  // Whether FinishGroup may have something to dispatch already.
  bool MayDispatch() const { return !draining_ && (matcher_.MayMatch() || admission_.MayOffer()); }
  // The effects of every finished group have been used up: names of theirs that nobody uses any
  // more go. Between FinishGroup and the next command.
  void FreeUnused();
  // Steady time of the next thing that is due without a command.
  absl::Duration NextWake(const platform::Now& now) const;

  // ---- Questions ----
  // A living task.
  std::optional<TaskView> Find(const TaskId& task) const;
  // Whether one with this key lives, or is in a list.
  bool KnowsKey(TaskKey key) const;
  // Of a living task, which must be there.
  Provenance ProvenanceOf(const TaskId& task) const { return ProvenanceOf(tasks_.Find(task)); }
  // What TaskSpec::order is to be when a living task is recovered.
  TaskKey OrderOf(const TaskId& task) const;
  // What a living task has waited for. The times sum up to the time since its spawn, less the time
  // of its handlers and that in which it ends; of what was before a restart, RECOVERING is what no
  // record tells.
  std::optional<CauseTimes> WaitsOf(const TaskId& task, const platform::Now& now) const;
  // Any living task of a tree; nullopt when there is none, or the root is in no tree.
  std::optional<TaskView> FindInTree(const TaskId& root) const;
  // What all tasks have waited together, by type; see WaitBook::Totals.
  const WaitBook::TypeTotals& WaitsByType(const platform::Now& now);
  // What the handler of a held dispatch was told and is still to heed; nullopt when it is nothing.
  std::optional<HandlerMessage> StandingControl(const TaskId& task) const;
  // Tasks that ended since the last FinishGroup: what its rows will hold.
  const std::vector<TaskView>& ended() const { return ended_; }
  const std::vector<TaskView>& died() const { return died_; }
  // The record rows that may hold an ended task; of a task that ended in the open group, the row
  // that FinishGroup will make.
  std::optional<uint64_t> FindHistory(TaskKey task) const { return history_.Find(task); }
  std::optional<uint64_t> FindDead(TaskKey task) const { return dead_.Find(task); }
  // What a dead task was restarted as, for as long as it is not forgotten; empty: it was not.
  TaskId RestartedAs(TaskKey dead) const { return restarts_.SuccessorOf(dead); }
  const History& history() const { return history_; }
  const History& dead() const { return dead_; }
  // The dispatch that is held of a task, as it was sent; nullopt when none is. Good until the next
  // command.
  std::optional<DispatchMessage> LeaseOf(const TaskId& task) const;
  // Living tasks in spawn order from `from` on, at most `limit`; looks at no more than `budget`
  // tasks and sets `from` to where to go on, nullopt at the end.
  std::vector<TaskView> List(const TaskFilter& filter, size_t limit, size_t budget,
                             std::optional<TaskKey>& from) const;
  std::vector<SessionView> Sessions(std::string_view name_space) const;
  size_t pending() const { return tasks_.size(); }
  uint32_t SlotOf(std::string_view name_space) const;

 private:
  struct PlaceOfTask {
    TaskTable* tasks;
    uint32_t& operator()(TaskIndex task) const { return tasks->at(task).wake_position; }
  };
  struct PlaceOfSession {
    SessionTable* sessions;
    uint32_t& operator()(SessionNumber n) const { return sessions->at(n).wake_position; }
  };
  struct Reference {
    TaskId task;
    SpecHashes hashes;
  };
  // Whose a task is, and who spawned it.
  struct Origin {
    std::string owner;
    std::string app;
    std::string executor_owner;  // As in Provenance, and
    std::string spawn_scope;     // likewise.
    bool operator==(const Origin&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Origin& o) {
      return H::combine(std::move(h), o.owner, o.app, o.executor_owner, o.spawn_scope);
    }
  };
  // Of a held dispatch.
  struct LatestProgress {
    float fraction = 0;
    std::string message;
    uint32_t skipped = 0;  // Reports that came between the last event and the latest report.
    absl::Duration quiet_until = -absl::InfiniteDuration();  // Steady; no event before.
    std::optional<absl::Duration> due;  // When the latest is told; nullopt: it has been.
  };
  struct Route {
    uint64_t number;  // Of its record.
    Selector selector;
  };
  struct TypePause {
    uint64_t number;  // Of its record.
    std::string reason;
  };
  struct Refusal {
    std::string_view word;  // Empty: none.
    std::string about;
  };
  struct Group {
    uint64_t number = 0;
    uint32_t open = 0;               // Dispatches that are not over.
    std::optional<absl::Time> at{};  // Of a recovered one: when it was.
  };
  // Of a living task of effect PURE.
  struct Pure {
    Digest equal;
    absl::Time result_after;  // There was none before.
  };
  // Of a held dispatch whose handler was told to pause, to resume or to step.
  struct Steering {
    uint32_t number = 0;                   // Of what it was told last.
    std::optional<absl::Duration> left{};  // Of its time, while it is paused.
  };

  // Spawning.
  absl::Status CheckPending(size_t more) const;
  absl::Status CheckRepeats(std::string_view name_space, std::span<const TaskSpec> specs) const;
  SpawnOutcome Repeat(const RequestRecord& record) const;
  // Whether there is no room for the spec, of which `record` then tells; `index` is set to the last
  // one of those that are refused with it. `runs` counts such items in a row of this call.
  bool LacksRoom(const SpawnCommand& command, uint32_t& index, size_t& runs,
                 RequestRecord& record) const;
  uint64_t ReserveSequences(uint32_t slot, uint64_t count, Effects& effects);
  const Reference* FindReference(const SpawnCommand& command, std::string_view reference) const;
  const Reference* FindReference(const TaskView& dead) const;
  TaskIndex Admit(const TaskId& id, std::string_view name_space, uint32_t origin,
                  const TaskSpec& spec, TaskKey order);
  void Enqueue(TaskIndex index, const platform::Now& now);
  // RESOURCE_EXHAUSTED when these would need too many lanes.
  absl::Status CheckLanes(std::string_view name_space, std::span<const TaskSpec> specs) const;
  absl::Status CheckTypes(std::string_view name_space, std::span<const std::string> types) const;
  absl::Status TypeLimit(std::string_view field, size_t fresh) const;
  absl::Status CheckSelectors(std::string_view name_space, std::span<const TaskSpec> specs) const;
  // Of a task that is queued() now.
  void MakeReady(TaskIndex index);
  // Takes a waiting task out of where it waits, to go on in `state`.
  void Dequeue(TaskIndex index, TaskState state);
  // Out of the heap in which it waits for its time.
  void Unschedule(TaskIndex index);

  // Task tokens.
  absl::Status CheckHandler(const SpawnCommand& command) const;
  // Whether the handler, if it is one that spawns, may have others wait for that task, and give
  // them its result.
  bool MayName(const SpawnCommand& command, const Dependency& dependency) const;
  bool MayJoinContext(const SpawnCommand& command, const TaskSpec& spec) const;

  // Control.
  absl::StatusOr<TaskState> Steer(TaskIndex index, const ControlCommand& command,
                                  const platform::Now& now, Effects& effects);
  void Stop(TaskIndex index, const ControlCommand& command, const platform::Now& now,
            Effects& effects);
  void Pause(TaskIndex index, const platform::Now& now, Effects& effects);
  void Unpause(TaskIndex index, const platform::Now& now, Effects& effects);
  absl::Status Step(TaskIndex index, const platform::Now& now, Effects& effects);
  void TellNext(TaskIndex index, HandlerAction action, Effects& effects);
  void OnPaused(TaskIndex index, const platform::Now& now, Effects& effects);
  // When the attempt that has begun is over.
  void SetAttemptAlarm(TaskIndex index, absl::Duration left, const platform::Now& now);
  // How long what the handler does now may take: nothing ends it when it is paused.
  void SetHandlerAlarm(TaskIndex index, const platform::Now& now);
  // The end of a task that was to be cancelled or interrupted.
  static Failure StoppedBecause(const Task& task, std::string_view message);
  // When a backoff that still runs is over, by the wall clock.
  std::optional<absl::Time> BackoffEnd(TaskIndex index, const platform::Now& now) const;

  // Trees.
  struct Kinship {
    TaskId root;  // Empty: in no tree.
    std::string_view refusal;
  };
  Kinship FindKin(const SpawnCommand& command, const TaskSpec& spec) const;
  // `recorded`: what is known of it anyway; empty of one that is spawned.
  void Join(TaskIndex index, const TaskId& parent, const TaskId& root, const Provenance& recorded);
  std::shared_ptr<const Ancestors> AncestorsBelow(const TaskId& parent, const TaskId& root) const;
  Provenance ProvenanceOf(TaskIndex index) const;
  TreeTable::Tree& FoundTree(const TaskId& root);
  void LeaveTree(TaskIndex index, Effects& effects);
  absl::StatusOr<TaskState> ControlTree(const ControlCommand& command, const platform::Now& now,
                                        Effects& effects);
  void AskTree(TreeTable::Tree& tree, const ControlCommand& command, Effects& effects);
  static TreeRecord RecordOf(const TreeTable::Tree& tree);
  void HearTree(TaskIndex index, const platform::Now& now, Effects& effects);
  void SweepTrees(const platform::Now& now, Effects& effects);
  // Of a task that was just taken from its queue: it hears of what its tree was asked. Whether it
  // may be dispatched all the same.
  bool HeedsTree(TaskIndex index, const platform::Now& now, Effects& effects);

  // Dependencies.
  bool IsOwn(const SpawnCommand& command, TaskIndex index) const;
  absl::Status CheckBonds(std::span<const TaskSpec> specs) const;
  // With their ids; nullopt when one is an item that was not taken. `ids` are those of the items.
  static std::optional<std::vector<Dependency>> NameDependencies(const TaskSpec& spec,
                                                                 std::span<const TaskId> ids);
  static SpecHashes HashesOf(const TaskSpec& spec, std::span<const Dependency> dependencies);
  // `reused`: tasks whose results answered items of the batch.
  bool KnowsAll(const SpawnCommand& command, std::span<const Dependency> dependencies,
                const absl::flat_hash_set<TaskId>& reused) const;
  // Whether all have ended, and so that who depends on them may run.
  static bool AllLetRun(const SpawnCommand& command, std::span<const Dependency> dependencies,
                        const absl::flat_hash_set<TaskId>& reused);
  std::optional<TaskState> CertainEnd(TaskIndex index) const;
  // Of a task that was just admitted: it waits from now on, or is to end. One that lives no more,
  // and of which `ended` does not tell, is met.
  void Depend(TaskIndex index, std::span<const Dependency> dependencies,
              const absl::flat_hash_map<TaskId, TaskState>* ended, const platform::Now& now,
              Effects& effects);
  void GiveUpOn(TaskIndex index, const TaskId& dependency, TaskState end, OnFailure on_failure,
                const platform::Now& now, Effects& effects);
  void SweepDependencies(const platform::Now& now, Effects& effects);
  void TellWaiters(TaskIndex index, TaskState end, Effects& effects);
  void RecoverBonds();

  // Admission.
  absl::Status CheckKeys(const SpawnCommand& command) const;
  absl::Status KeyLimit(std::string_view field, std::string_view name_space, size_t fresh) const;
  // Of a spec that names keys, which is what was found of these.
  Refusal CheckLimits(const SpawnCommand& command, const TaskSpec& spec,
                      const NamedKeys& named) const;
  // Writes down the numbers of what it makes.
  void MakeLimits(const SpawnCommand& command, const TaskSpec& spec, NamedKeys& named,
                  const platform::Now& now, Effects& effects);
  KeyNumber WriteLimit(std::string_view name_space, const KeyName& name, const LimitValue& value,
                       bool transient, const platform::Now& now, Effects& effects);
  bool Accepts(TaskIndex index, const platform::Now& now, Effects& effects);
  // In words, where the cause is a key or a pause of the type.
  std::string DetailOf(const Task& task, WaitCause cause) const;
  void ForgetLimits(const platform::Now& now, Effects& effects);
  std::string PauseOf(const std::string& name_space, const std::string& type) const;

  // Deadlines.
  void DeadlinePassed(const DeadlineBook::Passed& passed, Effects& effects);
  bool HasExpired(const Task& task) const {
    return task.has_deadline && deadlines_.HasExpired(task.key());
  }
  // `reason` has static storage.
  void FailForGood(TaskIndex index, std::string_view reason, std::string message, Effects& effects);

  // Info.
  absl::Status CheckInfo(std::span<const TaskSpec> specs) const;
  absl::Status CheckInfoBytes(std::string_view field, size_t more) const;
  void SetInfo(TaskIndex index, std::shared_ptr<const Info> info);
  void DropInfo(TaskIndex index, Effects& effects);
  // The living task of the filter's namespace, and context, whose key is at least that.
  TaskIndex NextListed(const TaskFilter& filter, TaskKey from) const;

  // Restarts.
  void MoveReference(const TaskView& dead, const TaskId& successor, Effects& effects);
  void FollowRestarts(std::vector<Dependency>& dependencies) const;
  void ForgetRestart(TaskKey dead, Effects& effects);

  // Reuse.
  void NoteNoResultYet(const Task& task, const platform::Now& now);
  // Of a PURE task that has succeeded.
  void KeepForReuse(const Task& task, const platform::Now& now, Effects& effects);
  // The task whose result answers this spec; empty: none.
  TaskId FindReusable(const TaskSpec& spec, const platform::Now& now) const;
  void ForgetReusable(const platform::Now& now, Effects& effects);

  // Dispatch.
  void DispatchReady(const platform::Now& now, Effects& effects);
  DispatchMessage MessageFor(const Task& task, const Session& session) const;
  uint32_t OpenGroup();
  void LeaveGroup(Task& task, Effects& effects);
  void Hold(Session& session, TaskIndex index);
  // The dispatch is over: off the session's list, its group and its timer.
  void Release(TaskIndex index, Effects& effects);
  // To the session that holds it, if connected.
  void Tell(const Task& task, HandlerAction action, std::string_view reason,
            Effects& effects) const;
  // Says it again to a handler that may not have heard.
  void Retell(TaskIndex index, Effects& effects) const;
  absl::StatusOr<TaskIndex> FindHeld(ConnectionId connection, const TaskId& task,
                                     uint32_t dispatch) const;

  // Sessions.
  std::vector<HeldVerdict> Resume(Session& session, std::span<const HeldDispatch> held,
                                  const platform::Now& now, Effects& effects);
  // The handler of the held dispatch has begun, or is allowed to.
  void Begin(TaskIndex index, const platform::Now& now, Effects& effects);
  void GoOn(TaskIndex index, const HeldDispatch& held, const platform::Now& now, Effects& effects);
  void EndBlocked(const platform::Block& block, const platform::Now& now, Effects& effects);
  void Expel(Session& session, absl::Status why, const platform::Now& now, Effects& effects);
  void EndSession(SessionNumber number, bool lost, const platform::Now& now, Effects& effects);

  // Ends and new starts.
  void AttemptFailed(TaskIndex index, Failure failure, const platform::Now& now, Effects& effects);
  void Return(TaskIndex index, std::string_view reason, const platform::Now& now, Effects& effects);
  bool OutOfDispatches(const Task& task) const;
  void FailAsUnknown(TaskIndex index, std::string_view how, Effects& effects);
  void FailForDispatches(TaskIndex index, std::string_view last, Effects& effects);
  void GiveUp(TaskIndex index, std::string_view reason, const platform::Now& now, Effects& effects);
  void TakeBack(TaskIndex index, bool lost, const platform::Now& now, Effects& effects);
  void Reschedule(TaskIndex index, absl::Duration pause, const platform::Now& now,
                  Effects& effects);
  void BackOff(TaskIndex index, absl::Duration pause, const platform::Now& now);
  void Settle(TaskIndex index, TaskState end, Failure failure, Effects& effects);
  void AskFence(const Task& task, Effects& effects);
  void Finish(TaskIndex index, TaskState end, const platform::Now& now, Effects& effects);
  void WriteState(Task& task, std::optional<absl::Time> not_before, Effects& effects);
  absl::Duration BackoffOf(const Task& task);

  // Time.
  void Tick(const platform::Now& now, Effects& effects);
  void TaskDue(TaskIndex index, const platform::Now& now, Effects& effects);
  void RenewLeases(const platform::Now& now, Effects& effects);
  void Forget(const platform::Now& now, Effects& effects);
  void SayProgress(const Task& task, LatestProgress& progress, const platform::Now& now,
                   Effects& effects);
  void TellLateProgress(const platform::Now& now, Effects& effects);
  // The wall time at which steady time was zero, as the clocks are now: it moves with a wall clock
  // that is set.
  static absl::Time SteadyZero(const platform::Now& now) { return now.wall - now.steady; }
  // What ages are measured by: wall time as it was at the start, moved on by steady time, so that a
  // clock that is set forgets nothing early.
  absl::Time AgeTime(const platform::Now& now) const { return started_zero_ + now.steady; }
  void SetAlarm(TaskIndex index, absl::Duration steady);
  void ClearAlarm(TaskIndex index);

  // Waiting. Every change of a task that waits, or that waited, ends with NoteWait.
  void Advance(const platform::Now& now);
  void NoteWait(Task& task);
  // What it waits for, but for what holds of its whole lane.
  static WaitCause WaitOf(const Task& task);
  void RecoverWait(TaskIndex index, const platform::Now& now);
  // Of a dispatch of before a restart it is known that its handler has not begun.
  void HearOf(Task& task);

  // Side tables.
  void SetFailure(Task& task, Failure failure);
  // One more attempt has failed, by the dispatch that was the latest.
  void CountAttempt(Task& task, const Failure& failure);
  const Failure& FailureOf(const Task& task) const;
  std::string_view ReferenceOf(const Task& task) const;
  TaskView ViewOf(const Task& task) const;
  // Good until the next event.
  EventMessage& Say(EventType type, const Task& task, Effects& effects) const;
  void SaySession(EventType type, const Session& session, Effects& effects);

  const EngineOptions options_;
  QuotaBook quotas_{options_.quotas};
  TaskTable tasks_;
  SessionTable sessions_;
  WaitBook waits_{options_.wait_intervals};
  Matcher matcher_{tasks_, waits_};
  Admission admission_{tasks_, matcher_, waits_};
  // A task is in at most one: before its not_before in the wall heap (ns since epoch), held or
  // backing off in the steady heap.
  IndexedHeap<PlaceOfTask> wall_alarms_{PlaceOfTask{&tasks_}};
  IndexedHeap<PlaceOfTask> steady_alarms_{PlaceOfTask{&tasks_}};
  IndexedHeap<PlaceOfSession> session_alarms_{PlaceOfSession{&sessions_}};
  Interner<std::string> names_;  // Namespaces of sessions.
  Interner<Origin> origins_;
  Interner<RetryPolicy> policies_;
  TreeTable trees_;
  DependencyTable dependencies_;
  absl::flat_hash_set<TaskIndex> with_arguments_;
  std::vector<std::pair<TaskIndex, std::vector<Dependency>>> recovered_dependencies_;
  RequestBook requests_;
  History history_;
  History dead_;
  std::map<std::pair<std::string, std::string>, Route> routes_;  // By namespace and type.
  platform::BlockList blocks_;
  std::map<platform::BlockNames, uint64_t, platform::ByBlockNames> block_numbers_;
  uint64_t next_object_ = 1;  // Of routes and blocks.
  std::map<std::pair<std::string, std::string>, TypePause>
      pauses_;                                              // By namespace, and type or "".
  uint64_t next_limit_ = 1;                                 // Of limits and pauses.
  absl::flat_hash_map<std::string, Reference> references_;  // By ReferenceKey.
  absl::flat_hash_map<TaskKey, std::string> reference_keys_;
  absl::flat_hash_map<TaskKey, Failure> failures_;
  AttemptBook attempts_;
  DeadlineBook deadlines_;
  absl::flat_hash_map<TaskKey, std::shared_ptr<const Info>> infos_;
  absl::flat_hash_map<std::string, absl::btree_set<TaskKey>> contexts_;  // By namespace, context.
  size_t info_bytes_ = 0;
  absl::flat_hash_map<TaskKey, TaskId> restarted_from_;  // Of living tasks.
  RestartBook restarts_;
  absl::flat_hash_map<TaskKey, Pure> pures_;
  ReuseIndex reuse_;
  absl::flat_hash_map<TaskKey, LatestProgress> progress_;
  absl::flat_hash_map<TaskKey, Steering> steerings_;
  std::deque<std::pair<absl::Duration, TaskKey>> late_progress_;  // Steady times, ascending.
  absl::flat_hash_map<uint32_t, std::pair<uint64_t, uint64_t>> sequences_;  // Slot: next, reserved.
  // Until when recovering tasks are known to have waited for what their records say.
  absl::flat_hash_map<TaskKey, absl::Time> waited_until_;
  std::vector<Group> groups_;
  std::vector<uint32_t> free_groups_;
  uint64_t next_group_ = 1;
  absl::Duration next_renewal_ = absl::ZeroDuration();
  // SteadyZero …
  absl::Time started_zero_;   // … when recovery ended,
  absl::Time renewal_zero_;   // … at the last renewal,
  absl::Time advanced_zero_;  // … and at the latest step.
  bool draining_ = false;
  uint64_t jitter_state_;
  // Tasks that ended in this group; one row each at its end.
  std::vector<TaskView> ended_;
  std::vector<TaskView> died_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_ENGINE_H_
