#include "tests/simulation/world/model.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "services/inputs/partition/record_codec.h"
#include "services/inputs/store.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

using inputs::RecordKind;
using platform::WriteBatch;

namespace {

constexpr size_t kRecent = 400;

}  // namespace

// ---- Questions ----

ModelTask* Model::Find(TaskKey task) {
  const auto found = tasks_.find(task);
  return found == tasks_.end() ? nullptr : &found->second;
}

const ModelTask* Model::Find(const TaskId& task) const {
  const auto found = tasks_.find(task.key());
  return found == tasks_.end() || found->second.id != task ? nullptr : &found->second;
}

std::vector<TaskId> Model::HeldBy(const SessionId& session) const {
  std::vector<TaskId> held;
  for (const auto& [number, entry] : sessions_) {
    if (entry.speaker.first != session) continue;
    for (const TaskKey key : entry.held) {
      const auto task = tasks_.find(key);
      if (task != tasks_.end()) held.push_back(task->second.id);
    }
  }
  return held;
}

// ---- What Inputs is told ----

void Model::Connected(const Speaker& speaker, inputs::ConnectionId connection, uint32_t credit,
                      std::shared_ptr<const LabelMap> labels) {
  credits_[speaker] = {connection, credit, std::move(labels)};
}

// Until he connects again.
bool Model::AskedToLeave(const Speaker& speaker) {
  const auto current = credits_.find(speaker);
  return current != credits_.end() && !std::exchange(current->second.leaving, true);
}

bool Model::Credit(const Speaker& speaker, inputs::ConnectionId connection, uint32_t credit) {
  CurrentCredit& current = credits_[speaker];
  return current.connection == connection && std::exchange(current.limit, credit) != credit;
}

bool Model::IsCurrent(const Speaker& speaker, inputs::ConnectionId connection) const {
  const auto current = credits_.find(speaker);
  return current != credits_.end() && current->second.connection == connection;
}

std::optional<std::string> Model::CallerOf(const SessionId& session) const {
  for (const auto& [number, entry] : sessions_) {
    if (entry.speaker.first == session) return entry.speaker.second;
  }
  return std::nullopt;
}

bool Model::Holds(const Speaker& speaker, const TaskId& id, uint32_t dispatch) const {
  const ModelTask* const task = Find(id);
  if (task == nullptr || task->dispatch != dispatch) return false;
  const auto holder = sessions_.find(task->holder);
  return holder != sessions_.end() && holder->second.speaker == speaker;
}

void Model::Begun(const Speaker& speaker, const TaskId& id, uint32_t dispatch) {
  if (Holds(speaker, id, dispatch)) Find(id.key())->begun.insert(dispatch);
}

void Model::Offers(const Speaker& speaker, inputs::ConnectionId connection,
                   const std::string& name_space, std::span<const std::string> types) {
  std::set<LaneName>& lanes = offers_[{speaker, connection}];
  for (const std::string& type : types) lanes.emplace(name_space, type);
}

void Model::Disconnected(const Speaker& speaker, inputs::ConnectionId connection) {
  const auto offers = offers_.find({speaker, connection});
  if (offers == offers_.end()) return;
  for (const LaneName& lane : offers->second) last_offered_[lane] = scene_.clock.Read().steady;
  offers_.erase(offers);
}

std::optional<absl::Duration> Model::NobodyRunsItSince(const LaneName& lane) const {
  const bool offered = std::ranges::any_of(
      offers_, [&](const auto& connection) { return connection.second.contains(lane); });
  if (offered) return std::nullopt;
  const auto last = last_offered_.find(lane);
  return last == last_offered_.end() ? inputs_started_ : last->second;
}

std::optional<bool> Model::HasBegun(const ModelTask& task) const {
  if (running_.contains({task.id.key(), task.dispatch})) return true;
  if (!task.begun.contains(task.dispatch)) return false;
  return std::nullopt;
}

bool Model::IsBehindAnother(const ModelTask& task, absl::Duration since) const {
  if (task.dispatch > 0 || task.spec->keys == nullptr || task.spec->keys->ordering.empty()) {
    return false;
  }
  return std::ranges::any_of(living_, [&](TaskKey key) {
    const ModelTask& other = Living(key);
    return key < task.id.key() && other.created < since && other.name_space == task.name_space &&
           other.spec->keys != nullptr && other.spec->keys->ordering == task.spec->keys->ordering;
  });
}

