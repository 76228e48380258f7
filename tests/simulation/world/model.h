#ifndef KANTOKU_TESTS_SIMULATION_WORLD_MODEL_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_MODEL_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "kantoku/events/v1/events.pb.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/executor-runtime/handler.h"
#include "services/inputs/engine/commands.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/types.h"
#include "services/outputs/result_codec.h"
#include "services/platform/store/write_batch.h"
#include "tests/simulation/world/fair_turns.h"
#include "tests/simulation/world/places.h"
#include "tests/simulation/world/rules.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

using inputs::SessionNumber;
using inputs::TaskKey;
using inputs::TaskState;
using inputs::TaskView;
using platform::SessionId;
using platform::TaskId;

// A session, as a subject claims it.
using Speaker = std::pair<SessionId, std::string>;

// A task as the durable records tell it.
struct ModelTask {
  TaskId id;
  std::string name_space;
  std::string owner;
  std::string type;
  std::string payload;
  absl::Duration created;  // Steady time, of when that became durable.
  uint64_t changes = 0;    // Dispatches and records of its state.
  int32_t priority = 0;
  std::optional<absl::Time> not_before;
  uint32_t max_attempts = 0;
  size_t place = 0;              // Where it may run, as in places.h.
  bool keyed = false;            // Names keys or a place, so it may be overtaken.
  bool once = false;             // Of effect ONCE.
  bool once_begun = false;       // Its start is recorded.
  uint32_t dispatch = 0;         // The latest one.
  absl::Duration dispatched_at;  // Steady time, of when that became durable.
  uint32_t closed_dispatch = 0;  // For Inputs.
  uint32_t fenced_dispatch = 0;  // For Outputs.
  std::set<uint32_t> begun;      // Dispatches of whose start or failure Inputs was told.
  uint32_t failed_attempts = 0;
  SessionNumber holder = 0;
  bool cancel_requested = false;
  absl::Duration cancelled_at;  // Steady time, of when that became durable.
  bool interrupt_requested = false;
  bool pause_requested = false;
  bool stepping = false;
  bool dispatched_to_step = false;  // The latest dispatch, to stop at its first pause point.
  TaskId parent;
  TaskId root;                                   // Empty: it was spawned into no tree.
  std::shared_ptr<const inputs::TaskSpec> spec;  // As it was recorded.
  TaskId root_at_end;                            // Empty: then it was in no tree.
  std::map<uint32_t, SessionId> given_to;        // By dispatch.
  std::map<uint32_t, uint64_t> items;            // How many are durable, by dispatch.
  uint32_t checkpoint_of = 0;                    // The dispatch that left it; 0: there is none.
  std::string checkpoint;
  std::string begins_with;  // What the latest dispatch is to be given.
  bool must_pause = false;  // Its tree was asked to, and it has not heard.
  std::string context;
  std::vector<LabelMap> labels;  // Of its info, by revision.
  std::optional<TaskState> intended_end;
  std::optional<TaskState> outputs_end;
  std::optional<TaskState> end;
};

// A result of a task of effect PURE.
struct PureResult {
  std::string name_space;
  std::string owner;
  std::string type;
  std::string payload;
  inputs::Digest equal;
  uint32_t retention_s = 0;
  absl::Duration put_at;                // Steady.
  uint64_t clock_sets = 0;              // How often the wall clock had been set.
  std::optional<absl::Duration> ended;  // Steady time, of when that became durable.
};

// What the stores of Inputs and Outputs hold, read batch by batch as they become durable, and the
// promises that follow from it: each batch is held against what was durable before, and whatever
// leaves Inputs against what is durable now.
//
// To add a promise, Expect it where its cause becomes durable or leaves. To follow a new kind of
// record, add its function to Apply.
class Model {
 public:
  explicit Model(const Scene& scene) : scene_(scene), rules_(scene), fair_turns_(scene) {}

  // ---- What becomes durable ----
  void OnInputsDurable(const platform::WriteBatch& batch);
  void OnOutputsDurable(const platform::WriteBatch& batch);
  // Events holds this line from now on.
  void OnEventsHold(uint64_t number, std::string_view line);

