#include "services/inputs/engine/engine.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/splitmix.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Spawning and questions. Control is in engine_control.cc, trees are in engine_trees.cc,
// dependencies in engine_dependencies.cc, keys and pauses of types in engine_admission.cc, restarts
// in engine_restart.cc, info in engine_info.cc, reuse of results in engine_reuse.cc, task tokens in
// engine_handlers.cc. What happens
// between dispatch and end is in engine_lifecycle.cc, what executors say of it in
// engine_reports.cc, sessions in engine_sessions.cc, recovery in engine_recovery.cc.
namespace kantoku::inputs {
namespace {

using platform::Error;
using platform::Now;

// Sequences are reserved ahead in blocks, so that the high-water mark is rarely written.
constexpr uint64_t kSequenceBlock = uint64_t{1} << 16;

// Of items in a row that found no room, in one call: each is remembered with it.
constexpr size_t kMaxRefusedRuns = 1'000;

// Where a handler spawned with a task token, references are those of its task, `parent`: it finds
// out nothing about the owner's others, and cannot take them. No reference holds a zero.
std::string ReferenceKey(std::string_view name_space, std::string_view owner, const TaskId& parent,
                         std::string_view reference) {
  std::string key;
  key.reserve(name_space.size() + owner.size() + reference.size() + 2);
  key.append(name_space).push_back('\0');
  key.append(owner).push_back('\0');
  if (!parent.empty()) key.append(parent.bytes()).push_back('\0');
  key.append(reference);
  return key;
}

std::string_view FirstDifference(const SpecHashes& a, const SpecHashes& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i] != b[i]) return kSpecFieldNames[i];
  }
  return {};
}

// What a repeat says of an item that was not taken, as texts that outlive every record.
SpawnOutcome::Item NotTaken(const RequestRecord::Exception& exception) {
  if (exception.holder.empty()) {
    for (const std::string_view word : SpawnOutcome::kRefusals) {
      if (exception.conflict == word) return {.refusal = word};
    }
    return {.refusal = SpawnOutcome::kParentUnknown};
  }
  if (exception.conflict.empty()) return {.id = exception.holder};
  if (exception.conflict == RequestRecord::kReused) {
    if (KANTOKU_PLANTED("repeat forgets whose result was reused")) return {.reused = true};
    return {.id = exception.holder, .reused = true};
  }
  const auto known = std::ranges::find(kSpecFieldNames, std::string_view(exception.conflict));
  return {.id = exception.holder, .conflict = known == kSpecFieldNames.end() ? "spec" : *known};
}

// Whether a limit that is missing or too small may have it refused.
bool NamesLimits(const TaskSpec& spec) {
  return spec.keys != nullptr && !(spec.keys->concurrency.empty() && spec.keys->rates.empty());
}

}  // namespace

Engine::Engine(const EngineOptions& options)
    : options_(options), reuse_(options.max_reusable), jitter_state_(options.seed) {}
Engine::~Engine() = default;

uint32_t Engine::SlotOf(std::string_view name_space) const {
  return platform::SlotOfNamespace(name_space, options_.slot_count);
}

uint64_t Engine::ReserveSequences(uint32_t slot, uint64_t count, Effects& effects) {
  auto& [next, reserved] = sequences_[slot];
  if (next + count > reserved) {
    reserved = next + count + kSequenceBlock;
    effects.high_water.push_back({slot, reserved});
  }
  return next;
}

const Engine::Reference* Engine::FindReference(const SpawnCommand& command,
                                               std::string_view reference) const {
  if (reference.empty()) return nullptr;
  const TaskId parent = command.handler.has_value() ? command.handler->task : TaskId();
  const auto found =
      references_.find(ReferenceKey(command.name_space, command.owner, parent, reference));
  return found == references_.end() ? nullptr : &found->second;
}

const Engine::Reference* Engine::FindReference(const TaskView& dead) const {
  if (dead.reference.empty()) return nullptr;
  const TaskId parent = dead.provenance.executor_owner.empty() ? TaskId() : dead.parent;
  const auto found =
      references_.find(ReferenceKey(dead.name_space, dead.owner, parent, dead.reference));
  return found == references_.end() ? nullptr : &found->second;
}