void Model::Started(const Speaker& speaker, inputs::ConnectionId connection, const TaskId& id,
                    uint32_t dispatch) {
  if (IsCurrent(speaker, connection) && Holds(speaker, id, dispatch)) {
    running_.try_emplace({id.key(), dispatch}, true);
  }
}

void Model::HandedBack(const Speaker& speaker, const TaskId& id, uint32_t dispatch) {
  if (Holds(speaker, id, dispatch)) running_[{id.key(), dispatch}] = false;
}

void Model::Presented(const Speaker& speaker, std::span<const inputs::HeldDispatch> held) {
  for (const TaskId& id : HeldBy(speaker.first)) {
    const uint32_t dispatch = Find(id)->dispatch;
    const bool kept = std::ranges::any_of(held, [&](const inputs::HeldDispatch& one) {
      return one.task == id && one.dispatch == dispatch && !one.disproved;
    });
    if (!kept) HandedBack(speaker, id, dispatch);
  }
}

// ---- Records of Inputs ----

void Model::OnInputsDurable(const WriteBatch& batch) {
  Fold(batch);
  erased_specs_.clear();
  erased_groups_.clear();
  erased_sessions_.clear();
  created_.clear();
  restarts_.clear();
  erased_restarts_.clear();
  erased_infos_.clear();
  stopping_parents_.clear();
  stopping_trees_.clear();
  swept_trees_.clear();
  erased_trees_.clear();
  fed_.clear();
  went_.clear();
  last_turns_.clear();
  ended_ = 0;
  told_ended_ = 0;
  // Dispatches name sessions, and heed what trees were asked and what is set for types.
  constexpr std::array kFirst = {RecordKind::kSession, RecordKind::kSpec, RecordKind::kTree,
                                 RecordKind::kAdmission, RecordKind::kObject};
  const auto apply = [&](auto wanted) {
    for (const auto& operation : batch.operations()) {
      if (wanted(static_cast<RecordKind>(operation.kind))) Apply(batch, operation);
    }
  };
  for (const RecordKind first : kFirst) apply([&](RecordKind kind) { return kind == first; });
  apply([&](RecordKind kind) { return std::ranges::find(kFirst, kind) == kFirst.end(); });
  CheckBatch();
}

void Model::Fold(const WriteBatch& batch) {
  for (const WriteBatch::Operation& operation : batch.operations()) {
    trace_.Fold(operation.kind);
    trace_.Fold(operation.first);
    trace_.Fold(operation.last);
    if (operation.type == WriteBatch::Operation::Type::kPut) trace_.Fold(batch.value(operation));
  }
}

void Model::Apply(const WriteBatch& batch, const WriteBatch::Operation& operation) {
  const uint64_t key = operation.first;
  const bool put = operation.type == WriteBatch::Operation::Type::kPut;
  const std::string_view bytes = put ? batch.value(operation) : std::string_view();
  switch (static_cast<RecordKind>(operation.kind)) {
    case RecordKind::kSpec:
      return put ? Created(key, bytes) : erased_specs_.push_back(key);
    case RecordKind::kState:
      if (put) StateWritten(key, bytes);
      return;
    case RecordKind::kGroup:
      return put ? Dispatched(key, bytes) : erased_groups_.push_back(key);
    case RecordKind::kSession: {
      if (!put) return erased_sessions_.push_back(static_cast<SessionNumber>(key));
      const auto record = inputs::DecodeSession(bytes);
      scene_.Expect(record.ok(), "records can be read");
      Session& session = sessions_[static_cast<SessionNumber>(key)];
      session.speaker = {record->id, record->caller.subject};
      session.caller = record->caller;
      return;
    }
    case RecordKind::kReference:
      if (put) return ReferenceTaken(key, bytes);
      references_.erase(reference_of_[key]);
      reference_of_.erase(key);
      return;
    case RecordKind::kRequest:
      if (put) {
        scene_.CountStep();
        request_of_[key] = inputs::DecodeRequest(bytes)->request;
        scene_.Expect(requests_.emplace(request_of_[key], key).second, "a request is run once");
      } else {
        requests_.erase(request_of_[key]);
        request_of_.erase(key);
      }
      return;
    case RecordKind::kTree:
      return put ? TreeWritten(key, bytes) : TreeErased(key);
    case RecordKind::kInfo:
      return put ? InfoWritten(key, bytes) : erased_infos_.push_back(key);
    case RecordKind::kRestart:
      return put ? RestartWritten(key, bytes) : erased_restarts_.push_back(key);
    case RecordKind::kHistory:
    case RecordKind::kDead: {
      const bool dead = operation.kind == ToKind(RecordKind::kDead);
      return put ? RowWritten(dead, key, bytes) : RowForgotten(dead, key);
    }
    case RecordKind::kOutbox:
      return put ? LineWritten(key, bytes) : LinesTrimmed(operation.last);
    case RecordKind::kEndedDependency:
      if (put) {
        ended_dependencies_.insert(key);
      } else {
        ended_dependencies_.erase(key);
      }
      return;
    case RecordKind::kAdmission:
      return put ? AdmissionWritten(key, bytes) : AdmissionErased(key);
    case RecordKind::kObject:
      return put ? ObjectWritten(key, bytes) : ObjectErased(key);
    case RecordKind::kCheckpoint:
      return put ? CheckpointWritten(key, bytes) : CheckpointErased(key);
    case RecordKind::kReuse:
      if (put) return ReuseWritten(key, bytes);
      reusable_.erase(key);
      return;
    case RecordKind::kInbox:
      return scene_.Expect(false, "nothing is in the inbox of who takes nothing from there");
    case RecordKind::kHighWater:
    case RecordKind::kMeta:
      return;
  }
}