  // Outputs has answered that it has no result of this task, not any more.
  void OnResultGone(const TaskId& task, absl::Time wall) const;
  // A handler begins with these.
  void CheckArguments(const ModelTask& task,
                      std::span<const executor::TaskArgument> arguments) const;

  // ---- What leaves Inputs ----
  void OnSent(const inputs::v1::PullResponse& frame);
  void OnAsked(const outputs::v1::FenceItem& item);
  void OnLine(uint64_t number, std::string_view line);

  // ---- What Inputs is told, as soon as it is applied ----
  void Connected(const Speaker& speaker, inputs::ConnectionId connection, uint32_t credit,
                 std::shared_ptr<const LabelMap> labels);
  // These return whether it changes anything.
  bool Credit(const Speaker& speaker, inputs::ConnectionId connection, uint32_t credit);
  bool AskedToLeave(const Speaker& speaker);
  // Whether this is the newest connection on which he opened the session.
  bool IsCurrent(const Speaker& speaker, inputs::ConnectionId connection) const;
  void Begun(const Speaker& speaker, const TaskId& task, uint32_t dispatch);
  // On this connection he offers to run these types of a namespace, until it is over.
  void Offers(const Speaker& speaker, inputs::ConnectionId connection,
              const std::string& name_space, std::span<const std::string> types);
  void Disconnected(const Speaker& speaker, inputs::ConnectionId connection);
  // On this connection he says that the handler of this dispatch goes on, or, in whatever way, that
  // he holds it no more.
  void Started(const Speaker& speaker, inputs::ConnectionId connection, const TaskId& task,
               uint32_t dispatch);
  void HandedBack(const Speaker& speaker, const TaskId& task, uint32_t dispatch);
  // What he holds and does not present is handed back.
  void Presented(const Speaker& speaker, std::span<const inputs::HeldDispatch> held);
  // A new owner: nobody is connected, and it is not known whose handlers have begun.
  void InputsStarted() {
    credits_.clear();
    running_.clear();
    running_at_end_.clear();
    offers_.clear();
    last_offered_.clear();
    fair_turns_.InputsStarted();
    inputs_started_ = scene_.clock.Read().steady;
    rules_.InputsStarted(inputs_started_);
  }
  // The open group is about to be finished.
  void GroupEnds(absl::Time wall) {
    credit_at_end_ = credits_;
    running_at_end_ = running_;
    wall_at_end_ = wall;
    WallIs(wall);
    rules_.GroupEnds(scene_.clock.Read().steady);
  }
  // What the wall clock shows, before it is set back.
  void WallIs(absl::Time wall) { latest_wall_ = std::max(latest_wall_, wall); }