SpawnOutcome Engine::Repeat(const RequestRecord& record) const {
  SpawnOutcome outcome{.items = std::vector<SpawnOutcome::Item>(record.count), .repeated = true};
  uint64_t sequence = record.first_sequence;
  auto exception = record.exceptions.begin();
  for (uint32_t i = 0; i < record.count; ++i) {
    SpawnOutcome::Item& item = outcome.items[i];
    if (exception != record.exceptions.end() && exception->index == i) {
      item = NotTaken(*exception);
      for (uint32_t more = 1; more < exception->count; ++more) outcome.items[++i] = item;
      ++exception;
    } else {
      item.id = TaskId::Make(record.created, record.slot, sequence++, SplitMix(record.random + i));
      item.created = true;
    }
  }
  return outcome;
}

// What is refused for what all have together says the bound, and not how much others use of it.
absl::Status Engine::CheckPending(size_t more) const {
  if (tasks_.size() + more <= options_.max_pending) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "PENDING_LIMIT",
               absl::StrCat("specs: ", more, " more pending tasks exceed the server's limit of ",
                            options_.max_pending));
}

absl::Status Engine::CheckRepeats(std::string_view name_space,
                                  std::span<const TaskSpec> specs) const {
  // Answers about references that were taken, about results that are reused, and about tasks that
  // were refused for their parent, what they depend on or their limits, are remembered one by one,
  // and those about tasks without room by runs. Which of these come to that shows only later: as if
  // all did.
  const size_t repeats = requests_.repeats();
  if (repeats + 2 * specs.size() <= options_.max_repeats) return absl::OkStatus();
  const size_t crowded = quotas_.Bounds(name_space) ? std::min(specs.size(), kMaxRefusedRuns) : 0;
  const auto named = static_cast<size_t>(std::ranges::count_if(specs, [](const TaskSpec& spec) {
    return !spec.reference.empty() || !spec.parent.empty() || !spec.root.empty() ||
           !spec.dependencies.empty() || spec.reuse_within_ms > 0 || NamesLimits(spec);
  }));
  if (named + crowded == 0 || repeats + named + crowded <= options_.max_repeats) {
    return absl::OkStatus();
  }
  return Error(
      absl::StatusCode::kResourceExhausted, "REPEAT_LIMIT",
      absl::StrCat("specs: ", named + crowded,
                   " more repeats of references, reused results and refused items may exceed the ",
                   "server's limit of ", options_.max_repeats, " in 10 minutes"));
}

bool Engine::LacksRoom(const SpawnCommand& command, uint32_t& index, size_t& runs,
                       RequestRecord& record) const {
  const TaskSpec& spec = command.specs[index];
  const std::string_view why = quotas_.Refusal(command.name_space, spec.type, spec.stored_bytes);
  if (why.empty()) return false;
  auto& exceptions = record.exceptions;
  const bool goes_on = !exceptions.empty() && exceptions.back().conflict == why &&
                       exceptions.back().index + exceptions.back().count == index;
  if (goes_on) {
    ++exceptions.back().count;
    return true;
  }
  exceptions.push_back({.index = index, .holder = {}, .conflict = std::string(why)});
  if (++runs < kMaxRefusedRuns) return true;
  exceptions.back().count = record.count - exceptions.back().index;
  index = record.count - 1;
  return true;
}