void Model::Created(TaskKey key, std::string_view bytes) {
  const auto record = inputs::DecodeSpec(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  TaskKey& highest = highest_[record->id.slot()];
  scene_.Expect(highest == 0 || key > highest, "a sequence is used once");
  highest = std::max(highest, key);
  ModelTask& task = tasks_[key];
  task = {.id = record->id,
          .name_space = std::string(record->name_space),
          .owner = std::string(record->owner),
          .type = record->spec.type,
          .payload = std::string(record->payload),
          .created = scene_.clock.Read().steady,
          .priority = record->spec.priority,
          .not_before = record->spec.not_before,
          .max_attempts = record->spec.retry.max_attempts,
          .place = PlaceOf(record->payload),
          .once = record->spec.effect == inputs::Effect::kOnce,
          .parent = record->spec.parent,
          .root = record->spec.root,
          .spec = std::make_shared<const inputs::TaskSpec>(record->spec)};
  task.keyed = record->spec.keys != nullptr || task.place != 0;
  rules_.Created(task.id, task.name_space, task.owner, record->spec);
  fair_turns_.Created(key, task.name_space, record->spec);
  living_.insert(key);
  created_.insert(key);
  if (!record->spec.restarted_from.empty()) restarts_.push_back(key);
  TakeInfo(task);
  CheckHandler(task);
  Joined(task);
  const bool waits_for_nothing =
      !task.not_before.has_value() && !task.keyed && record->spec.dependencies.empty();
  if (waits_for_nothing) turns_[LaneOf(task)].insert(TurnOf(task));
  recent_.push_back(record->id);
  if (recent_.size() > 2 * kRecent) {
    recent_.erase(recent_.begin(), recent_.end() - static_cast<std::ptrdiff_t>(kRecent));
  }
}

void Model::Release(ModelTask& task) {
  if (task.holder == 0) return;
  running_.erase({task.id.key(), task.dispatch});
  if (const auto holder = sessions_.find(task.holder); holder != sessions_.end()) {
    holder->second.held.erase(task.id.key());
  }
  task.holder = 0;
}

void Model::LeaveTurn(const ModelTask& task) { turns_[LaneOf(task)].erase(TurnOf(task)); }

void Model::StateWritten(TaskKey key, std::string_view bytes) {
  const auto record = inputs::DecodeState(bytes);
  ModelTask* const task = Find(key);
  scene_.Expect(record.ok() && task != nullptr && !task->end.has_value(),
                "only living tasks have a state");
  if (!record.ok() || task == nullptr) return;
  scene_.Expect(
      record->closed_dispatch >= task->closed_dispatch && record->closed_dispatch <= task->dispatch,
      "a dispatch that is over stays so");
  ++task->changes;
  fair_turns_.Left(key);
  ControlWritten(*task, *record);
  CheckAttempts(*task, *record);
  CheckLateness(*task, *record);
  scene_.Expect(record->once_begun ? task->once : !task->once_begun,
                "a start that was recorded stays so, and only ONCE needs it");
  scene_.Expect(!record->once_begun || record->closed_dispatch < task->dispatch ||
                    record->intended_end.has_value(),
                "a ONCE task whose begun dispatch is over comes to its end");
  scene_.Expect(record->last_failure.reason != "UNKNOWN_OUTCOME" || record->once_begun,
                "an outcome is unknown only of a ONCE task that may have begun");
  scene_.Expect(record->last_failure.reason != "DEPENDENCY_EXPIRED" ||
                    std::ranges::any_of(task->spec->dependencies, &inputs::Dependency::argument),
                "only who has arguments can miss one");
  task->failed_attempts = record->failed_attempts;
  task->once_begun = record->once_begun;
  task->closed_dispatch = record->closed_dispatch;
  task->intended_end = record->intended_end;
  if (task->intended_end.has_value()) LeaveTurn(*task);
  if (task->closed_dispatch == task->dispatch) Release(*task);
}

void Model::CheckAttempts(const ModelTask& task, const inputs::StateRecord& record) const {
  if (record.failed_attempts != task.failed_attempts) {
    scene_.Expect(record.failed_attempts == task.failed_attempts + 1 &&
                      task.begun.contains(record.closed_dispatch),
                  "an attempt is counted once, and only when its handler had begun");
    scene_.Expect(record.failed_attempts <= task.max_attempts,
                  "no more attempts than were asked for");
    return;
  }
  const auto running = running_at_end_.find({task.id.key(), record.closed_dispatch});
  const bool taken_away = record.closed_dispatch > task.closed_dispatch &&
                          running != running_at_end_.end() && running->second;
  scene_.Expect(!taken_away || record.cancel_requested || IsExpelled(task),
                "who had begun and is lost, or takes too long, costs an attempt");
}

// Its holder is blocked, in this batch or before.
bool Model::IsExpelled(const ModelTask& task) const {
  const auto holder = sessions_.find(task.holder);
  return holder == sessions_.end() ||
         blocks_.Find(holder->second.caller, "", absl::InfinitePast()) != nullptr;
}

void Model::Dispatched(uint64_t number, std::string_view bytes) {
  const auto record = inputs::DecodeGroup(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  groups_[number] = record->entries;
  for (const auto& entry : record->entries) {
    ModelTask* const task = Find(entry.task);
    scene_.Expect(task != nullptr, "only accepted tasks are dispatched");
    if (task == nullptr) continue;
    scene_.Expect(!task->end.has_value() && !task->intended_end.has_value(),
                  "a task that ends is not dispatched");
    CheckMayGo(*task);
    CheckInTime(*task);
    scene_.Expect(entry.dispatch == task->dispatch + 1, "each dispatch has the next number");
    scene_.Expect(task->holder == 0, "at most one dispatch of a task is held");
    scene_.Expect(!task->once_begun, "a ONCE task that may have begun is not dispatched again");
    scene_.Expect(task->fenced_dispatch + 1 >= entry.dispatch,
                  "a dispatch follows another only when Outputs has closed that");
    scene_.Expect(!task->outputs_end.has_value(), "what has a result is not dispatched");
    const auto session = sessions_.find(entry.session);
    scene_.Expect(session != sessions_.end(), "only sessions on record hold tasks");
    scene_.Expect(!task->not_before.has_value() || *task->not_before <= latest_wall_,
                  "nothing is dispatched before its time");
    ++task->changes;
    task->dispatch = entry.dispatch;
    task->dispatched_at = scene_.clock.Read().steady;
    task->dispatched_to_step = task->stepping;
    rules_.Dispatched(entry.task);
    fair_turns_.Dispatched(entry.task, task->name_space, *task->spec);
    LeaveTurn(*task);
    if (!task->keyed) {
      Turn& last = last_turns_.try_emplace(LaneOf(*task), TurnOf(*task)).first->second;
      last = std::max(last, TurnOf(*task));
    }
    if (session == sessions_.end()) continue;
    task->holder = entry.session;
    session->second.held.insert(entry.task);
    fed_.insert(entry.session);
    CheckPlace(*task, session->second.speaker);
    task->given_to[entry.dispatch] = session->second.speaker.first;
    task->begins_with = task->checkpoint;
    went_.insert(entry.task);
  }
}

void Model::RowWritten(bool dead, uint64_t row, std::string_view bytes) {
  const auto views = inputs::DecodeEnded(bytes);
  if (!views.ok()) return scene_.Expect(false, "records can be read");
  std::vector<TaskKey>& keys = rows_[{dead, row}];
  scene_.Expect(keys.empty(), "a row is written once");
  for (const TaskView& view : *views) {
    keys.push_back(view.id.key());
    Ended(view, dead);
  }
}

void Model::Ended(const TaskView& view, bool dead) {
  ++ended_;
  ModelTask* const task = Find(view.id.key());
  scene_.Expect(task != nullptr && task->id == view.id, "only accepted tasks end");
  if (task == nullptr) return;
  scene_.Expect(!task->end.has_value(), "a task ends once");
  scene_.Expect(task->outputs_end == view.state, "a task ends as Outputs says");
  scene_.Expect((view.state != TaskState::kSucceeded) == dead, "history is for success alone");
  scene_.Expect(view.dispatch == task->dispatch && view.failed_attempts == task->failed_attempts,
                "an ended task shows how often it was dispatched and failed");
  scene_.Expect(view.parent == task->parent &&
                    (view.root == TreeOf(*task) || (view.root.empty() && task->root.empty())),
                "an ended task shows its kin");
  scene_.Expect(HasInfo(*task, view.info), "an ended task shows its info");
  task->end = view.state;
  PureEnded(*task);
  task->root_at_end = view.root;
  rules_.Ended(view);
  fair_turns_.Left(view.id.key());
  living_.erase(view.id.key());
  LeaveTree(*task);
  LeaveTurn(*task);
  Release(*task);
}

void Model::RowForgotten(bool dead, uint64_t row) {
  for (const TaskKey key : rows_[{dead, row}]) tasks_.erase(key);
  rows_.erase({dead, row});
}

void Model::ReferenceTaken(TaskKey holder, std::string_view bytes) {
  const auto record = inputs::DecodeReference(bytes);
  if (!record.ok()) return scene_.Expect(false, "records can be read");
  ReferenceName name{record->name_space, record->owner, record->reference, record->parent};
  scene_.Expect(references_.emplace(name, holder).second, "a reference has one holder");
  reference_of_[holder] = std::move(name);
}

void Model::LineWritten(uint64_t number, std::string_view bytes) {
  events::v1::EventBatch line;
  scene_.Expect(line.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())),
                "an event line can be read");
  scene_.Expect(number > last_line_, "event lines ascend");
  for (const auto& run : line.runs()) {
    if (run.type() == "task.finished") told_ended_ += static_cast<size_t>(run.dispatches_size());
    if (run.type().starts_with("task.")) RunWritten(run);
  }
  last_line_ = number;
  lines_.emplace(number, bytes);
}