  // ---- Questions ----
  const ModelTask* Find(const TaskId& task) const;
  // The number of the record of a request.
  std::optional<uint64_t> FindRequest(const inputs::Digest& request) const {
    const auto found = requests_.find(request);
    return found == requests_.end() ? std::nullopt : std::optional(found->second);
  }
  // Tasks that were accepted lately, the oldest first; they may have ended.
  const std::vector<TaskId>& recent() const { return recent_; }
  // The subject to whom a session on record belongs.
  std::optional<std::string> CallerOf(const SessionId& session) const;
  std::vector<TaskId> HeldBy(const SessionId& session) const;
  const std::set<TaskKey>& living() const { return living_; }
  // One of them.
  const ModelTask& Living(TaskKey task) const { return tasks_.find(task)->second; }
  // One that lives, one that somebody holds, and one that has failed or was cancelled; null: none
  // does.
  const ModelTask* AnyLiving(Random& random) const;
  const ModelTask* AnyHeld(Random& random) const;
  const ModelTask* AnyDead(Random& random) const;
  std::vector<const ModelTask*> Dead() const;
  // Of a task that succeeded, however long ago; null: of none.
  const PureResult* PureResultOf(const TaskId& task) const;
  // What a dead task was restarted as, durably; empty: it was not.
  TaskId RestartedAs(const TaskId& dead) const;
  // The tree that it is in, or of which it is the root or may become it.
  static const TaskId& TreeOf(const ModelTask& task) {
    return task.root.empty() ? task.id : task.root;
  }
  // Whether the tree was asked to stop, durably.
  bool IsStopping(const TaskId& root) const;
  // Whether anybody in the tree does.
  bool Lives(const TaskId& root) const { return trees_.contains(root.key()); }
  // What somebody has paused and nobody has resumed: tasks, or one of each tree.
  std::vector<TaskId> PausedTasks() const;
  std::vector<TaskId> PausedTrees() const;
  // Of types, and of whole namespaces: those of no type.
  using LaneName = std::pair<std::string, std::string>;
  const std::set<LaneName>& paused_lanes() const { return paused_lanes_; }
  const platform::BlockList& blocks() const { return blocks_; }
  // Whether this dispatch was given to a session that a block has ended.
  bool WasBlocked(const ModelTask& task, uint32_t dispatch) const {
    const auto session = task.given_to.find(dispatch);
    return session != task.given_to.end() && blocked_sessions_.contains(session->second);
  }
  // Whether it is, by itself or with its namespace.
  bool IsPaused(const LaneName& lane) const {
    return paused_lanes_.contains(lane) || paused_lanes_.contains({lane.first, ""});
  }
  const std::map<LaneName, size_t>& routes() const { return routes_; }
  // What is set for a key; null: nothing is.
  const inputs::LimitRecord* LimitOf(std::string_view name_space,
                                     const inputs::KeyName& name) const {
    return rules_.LimitOf(name_space, name);
  }
  // Since when nobody who is connected can run it; absent: somebody perhaps can.
  std::optional<absl::Duration> NobodyRunsItSince(const LaneName& lane) const;
  // Whether the handler of its latest dispatch has begun, for this owner; absent: that may or may
  // not have been told.
  std::optional<bool> HasBegun(const ModelTask& task) const;
  // Whether Inputs may not know of the latest dispatch if it has begun: it was held before a start.
  bool MayBeUnheard(const ModelTask& task) const { return task.dispatched_at <= inputs_started_; }
  // Whether an earlier task of its ordering key lives that has been there since then.
  bool IsBehindAnother(const ModelTask& task, absl::Duration since) const;
  // How many live of a namespace, or of one of its types.
  uint64_t CountLiving(std::string_view name_space, std::string_view type) const;
  uint64_t pause_changes() const { return pause_changes_; }
  // Inputs rests: whoever is in a tree has heard what that was asked, and nobody who was to stop
  // long ago holds anything.
  void CheckHeard() const;
  // What Inputs shows of a limit while it rests.
  void CheckSlots(std::string_view name_space, const inputs::LimitView& limit) const;
  // Of all that has become durable.
  uint64_t trace() const { return trace_.value(); }
  // Long after the last task has ended: nothing may be left.
  void CheckEmpty() const;

 private:
  struct Session {
    Speaker speaker;
    platform::Caller caller;
    std::set<TaskKey> held;
  };
  struct CurrentCredit {
    inputs::ConnectionId connection = 0;
    uint32_t limit = 0;
    std::shared_ptr<const LabelMap> labels;
    bool leaving = false;
  };
  // Tasks of a namespace and type, and the order in which those are dispatched that never were and
  // wait for no time.
  using Lane = LaneName;
  using Turn = std::pair<int32_t, TaskKey>;
  static Lane LaneOf(const ModelTask& task) { return {task.name_space, task.type}; }
  static Turn TurnOf(const ModelTask& task) { return {-task.priority, task.id.key()}; }

  struct Tree {
    std::set<TaskKey> members;  // That live, the root included.
    std::optional<inputs::ControlVerb> mark;
    bool swept = false;
    TaskId root;
  };

  struct Result {
    TaskState end;
    std::string data;
    absl::Time expires;
  };