absl::StatusOr<SpawnOutcome> Engine::Spawn(const SpawnCommand& command, const Now& now,
                                           Effects& effects) {
  Advance(now);
  KANTOKU_RETURN_IF_ERROR(CheckHandler(command));
  const bool has_ids = !command.ids.empty();
  const RequestRecord* const known = has_ids ? nullptr : requests_.Find(command.request);
  if (known != nullptr) {
    if (known->content == command.content) return Repeat(*known);
    return Error(absl::StatusCode::kInvalidArgument, "REQUEST_ID_REUSED",
                 "request_id: was used for another batch within the last 10 minutes");
  }
  KANTOKU_RETURN_IF_ERROR(CheckPending(command.specs.size()));
  if (!has_ids) KANTOKU_RETURN_IF_ERROR(CheckRepeats(command.name_space, command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckLanes(command.name_space, command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckSelectors(command.name_space, command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckBonds(command.specs));
  KANTOKU_RETURN_IF_ERROR(CheckKeys(command));
  KANTOKU_RETURN_IF_ERROR(CheckInfo(command.specs));
  const uint32_t slot = SlotOf(command.name_space);
  RequestRecord record{.request = command.request,
                       .content = command.content,
                       .created = now.wall,
                       .slot = slot,
                       .first_sequence = ReserveSequences(slot, command.specs.size(), effects),
                       .count = static_cast<uint32_t>(command.specs.size()),
                       .random = command.random};
  const std::string_view executor_owner =
      command.handler.has_value() ? command.handler->executor_owner : std::string_view();
  const uint32_t origin =
      origins_.Intern({std::string(command.owner), std::string(command.app),
                       std::string(executor_owner), std::string(command.spawn_scope)});
  uint64_t sequence = record.first_sequence;
  std::vector<TaskId> ids(record.count);                // Of those that were refused none.
  std::vector<std::pair<uint32_t, std::string>> about;  // Of refused items, by index.
  std::vector<std::pair<uint32_t, TaskId>> roots;       // Of children, likewise.
  const auto refuse = [&record](uint32_t item, std::string_view why) {
    record.exceptions.push_back({item, TaskId(), std::string(why)});
  };
  absl::flat_hash_set<TaskId> reused_ones;
  KeyFinder keys(admission_.keys(), command.name_space, command.owner);
  size_t refused_runs = 0;
  for (uint32_t i = 0; i < record.count; ++i) {
    const TaskSpec& spec = command.specs[i];
    const auto dependencies = NameDependencies(spec, ids);
    if (!dependencies.has_value()) {
      refuse(i, SpawnOutcome::kDependencyRefused);
      continue;
    }
    if (const auto* holder = FindReference(command, spec.reference)) {
      const auto conflict = FirstDifference(holder->hashes, HashesOf(spec, *dependencies));
      record.exceptions.push_back({i, holder->task, std::string(conflict)});
      if (conflict.empty()) ids[i] = holder->task;
      continue;
    }
    const Kinship kin = FindKin(command, spec);
    if (!kin.refusal.empty()) {
      refuse(i, kin.refusal);
      continue;
    }
    if (!MayJoinContext(command, spec)) {
      refuse(i, SpawnOutcome::kTokenContext);
      continue;
    }
    if (!KnowsAll(command, *dependencies, reused_ones)) {
      refuse(i, SpawnOutcome::kDependencyUnknown);
      continue;
    }
    const bool may_reuse = !has_ids && AllLetRun(command, *dependencies, reused_ones);
    const TaskId reused = may_reuse ? FindReusable(spec, now) : TaskId();
    if (!reused.empty()) {
      record.exceptions.push_back({i, reused, std::string(RequestRecord::kReused)});
      ids[i] = reused;
      reused_ones.insert(reused);
      continue;
    }
    NamedKeys* const named = spec.keys == nullptr ? nullptr : &keys.Find(spec);
    if (named != nullptr) {
      if (Refusal refusal = CheckLimits(command, spec, *named); !refusal.word.empty()) {
        refuse(i, refusal.word);
        about.emplace_back(i, std::move(refusal.about));
        continue;
      }
    }
    if (LacksRoom(command, i, refused_runs, record)) continue;
    const TaskId made = TaskId::Make(now.wall, slot, sequence++, SplitMix(command.random + i));
    const TaskId id = ids[i] = has_ids ? command.ids[i] : made;
    const TaskIndex index =
        Admit(id, command.name_space, origin, spec, /*order=*/has_ids ? made.key() : 0);
    if (named != nullptr) {
      MakeLimits(command, spec, *named, now, effects);
      admission_.Join(index, command.name_space, command.owner, spec.type, *spec.keys, *named);
    }
    if (!kin.root.empty()) {
      Join(index, spec.parent, kin.root, /*recorded=*/{});
      roots.emplace_back(i, kin.root);
    }
    Task& task = tasks_.at(index);
    if (task.pure) NoteNoResultYet(task, now);
    if (task.pause_requested) WriteState(task, std::nullopt, effects);
    if (!spec.reference.empty()) {
      const ReferenceRecord reference{id,
                                      std::string(command.name_space),
                                      std::string(command.owner),
                                      spec.reference,
                                      HashesOf(spec, *dependencies),
                                      command.handler.has_value() ? spec.parent : TaskId()};
      RecoverReference(reference);
      effects.references.push_back({id.key(), reference});
    }
    Say(EventType::kTaskCreated, task, effects);
    if (!dependencies->empty()) Depend(index, *dependencies, command.ended, now, effects);
    if (task.state != TaskState::kSettling) Enqueue(index, now);
  }
  sequences_[slot].first = sequence;
  SpawnOutcome outcome = Repeat(record);
  outcome.repeated = false;
  for (uint32_t i = 0; has_ids && i < record.count; ++i) {
    if (outcome.items[i].created) outcome.items[i].id = command.ids[i];
  }
  for (const auto& [index, root] : roots) outcome.items[index].root = root;
  for (auto& [index, words] : about) outcome.items[index].about = std::move(words);
  // A call of which nothing came but that there is no room may be tried again as it is.
  uint64_t crowded_out = 0;
  for (const auto& exception : record.exceptions) {
    if (QuotaBook::IsRefusal(exception.conflict)) crowded_out += exception.count;
  }
  if (crowded_out == record.count || has_ids) return outcome;
  const uint64_t number = requests_.Add(record, AgeTime(now));
  effects.requests.push_back({number, std::move(record)});
  return outcome;
}

TaskIndex Engine::Admit(const TaskId& id, std::string_view name_space, uint32_t origin,
                        const TaskSpec& spec, TaskKey order) {
  const TaskIndex index = tasks_.Insert(id, order);
  Task& task = tasks_.at(index);
  task.lane = matcher_.LaneFor(name_space, spec.type, spec.placement);
  matcher_.Use(task.lane);
  task.origin = origin;
  origins_.Use(origin);
  task.policy = policies_.Intern(spec.retry);
  policies_.Use(task.policy);
  task.priority = static_cast<int16_t>(spec.priority);
  task.timeout_ms = spec.timeout_ms;
  task.retention_s = spec.retention_s;
  task.stored_bytes = spec.stored_bytes;
  task.has_reference = !spec.reference.empty();
  task.once = spec.effect == Effect::kOnce;
  quotas_.Take(name_space, spec.type, spec.stored_bytes);
  task.is_restart = !spec.restarted_from.empty();
  if (task.is_restart) restarted_from_[task.key()] = spec.restarted_from;
  if (spec.info != nullptr) SetInfo(index, spec.info);
  if (spec.equal != Digest()) {
    task.pure = true;
    pures_[id.key()] = {spec.equal, id.time()};
  }
  task.has_deadline = deadlines_.Add(task.key(), spec, id.time());
  task.wake = spec.not_before.has_value() ? absl::ToUnixNanos(*spec.not_before) : 0;
  task.state = TaskState::kScheduled;
  return index;
}

absl::Status Engine::CheckLanes(std::string_view name_space,
                                std::span<const TaskSpec> specs) const {
  if (matcher_.used() + specs.size() <= options_.max_types) return absl::OkStatus();
  using LaneName = std::pair<std::string_view, Placement>;
  absl::flat_hash_set<LaneName> fresh;
  for (const TaskSpec& spec : specs) {
    const LaneIndex lane = matcher_.FindLane(name_space, spec.type, spec.placement.get());
    if (lane != kNoLane && matcher_.IsUsed(lane)) continue;
    fresh.emplace(spec.type, spec.placement == nullptr ? Placement() : *spec.placement);
  }
  return TypeLimit("specs.type", fresh.size());
}

absl::Status Engine::CheckTypes(std::string_view name_space,
                                std::span<const std::string> types) const {
  if (matcher_.used() + types.size() <= options_.max_types) return absl::OkStatus();
  absl::flat_hash_set<std::string_view> fresh;
  for (const std::string& type : types) {
    const LaneIndex lane = matcher_.FindLane(name_space, type);
    if (lane == kNoLane || !matcher_.IsUsed(lane)) fresh.insert(type);
  }
  return TypeLimit("hello.types", fresh.size());
}

absl::Status Engine::TypeLimit(std::string_view field, size_t fresh) const {
  if (fresh == 0 || matcher_.used() + fresh <= options_.max_types) return absl::OkStatus();
  return Error(absl::StatusCode::kResourceExhausted, "TYPE_LIMIT",
               absl::StrCat(platform::ToAbsl(field), ": ", fresh,
                            " more types exceed the server's limit of ", options_.max_types));
}

absl::Status Engine::CheckSelectors(std::string_view name_space,
                                    std::span<const TaskSpec> specs) const {
  if (matcher_.used_selectors() + specs.size() <= options_.max_selectors) return absl::OkStatus();
  absl::flat_hash_set<std::string_view> fresh;
  for (const TaskSpec& spec : specs) {
    if (spec.placement == nullptr || !spec.placement->selector.has_value()) continue;
    const Selector& selector = *spec.placement->selector;
    if (!matcher_.IsUsed(name_space, selector)) fresh.insert(selector.canonical());
  }
  const size_t used = matcher_.used_selectors(name_space);
  if (fresh.empty() || used + fresh.size() <= options_.max_selectors) return absl::OkStatus();
  return Error(
      absl::StatusCode::kResourceExhausted, "PLACEMENT_LIMIT",
      absl::StrCat("specs.placement.selector: ", used, " selectors are in use in this namespace, ",
                   fresh.size(), " more exceed the limit of ", options_.max_selectors));
}

// Of a task that nobody holds.
void Engine::Enqueue(TaskIndex index, const Now& now) {
  Task& task = tasks_.at(index);
  if (task.has_dependencies && dependencies_.OpenOf(index) > 0) {
    task.state = task.paused() ? TaskState::kPaused : TaskState::kBlocked;
    NoteWait(task);
    return;
  }
  if (task.wake > absl::ToUnixNanos(now.wall) && !KANTOKU_PLANTED("delay ignored")) {
    task.state = task.paused() ? TaskState::kPaused : TaskState::kScheduled;
    wall_alarms_.Push(task.wake, index);
  } else {
    task.backing_off = false;
    task.state = task.paused() ? TaskState::kPaused : TaskState::kReady;
    if (task.queued()) MakeReady(index);
  }
  NoteWait(task);
}

void Engine::Dequeue(TaskIndex index, TaskState state) {
  Task& task = tasks_.at(index);
  const bool queued = task.queued();
  if (task.wake_position != 0) Unschedule(index);
  task.state = state;
  NoteWait(task);
  if (!queued) return;
  if (task.has_keys) {
    admission_.Unready(index);
  } else {
    matcher_.Gone(task.lane, task.priority);
  }
}

void Engine::Unschedule(TaskIndex index) {
  (tasks_.at(index).backing_off ? steady_alarms_ : wall_alarms_).Remove(index);
}

// ---- Questions ----

std::optional<TaskView> Engine::Find(const TaskId& id) const {
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask) return std::nullopt;
  return ViewOf(tasks_.at(index));
}

std::optional<CauseTimes> Engine::WaitsOf(const TaskId& id, const Now& now) const {
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask) return std::nullopt;
  return waits_.TimesOf(tasks_.at(index), absl::ToInt64Milliseconds(now.steady));
}

const WaitBook::TypeTotals& Engine::WaitsByType(const Now& now) {
  Advance(now);
  return waits_.Totals();
}

bool Engine::KnowsKey(TaskKey key) const {
  return tasks_.FindKey(key) != kNoTask || history_.Find(key).has_value() ||
         dead_.Find(key).has_value();
}

TaskKey Engine::OrderOf(const TaskId& task) const {
  const Task& entry = tasks_.at(tasks_.Find(task));
  return entry.has_order ? tasks_.OrderOf(entry) : 0;
}

std::optional<DispatchMessage> Engine::LeaseOf(const TaskId& id) const {
  const TaskIndex index = tasks_.Find(id);
  if (index == kNoTask || tasks_.at(index).session == 0) return std::nullopt;
  return MessageFor(tasks_.at(index), sessions_.at(tasks_.at(index).session));
}

TaskView Engine::ViewOf(const Task& task) const {
  TaskView view{.id = task.id,
                .name_space = std::string(matcher_.name_space(task.lane)),
                .owner = origins_.at(task.origin).owner,
                .type = std::string(matcher_.type(task.lane)),
                .reference = std::string(ReferenceOf(task)),
                .priority = task.priority,
                .state = task.state,
                .cause = waits_.CauseOf(task),
                .failed_attempts = task.failed_attempts,
                .dispatch = task.dispatch,
                .last_failure = FailureOf(task)};
  if (task.failed_attempts > 0) view.attempts = attempts_.Of(task.key());
  if (!IsFinal(task.state)) {
    view.place = matcher_.ViewOf(task.lane);
    if (task.has_keys) {
      view.keys = std::make_shared<const TaskKeys>(admission_.KeysOf(tasks_.Find(task.id)));
    }
  }
  if (task.session != 0) view.session = sessions_.at(task.session).id;
  if (task.has_progress) view.progress = progress_.at(task.key()).fraction;
  const TaskIndex index = tasks_.Find(task.id);
  if (task.has_dependencies) {
    view.open_dependencies = dependencies_.OpenOf(index);
    if (view.open_dependencies > 0) view.open_dependency = dependencies_.AnyOf(index);
  }
  if (task.is_restart) view.restarted_from = restarted_from_.at(task.key());
  if (task.has_info) view.info = infos_.at(task.key());
  if (task.has_kin) {
    view.parent = trees_.ParentOf(index);
    view.root = trees_.TreeOf(index).root;
  }
  view.provenance = ProvenanceOf(index);
  view.detail = DetailOf(task, view.cause);
  return view;
}

std::vector<TaskView> Engine::List(const TaskFilter& filter, size_t limit, size_t budget,
                                   std::optional<TaskKey>& from) const {
  TaskKey next = from.value_or(0);
  std::vector<TaskView> views;
  for (; views.size() < limit && budget > 0; --budget) {
    const TaskIndex index = NextListed(filter, next);
    if (index == kNoTask) {
      from.reset();
      return views;
    }
    next = tasks_.at(index).key() + 1;
    TaskView view = ViewOf(tasks_.at(index));
    if (filter.Matches(view)) views.push_back(std::move(view));
  }
  from = next;
  return views;
}

std::vector<SessionView> Engine::Sessions(std::string_view name_space) const {
  std::vector<SessionView> views;
  for (const SessionNumber number : sessions_.Numbers()) {
    const Session& session = sessions_.at(number);
    if (names_.at(session.name_space) != name_space) continue;
    views.push_back({.id = session.id,
                     .name = session.name,
                     .caller = session.caller,
                     .types = session.types,
                     .labels = session.labels,
                     .version = session.version,
                     .connected = session.connection != 0,
                     .max_held = session.max_held,
                     .held = session.held,
                     .leaving = session.leaving,
                     .connected_at = session.connected_at});
  }
  return views;
}

// ---- Side tables ----

void Engine::SetFailure(Task& task, Failure failure) {
  if (failure.empty()) return;
  task.has_failure = true;
  failures_[task.key()] = std::move(failure);
}

void Engine::CountAttempt(Task& task, const Failure& failure) {
  ++task.failed_attempts;
  attempts_.Add(task.key(), task.dispatch, advanced_zero_ + absl::Milliseconds(waits_.now()),
                failure);
}

const Failure& Engine::FailureOf(const Task& task) const {
  static const Failure& none = *new Failure();
  return task.has_failure ? failures_.at(task.key()) : none;
}

std::string_view Engine::ReferenceOf(const Task& task) const {
  if (!task.has_reference) return {};
  const std::string& key = reference_keys_.at(task.key());
  return std::string_view(key).substr(key.rfind('\0') + 1);
}

void Engine::RecoverReference(const ReferenceRecord& record) {
  std::string key = ReferenceKey(record.name_space, record.owner, record.parent, record.reference);
  references_[key] = {record.task, record.hashes};
  reference_keys_[record.task.key()] = std::move(key);
}

EventMessage& Engine::Say(EventType type, const Task& task, Effects& effects) const {
  EventMessage& event = effects.events.emplace_back();
  event.type = type;
  event.task = task.id;
  event.name_space = matcher_.name_space(task.lane);
  event.owner = origins_.at(task.origin).owner;
  event.task_type = matcher_.type(task.lane);
  event.dispatch = task.dispatch;
  if (task.session != 0) event.session = sessions_.at(task.session).id;
  return event;
}

void Engine::SaySession(EventType type, const Session& session, Effects& effects) {
  effects.events.push_back({.type = type,
                            .name_space = names_.at(session.name_space),
                            .owner = {},
                            .task_type = {},
                            .session = session.id});
}

}  // namespace kantoku::inputs