void Model::RunWritten(const events::v1::EventRun& run) {
  const bool end = run.type() == "task.finished";
  for (int i = 0; i < run.dispatches_size(); ++i) {
    const std::string task = run.task_ids().substr(16 * static_cast<size_t>(i), 16);
    const auto [told, first] = told_dispatches_.emplace(task, 0);
    scene_.Expect(first == (run.type() == "task.created"), "the first event of a task creates it");
    scene_.Expect(told->second <= run.dispatches(i),
                  "events of a task stand in the order of its dispatches, and none behind its end");
    scene_.Expect((told->second < run.dispatches(i)) == (run.type() == "task.received"),
                  "a dispatch begins with its task being received, and nothing else begins one");
    told->second = end ? std::numeric_limits<uint32_t>::max() : run.dispatches(i);
  }
}

void Model::LinesTrimmed(uint64_t last) {
  scene_.Expect(lines_.empty() || lines_.begin()->first > last,
                "an event line stays until Events holds it");
}

void Model::CheckBatch() {
  for (const TaskKey key : erased_specs_) {
    const ModelTask* const task = Find(key);
    scene_.Expect(task == nullptr || task->end == TaskState::kSucceeded,
                  "a spec stays until its task has ended, and is forgotten or succeeded");
  }
  CheckTrees();
  CheckRestarts();
  CheckInfoErased();
  for (const uint64_t number : erased_groups_) {
    for (const auto& entry : groups_[number]) {
      const ModelTask* const task = Find(entry.task);
      scene_.Expect(
          task == nullptr || task->end.has_value() || task->closed_dispatch >= entry.dispatch,
          "a dispatch stays on record until it is over");
    }
    groups_.erase(number);
  }
  for (const SessionNumber number : erased_sessions_) {
    const Session& session = sessions_[number];
    scene_.Expect(session.held.empty(), "a session that holds tasks stays on record");
    if (blocks_.Find(session.caller, "", absl::InfinitePast()) != nullptr) {
      blocked_sessions_.insert(session.speaker.first);
    }
    sessions_.erase(number);
  }
  for (const auto& [number, session] : sessions_) {
    scene_.Expect(blocks_.Find(session.caller, "", absl::InfinitePast()) == nullptr,
                  "who is blocked has no session");
  }
  for (const SessionNumber number : fed_) {
    const auto session = sessions_.find(number);
    if (session == sessions_.end()) continue;
    const auto credit = credit_at_end_.find(session->second.speaker);
    scene_.Expect(
        credit != credit_at_end_.end() && session->second.held.size() <= credit->second.limit,
        "nobody is given more than the credit");
    scene_.Expect(credit == credit_at_end_.end() || !credit->second.leaving,
                  "who was asked to leave is given nothing");
  }
  for (const auto& [lane, last] : last_turns_) {
    const std::set<Turn>& turns = turns_[lane];
    scene_.Expect(turns.empty() || last < *turns.begin(),
                  "the highest priority is dispatched first, and the oldest of it");
  }
  scene_.Expect(ended_ == told_ended_, "every end has one event");
  if (!created_.empty()) CheckQuotas();
  CheckDeadlines();
  fair_turns_.CheckBatch();
  rules_.CheckBatch([this](TaskKey key) { return Runs(key); });
}