  // Namespace, owner, reference, and the task whose handlers have it, if it is theirs.
  using ReferenceName = std::tuple<std::string, std::string, std::string, TaskId>;

  ModelTask* Find(TaskKey task);
  // Whether he holds the dispatch, durably.
  bool Holds(const Speaker& speaker, const TaskId& task, uint32_t dispatch) const;
  void Fold(const platform::WriteBatch& batch);
  void Apply(const platform::WriteBatch& batch, const platform::WriteBatch::Operation& operation);
  void Created(TaskKey key, std::string_view bytes);
  void StateWritten(TaskKey key, std::string_view bytes);
  void Dispatched(uint64_t number, std::string_view bytes);
  void RowWritten(bool dead, uint64_t row, std::string_view bytes);
  void Ended(const TaskView& view, bool dead);
  void RowForgotten(bool dead, uint64_t row);
  void ReferenceTaken(TaskKey holder, std::string_view bytes);
  void LineWritten(uint64_t number, std::string_view bytes);
  void RunWritten(const events::v1::EventRun& run);
  void LinesTrimmed(uint64_t last);
  void CheckHandler(const ModelTask& child) const;
  void Joined(ModelTask& task);
  void LeaveTree(const ModelTask& task);
  void TreeWritten(TaskKey root, std::string_view bytes);
  void TreeErased(TaskKey root);
  // Whether nobody in the tree was there before this batch.
  bool BeganAnew(TaskKey root) const;
  void TakeInfo(ModelTask& task);
  void InfoWritten(TaskKey key, std::string_view bytes);
  void CheckInfoErased();
  // Whether this is what it has by now.
  static bool HasInfo(const ModelTask& task, const std::shared_ptr<const inputs::Info>& shown);
  void PureResultStored(const ModelTask& task);
  void PureEnded(const ModelTask& task);
  void ReuseWritten(TaskKey key, std::string_view bytes);
  void RestartWritten(TaskKey dead, std::string_view bytes);
  void CheckRestarts();
  void CheckRestart(const ModelTask& dead, const ModelTask& again) const;
  // Whether the second is the first, or a restart of a restart of it.
  bool LeadsTo(TaskId task, const TaskId& newest) const;
  bool IsNewest(const TaskId& task, const inputs::TaskSpec& of_restart) const;
  void CheckpointWritten(TaskKey key, std::string_view bytes);
  void CheckpointErased(TaskKey key);
  void CheckGrants(const ModelTask& task, const inputs::v1::Dispatch& dispatch) const;
  void CheckCheckpoint(const ModelTask& task, const inputs::v1::Dispatch& dispatch) const;
  void CheckConfirmed(const inputs::v1::CheckpointConfirmed& confirmed) const;
  void StreamWritten(uint64_t number, std::string_view bytes);
  void ItemsWritten(uint64_t key, std::string_view bytes);
  void CheckItemsBefore(const ModelTask& task, uint32_t dispatch, std::string_view data) const;
  void ObjectWritten(uint64_t number, std::string_view bytes);
  void ObjectErased(uint64_t number);
  void RouteWritten(uint64_t number, const inputs::RouteRecord& record);
  void RouteErased(uint64_t number);
  void CheckPlace(const ModelTask& task, const Speaker& speaker) const;
  void AdmissionWritten(uint64_t number, std::string_view bytes);
  void AdmissionErased(uint64_t number);
  void ControlWritten(ModelTask& task, const inputs::StateRecord& record);
  bool IsExpelled(const ModelTask& task) const;
  void CheckAttempts(const ModelTask& task, const inputs::StateRecord& record) const;
  void CheckMayGo(const ModelTask& task) const;
  void CheckTrees();
  void Release(ModelTask& task);
  void LeaveTurn(const ModelTask& task);
  // Whether Outputs may still take a result of the latest dispatch.
  bool Runs(TaskKey key) const;
  void CheckQuotas() const;
  void CheckInTime(const ModelTask& task) const;
  void CheckLateness(const ModelTask& task, const inputs::StateRecord& record) const;
  void CheckDeadlines() const;
  // What holds between all records of a batch.
  void CheckBatch();

