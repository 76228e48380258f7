#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "services/platform/status.h"
#include "tests/simulation/inputs/engine_walk.h"

// Keys of tasks, limits and pauses, with a model of its own of who may run beside whom. What runs
// is what Outputs would still take something from: the engine may know less, and must never think
// less.
namespace kantoku::inputs::testing {
namespace {

constexpr std::array<const char*, 2> kNamespaces = {"even", "odd"};

// Limits that tasks make are by name what they are, so that the model needs no memory of them.
struct KnownRate {
  const char* name;
  Rate rate;
};
constexpr std::array<KnownRate, 2> kRates = {
    {{"slow", {.tokens = 2, .period_ms = 5'000, .burst = 3}},
     {"bursts", {.tokens = 1, .period_ms = 700, .burst = 6}}}};
constexpr uint32_t kMostMade = 3;

bool Names(const TaskKeys& keys, const KeyName& name, const std::string& owner,
           const std::string& type) {
  const auto is = [&](KeyKind kind, const auto& key) {
    return name == KeyName{kind, key.scope, std::string(WhoseOf(key.scope, owner, type)), key.name};
  };
  for (const auto& key : keys.concurrency) {
    if (is(KeyKind::kConcurrency, key)) return true;
  }
  for (const auto& key : keys.rates) {
    if (is(KeyKind::kRate, key)) return true;
  }
  return false;
}

}  // namespace

void EngineWalk::NameKeys(TaskSpec& spec) {
  if (Chance(50)) return;
  TaskKeys keys;
  if (Chance(40)) keys.ordering = "order-" + std::to_string(Pick(3));
  if (Chance(50)) {
    keys.fairness = "share-" + std::to_string(Pick(3));
    keys.weight = static_cast<uint32_t>(Pick(3));
  }
  for (uint32_t limit = 1; limit <= kMostMade; ++limit) {
    if (!Chance(30)) continue;
    const auto scope = static_cast<KeyScope>(1 + Pick(3));
    keys.concurrency.push_back({"made-" + std::to_string(limit), scope, Chance(95) ? limit : 0});
  }
  if (Chance(30)) keys.concurrency.push_back({"set", KeyScope::kNamespace, 0});
  for (const KnownRate& each : kRates) {
    if (!Chance(25)) continue;
    keys.rates.push_back({each.name, KeyScope::kNamespace,
                          static_cast<uint32_t>(1 + Pick(each.rate.burst)), each.rate});
  }
  if (!keys.empty()) spec.keys = std::make_shared<const TaskKeys>(std::move(keys));
}

void EngineWalk::ChangeLimit() {
  const std::string name_space = kNamespaces[Pick(2)];
  const KeyName name{KeyKind::kConcurrency, KeyScope::kNamespace, "", "set"};
  const auto known = set_limits_.find(name_space);
  if (Chance(20)) {
    const bool used = std::ranges::any_of(Living(), [&](const TaskView& view) {
      return view.name_space == name_space && view.keys != nullptr &&
             Names(*view.keys, name, view.owner, view.type);
    });
    const auto status = engine_->RemoveLimit(name_space, name, open_.effects);
    Expect(status.ok() == (known != set_limits_.end() && !used),
           "a limit can be removed when no living task names it");
    if (status.ok()) set_limits_.erase(known);
    return;
  }
  const auto limit = static_cast<uint32_t>(1 + Pick(4));
  Expect(engine_->SetLimit(name_space, name, {.number = limit}, now_, open_.effects).ok(),
         "limits can be set");
  set_limits_[name_space] = limit;
  ++counts_["limit set"];
}

void EngineWalk::ChangePause() {
  const std::pair<std::string, std::string> what(kNamespaces[Pick(2)],
                                                 Chance(80) ? TypeOf(Pick(kTypes)) : "");
  const bool pause = Chance(30);
  const bool known = type_pauses_.contains(what);
  const auto status = engine_->SetPause(what.first, what.second, pause, pause ? "because" : "",
                                        now_, open_.effects);
  Expect(status.ok() == (pause || known), "a pause that is not there is not lifted");
  if (!status.ok()) return;
  if (pause) {
    type_pauses_.insert(what);
    ++counts_["type paused"];
  } else {
    type_pauses_.erase(what);
  }
}

void EngineWalk::LiftPauses() {
  for (const auto& [name_space, type] : std::exchange(type_pauses_, {})) {
    Expect(engine_->SetPause(name_space, type, false, "", now_, open_.effects).ok(),
           "a pause is lifted");
  }
}

bool EngineWalk::IsPaused(std::string_view name_space, std::string_view type) const {
  const std::string name(name_space);
  return type_pauses_.contains({name, ""}) || type_pauses_.contains({name, std::string(type)});
}

// Of a batch that was accepted now.
void EngineWalk::NoteKeys(const Submission& submission, const SpawnOutcome& outcome) {
  for (size_t i = 0; i < outcome.items.size(); ++i) {
    const auto& keys = submission.specs[i].keys;
    if (!outcome.items[i].created || keys == nullptr) continue;
    keyed_.insert_or_assign(outcome.items[i].id, Keyed{submission.name_space, submission.owner,
                                                       submission.specs[i].type, keys, 0});
  }
}

// Whether a handler may still be at work for the task, as far as Outputs knows.
bool EngineWalk::Runs(const TaskId& task, const Keyed& keyed) const {
  return keyed.dispatch > outputs_.closed(task) && !outputs_.end(task).has_value();
}

uint32_t EngineWalk::Running(const std::string& name_space, const KeyName& name) const {
  uint32_t running = 0;
  for (const auto& [id, keyed] : keyed_) {
    if (keyed.name_space == name_space && Runs(id, keyed) &&
        Names(*keyed.keys, name, keyed.owner, keyed.type)) {
      ++running;
    }
  }
  return running;
}

// What the group has dispatched, all at once: limits are checked with all of it under way.
void EngineWalk::CheckAdmitted(const Effects& effects) {
  for (const auto& message : effects.dispatches) {
    Expect(!IsPaused(message.name_space, message.type), "nothing of a paused type is dispatched");
    const auto found = keyed_.find(message.task);
    if (found == keyed_.end()) continue;
    ++counts_["admitted"];
    found->second.dispatch = message.dispatch;
    for (const auto& rate : found->second.keys->rates) {
      TakeTokens(found->second.name_space, rate.name, rate.cost);
    }
    if (found->second.keys->ordering.empty()) continue;
    for (const auto& [id, keyed] : keyed_) {
      if (id.key() >= message.task.key()) continue;
      if (keyed.name_space != found->second.name_space ||
          keyed.keys->ordering != found->second.keys->ordering) {
        continue;
      }
      Expect(!engine_->Find(id).has_value(),
             "a task of an ordering key is dispatched when all before it have ended");
    }
  }
  for (const auto& message : effects.dispatches) {
    const auto found = keyed_.find(message.task);
    if (found == keyed_.end()) continue;
    const Keyed& keyed = found->second;
    for (const auto& key : keyed.keys->concurrency) {
      const KeyName name{KeyKind::kConcurrency, key.scope,
                         std::string(WhoseOf(key.scope, keyed.owner, keyed.type)), key.name};
      const uint32_t limit = key.name == "set"
                                 ? set_limits_.at(keyed.name_space)
                                 : static_cast<uint32_t>(std::stoi(key.name.substr(5)));
      Expect(Running(keyed.name_space, name) <= limit, "no more run at once than the limit allows");
    }
  }
}

// By a bucket of its own, which crashes empty.
void EngineWalk::TakeTokens(const std::string& name_space, const std::string& name, uint32_t cost) {
  const auto known = std::ranges::find(kRates, name, &KnownRate::name);
  const Rate& rate = known->rate;
  const auto [bucket, added] =
      buckets_.try_emplace({name_space, name}, ModelBucket{rate.burst * 1.0, now_.steady});
  const double gained =
      absl::ToDoubleMilliseconds(now_.steady - bucket->second.as_of) * rate.tokens / rate.period_ms;
  bucket->second.tokens = std::min<double>(rate.burst, bucket->second.tokens + gained) - cost;
  bucket->second.as_of = now_.steady;
  Expect(bucket->second.tokens > -1e-6, "a bucket gives no more than its rate has put into it");
  ++counts_["tokens taken"];
}

void EngineWalk::RecoverAdmission() {
  type_pauses_.clear();
  set_limits_.clear();
  buckets_.clear();
  for (const auto& [number, pause] : records_.pauses) {
    type_pauses_.insert({pause.name_space, pause.type});
  }
  for (const auto& [number, limit] : records_.limits) {
    if (limit.name.kind == KeyKind::kRate) {
      buckets_[{limit.name_space, limit.name.key}] = {0, now_.steady};
    } else if (limit.name.key == "set") {
      set_limits_[limit.name_space] = limit.value.number;
    }
  }
  for (auto& [id, keyed] : keyed_) {
    const auto task = tasks_.find(id);  // What was not recorded has not happened.
    keyed.dispatch = task == tasks_.end() ? 0 : task->second.dispatch;
  }
  std::erase_if(keyed_, [this](const auto& entry) { return !tasks_.contains(entry.first); });
}

// Why a task waits that an executor would take.
void EngineWalk::CheckKeyCause(const TaskView& view) {
  const auto found = keyed_.find(view.id);
  const bool behind = found != keyed_.end() && !found->second.keys->ordering.empty() &&
                      std::ranges::any_of(keyed_, [&](const auto& entry) {
                        return entry.first.key() < view.id.key() &&
                               entry.second.name_space == found->second.name_space &&
                               entry.second.keys->ordering == found->second.keys->ordering &&
                               engine_->Find(entry.first).has_value();
                      });
  Expect((view.cause == WaitCause::kOrderingKey) == behind,
         "a task waits for its ordering key while an earlier one lives");
  Expect((view.cause == WaitCause::kNoCredit) == view.detail.empty(),
         "a cause of admission says what it is about");
  Expect(view.cause == WaitCause::kOrderingKey || view.cause == WaitCause::kConcurrencyKey ||
             view.cause == WaitCause::kRateKey || view.cause == WaitCause::kFairnessTurn ||
             view.cause == WaitCause::kNoCredit,
         "a task waits for a cause that holds");
  if (view.cause == WaitCause::kFairnessTurn) {
    Expect(view.keys != nullptr && !view.keys->fairness.empty() && HasRival(view),
           "a task waits for its turn while another key waits beside it");
  }
  ++counts_["cause " + std::to_string(static_cast<int>(view.cause))];
}

// Whether a task waits in the same lane and priority that takes others' turns.
bool EngineWalk::HasRival(const TaskView& view) const {
  const auto fairness_of = [](const TaskView& task) {
    return task.keys == nullptr ? std::string() : task.keys->fairness;
  };
  const auto placement_of = [](const TaskView& task) {
    return task.place == nullptr ? Placement() : task.place->placement;
  };
  return std::ranges::any_of(Living(), [&](const TaskView& other) {
    return other.name_space == view.name_space && other.type == view.type &&
           other.priority == view.priority && placement_of(other) == placement_of(view) &&
           other.state == TaskState::kReady && other.cause == WaitCause::kNoCredit &&
           fairness_of(other) != fairness_of(view);
  });
}

// Nobody waits for what there is: some key of the task has too little left for somebody.
void EngineWalk::CheckLacks(const TaskView& view) const {
  std::optional<std::string> from;
  const auto limits = engine_->Limits(view.name_space, 1'000, from, now_);
  Expect(std::ranges::any_of(limits,
                             [&](const LimitView& limit) {
                               if (!Names(*view.keys, limit.name, view.owner, view.type))
                                 return false;
                               return view.cause == WaitCause::kRateKey
                                          ? limit.name.kind == KeyKind::kRate &&
                                                limit.tokens < limit.value.rate.burst
                                          : limit.name.kind == KeyKind::kConcurrency &&
                                                limit.running >= limit.value.number;
                             }),
         "who waits for a key waits for one that has too little left");
}

// After a group that left nothing for the next one.
void EngineWalk::CheckNothingIdles() {
  if (engine_->NextWake(now_) <= now_.steady) return;
  for (const TaskView& view : Living()) {
    if (view.state != TaskState::kReady) continue;
    if (view.cause == WaitCause::kConcurrencyKey || view.cause == WaitCause::kRateKey) {
      CheckLacks(view);
    }
    if (view.cause != WaitCause::kNoCredit && view.cause != WaitCause::kFairnessTurn) continue;
    for (const Executor& executor : executors_) {
      if (executor.connection == 0 || executor.paused || executor.leaving) continue;
      if (executor.name_space != view.name_space || !executor.types.contains(view.type)) continue;
      if (!Fits(executor, view.type, view.place == nullptr ? nullptr : &view.place->placement)) {
        continue;
      }
      for (const SessionView& session : engine_->Sessions(executor.name_space)) {
        Expect(session.id != executor.session || !session.connected ||
                   session.held >= session.max_held,
               "who can be dispatched is, " + view.id.ToString());
      }
    }
  }
}

void EngineWalk::CheckNothingLeaks() {
  size_t left = 0;
  for (const char* const name_space : kNamespaces) {
    std::optional<std::string> from;
    for (const LimitView& view : engine_->Limits(name_space, 1'000, from, now_)) {
      Expect(view.running == 0, "no slot is leaked");
      Expect(view.tasks == 0 && view.waiting == 0, "no ended task is counted at a key");
      if (view.transient) ++left;
    }
    Expect(!from.has_value(), "a page of limits has an end");
  }
  Expect(left <= options_.idle_names, "what tasks have set goes with them");
  Expect(records_.limits.size() == left + set_limits_.size(), "records of limits go with them");
  Expect(records_.pauses.size() == type_pauses_.size(), "pauses stay until they are lifted");
}

}  // namespace kantoku::inputs::testing