uint64_t Model::CountLiving(std::string_view name_space, std::string_view type) const {
  return static_cast<uint64_t>(std::ranges::count_if(living_, [&](TaskKey key) {
    const ModelTask& task = Living(key);
    return task.name_space == name_space && (type.empty() || task.type == type);
  }));
}

void Model::CheckQuotas() const {
  for (size_t i = 0; i < kNamespaces.size(); ++i) {
    scene_.Expect(CountLiving(kNamespaces[i], "") <= kNamespaceQuotas[i] &&
                      CountLiving(kNamespaces[i], kTypes[0]) <= kTypeQuota,
                  "no more tasks live than the quotas allow");
  }
}

bool Model::Runs(TaskKey key) const {
  const auto task = tasks_.find(key);
  return task != tasks_.end() && task->second.dispatch > task->second.fenced_dispatch &&
         !task->second.outputs_end.has_value();
}

void Model::CheckSlots(std::string_view name_space, const inputs::LimitView& limit) const {
  const auto dispatched = [this](TaskKey key) {
    const auto task = tasks_.find(key);
    return task != tasks_.end() && task->second.dispatch > 0;
  };
  rules_.CheckSlots(
      name_space, limit, [this](TaskKey key) { return Runs(key); }, dispatched);
}

// ---- Events ----