  const Scene scene_;
  Rules rules_;
  FairTurns fair_turns_;
  Trace trace_;
  absl::flat_hash_map<TaskKey, ModelTask> tasks_;
  std::set<TaskKey> living_;
  std::map<uint32_t, TaskKey> highest_;  // By slot.
  std::vector<TaskId> recent_;
  std::map<SessionNumber, Session> sessions_;
  std::map<Lane, std::set<Turn>> turns_;
  absl::Time latest_wall_ = absl::InfinitePast();
  absl::Time wall_at_end_ = absl::InfinitePast();  // Of the group that ended last.
  std::map<uint64_t, std::vector<inputs::DispatchGroupRecord::Entry>> groups_;
  std::map<std::pair<bool, uint64_t>, std::vector<TaskKey>> rows_;  // By dead and number.
  absl::flat_hash_map<TaskId, Result> results_;  // Of Outputs, also what it has forgotten.
  absl::flat_hash_map<TaskId, PureResult> pure_results_;
  std::set<TaskKey> reusable_;  // As records say.
  std::map<ReferenceName, TaskKey> references_;
  std::map<TaskKey, ReferenceName> reference_of_;
  absl::flat_hash_map<inputs::Digest, uint64_t> requests_;
  std::map<uint64_t, inputs::Digest> request_of_;
  absl::flat_hash_map<uint64_t, std::pair<TaskId, uint32_t>> streams_;  // Of items.
  std::map<TaskKey, Tree> trees_;                                       // By root.
  std::map<TaskKey, TaskId> restarted_as_;                              // By dead task.
  std::set<TaskKey> patched_;                                           // That have a record of it.
  absl::Duration inputs_started_;
  std::set<LaneName> paused_lanes_;
  platform::BlockList blocks_;
  std::map<uint64_t, platform::BlockNames> block_of_;  // By number.
  std::set<SessionId> blocked_sessions_;               // That a block has ended.
  uint64_t pause_changes_ = 0;
  std::map<LaneName, size_t> routes_;      // As in places.h.
  std::map<uint64_t, LaneName> route_of_;  // By number.
  std::map<uint64_t, LaneName> pauses_;    // By number.
  std::map<uint64_t, std::string> lines_;  // That Events does not hold.
  uint64_t last_line_ = 0;
  std::map<std::string, uint32_t> told_dispatches_;  // By task's id: of the latest event.
  std::set<TaskKey> ended_dependencies_;             // Of whose end not everybody has heard.
  // Dispatches of whose start this owner was told, and whether nobody has handed them back since.
  using Running = std::map<std::pair<TaskKey, uint32_t>, bool>;
  Running running_;
  Running running_at_end_;
  std::map<std::pair<Speaker, inputs::ConnectionId>, std::set<LaneName>> offers_;
  std::map<LaneName, absl::Duration> last_offered_;  // By somebody who is gone.
  std::map<Speaker, CurrentCredit> credits_;
  std::map<Speaker, CurrentCredit> credit_at_end_;

  // Of the batch that is applied.
  std::vector<TaskKey> erased_specs_;
  std::vector<uint64_t> erased_groups_;
  std::vector<SessionNumber> erased_sessions_;
  std::set<SessionNumber> fed_;
  std::set<TaskKey> went_;           // Were dispatched.
  std::map<Lane, Turn> last_turns_;  // Of what was dispatched.
  std::set<TaskKey> created_;
  std::vector<TaskKey> restarts_;  // Of those.
  std::vector<TaskKey> erased_restarts_;
  std::vector<TaskKey> erased_infos_;
  std::vector<TaskKey> stopping_parents_;  // Of those that were spawned.
  std::vector<TaskKey> stopping_trees_;    // Likewise.
  std::vector<TaskKey> swept_trees_;
  std::vector<std::pair<TaskKey, std::optional<inputs::ControlVerb>>> erased_trees_;
  size_t ended_ = 0;
  size_t told_ended_ = 0;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_MODEL_H_