void Model::OnEventsHold(uint64_t number, std::string_view line) {
  scene_.Expect(
      !lines_.empty() && lines_.begin()->first == number && lines_.begin()->second == line,
      "Events gets every line, as it was written and in order");
  lines_.erase(number);
}

void Model::OnLine(uint64_t number, std::string_view line) {
  const auto written = lines_.find(number);
  scene_.Expect(number <= last_line_ && (written == lines_.end() || written->second == line),
                "an event line leaves when it is durable");
}

void Model::CheckEmpty() const {
  scene_.Expect(lines_.empty(), "Events gets every line in the end");
  scene_.Expect(sessions_.empty(), "no session stays on record for ever");
  scene_.Expect(groups_.empty(), "no dispatch stays on record for ever");
  scene_.Expect(references_.empty(), "no reference is taken for ever");
  scene_.Expect(requests_.empty(), "no request is remembered for ever");
  scene_.Expect(ended_dependencies_.empty(), "in the end everybody has heard of every end");
  scene_.Expect(trees_.empty(), "no tree is remembered for ever");
  scene_.Expect(restarted_as_.empty(), "no restart is remembered for ever");
  scene_.Expect(reusable_.empty(), "no result is kept for reuse for ever");
  scene_.Expect(patched_.empty(), "no info is kept for ever");
  scene_.Expect(rows_.empty(), "no row of ended tasks is kept for ever");
  scene_.Expect(tasks_.empty(), "no ended task is kept for ever");
}

}  // namespace kantoku::simulation
