#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Keys of tasks, what operators set for them, and pauses of types and namespaces. Who waits for
// what is in admission.h.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

namespace {

// Calls `use(name, value, cost)` with each limited key that the spec names, and what it would set
// for it: in the order of NamedKeys::uses, the fairness key last.
template <typename Use>
void ForEachLimit(const TaskSpec& spec, std::string_view owner, Use use) {
  const TaskKeys& keys = *spec.keys;
  for (const TaskKeys::Concurrency& each : keys.concurrency) {
    use(KeyView{KeyKind::kConcurrency, each.scope, WhoseOf(each.scope, owner, spec.type),
                each.name},
        LimitValue{.number = each.limit}, 0U);
  }
  for (const TaskKeys::Throttle& each : keys.rates) {
    use(KeyView{KeyKind::kRate, each.scope, WhoseOf(each.scope, owner, spec.type), each.name},
        LimitValue{.rate = each.rate}, each.cost);
  }
  if (keys.fairness.empty()) return;
  use(KeyView{KeyKind::kFairness, KeyScope::kNamespace, {}, keys.fairness},
      LimitValue{.number = keys.weight}, 0U);
}

}  // namespace

// ---- Spawning ----

absl::Status Engine::KeyLimit(std::string_view field, std::string_view name_space,
                              size_t fresh) const {
  const size_t used = admission_.keys().used(name_space);
  if (fresh == 0 || used + fresh <= options_.max_keys) return absl::OkStatus();
  return Error(
      absl::StatusCode::kResourceExhausted, "KEY_LIMIT",
      absl::StrCat(platform::ToAbsl(field), ": ", used, " keys are in use in this namespace, ",
                   fresh, " more exceed the limit of ", options_.max_keys));
}

absl::Status Engine::CheckKeys(const SpawnCommand& command) const {
  size_t named = 0;
  for (const TaskSpec& spec : command.specs) {
    if (spec.keys == nullptr) continue;
    named += spec.keys->concurrency.size() + spec.keys->rates.size() + 2;
  }
  if (named == 0 || admission_.keys().used(command.name_space) + named <= options_.max_keys) {
    return absl::OkStatus();
  }
  absl::flat_hash_set<KeyName> fresh;
  const auto note = [&](const KeyView& name) {
    const KeyNumber key = admission_.keys().Find(command.name_space, name);
    if (key == kNoKey || !admission_.keys().IsUsed(key)) fresh.insert(static_cast<KeyName>(name));
  };
  for (const TaskSpec& spec : command.specs) {
    if (spec.keys == nullptr) continue;
    ForEachLimit(spec, command.owner,
                 [&](const KeyView& name, const LimitValue&, uint32_t) { note(name); });
    if (!spec.keys->ordering.empty()) {
      note({KeyKind::kOrdering, KeyScope::kNamespace, {}, spec.keys->ordering});
    }
  }
  return KeyLimit("specs", command.name_space, fresh.size());
}

// Whether each key has a limit, or gets one from the spec.
Engine::Refusal Engine::CheckLimits(const SpawnCommand& command, const TaskSpec& spec,
                                    const NamedKeys& named) const {
  Refusal refusal;
  auto next = named.uses.begin();
  ForEachLimit(
      spec, command.owner, [&](const KeyView& name, const LimitValue& value, uint32_t cost) {
        if (!refusal.word.empty() || name.kind == KeyKind::kFairness) return;
        const bool is_rate = name.kind == KeyKind::kRate;
        const char* const field = is_rate ? "rate_keys" : "concurrency_keys";
        const KeyNumber key = (next++)->key;
        if (key == kNoKey || !admission_.keys().at(key).set) {
          if (value != LimitValue()) return;
          refusal = {SpawnOutcome::kNoSuchLimit,
                     absl::StrCat(field, ": there is no limit for \"", platform::ToAbsl(name.key),
                                  "\", and the spec makes none")};
          return;
        }
        const uint32_t burst = admission_.keys().at(key).bucket.rate().burst;
        if (!is_rate || cost <= burst) return;
        refusal = {SpawnOutcome::kCostExceedsBurst,
                   absl::StrCat(field, ".cost: ", cost, " of \"", platform::ToAbsl(name.key),
                                "\" exceeds the burst of its rate, ", burst)};
      });
  return refusal;
}

void Engine::MakeLimits(const SpawnCommand& command, const TaskSpec& spec, NamedKeys& named,
                        const Now& now, Effects& effects) {
  const auto is_set = [this](KeyNumber key) {
    return key != kNoKey && admission_.keys().at(key).set;
  };
  const bool has_weight = spec.keys->weight == 0 || is_set(named.fairness);
  // As most often.
  if (has_weight && std::ranges::all_of(named.uses, is_set, &KeyUse::key)) return;
  auto next = named.uses.begin();
  ForEachLimit(spec, command.owner, [&](const KeyView& name, const LimitValue& value, uint32_t) {
    KeyNumber& key = name.kind == KeyKind::kFairness ? named.fairness : (next++)->key;
    if (is_set(key) || value == LimitValue()) return;
    key = WriteLimit(command.name_space, static_cast<KeyName>(name), value, /*transient=*/true, now,
                     effects);
  });
}

// ---- Waiting ----

void Engine::MakeReady(TaskIndex index) {
  const Task& task = tasks_.at(index);
  if (task.has_keys) {
    admission_.Ready(index);
  } else {
    matcher_.Push(task.lane, index);
  }
}

// Of a task that came up in its lane: whether it is dispatched now.
bool Engine::Accepts(TaskIndex index, const Now& now, Effects& effects) {
  Task& task = tasks_.at(index);
  if (!task.has_keys) return !task.has_kin || HeedsTree(index, now, effects);
  admission_.Popped(index);
  if (!HeedsTree(index, now, effects)) return false;
  task.state = TaskState::kReady;
  return admission_.Take(index);
}

std::string Engine::DetailOf(const Task& task, WaitCause cause) const {
  if (cause == WaitCause::kPaused && matcher_.IsPaused(task.lane)) {
    return PauseOf(std::string(matcher_.name_space(task.lane)),
                   std::string(matcher_.type(task.lane)));
  }
  if (!task.has_keys || !task.queued()) return {};
  return admission_.Explain(tasks_.Find(task.id), cause);
}

// ---- Limits ----

KeyNumber Engine::WriteLimit(std::string_view name_space, const KeyName& name,
                             const LimitValue& value, bool transient, const Now& now,
                             Effects& effects) {
  const KeyNumber key = admission_.keys().Intern(name_space, name);
  const KeyTable::Key& known = admission_.keys().at(key);
  const uint64_t record = known.set ? known.record : next_limit_++;
  admission_.keys().Set(key, value, transient, record, now.steady);
  admission_.Touch(key);
  effects.limits.push_back({record, LimitRecord{std::string(name_space), name, value, transient}});
  return key;
}

absl::Status Engine::SetLimit(std::string_view name_space, const KeyName& name,
                              const LimitValue& value, const Now& now, Effects& effects) {
  const KeyNumber key = admission_.keys().Find(name_space, name);
  const bool used = key != kNoKey && admission_.keys().IsUsed(key);
  KANTOKU_RETURN_IF_ERROR(KeyLimit("set.name.key", name_space, used ? 0 : 1));
  WriteLimit(name_space, name, value, /*transient=*/false, now, effects);
  return absl::OkStatus();
}

absl::Status Engine::RemoveLimit(std::string_view name_space, const KeyName& name,
                                 Effects& effects) {
  const KeyNumber number = admission_.keys().Find(name_space, name);
  if (number == kNoKey || !admission_.keys().at(number).set) {
    return Error(absl::StatusCode::kNotFound, "NO_SUCH_LIMIT",
                 absl::StrCat("remove.key: nothing is set for \"", name.key, "\""));
  }
  const KeyTable::Key& key = admission_.keys().at(number);
  if (key.tasks > 0 && name.kind != KeyKind::kFairness) {
    return Error(absl::StatusCode::kFailedPrecondition, "LIMIT_IN_USE",
                 absl::StrCat("remove.key: ", key.tasks, " living tasks name \"", name.key, "\""));
  }
  effects.limits.push_back({key.record, std::nullopt});
  admission_.keys().Unset(number);
  return absl::OkStatus();
}

std::vector<LimitView> Engine::Limits(std::string_view name_space, size_t limit,
                                      std::optional<std::string>& from, const Now& now) const {
  constexpr size_t kBudget = 20'000;
  std::vector<LimitView> views;
  for (const KeyNumber key : admission_.keys().List(name_space, limit, kBudget, from)) {
    views.push_back(admission_.ViewOf(key, now.steady));
  }
  return views;
}

void Engine::RecoverLimit(uint64_t number, const LimitRecord& record) {
  next_limit_ = std::max(next_limit_, number + 1);
  if (!record.transient && KANTOKU_PLANTED("limit of an operator lost in recovery")) return;
  admission_.keys().Set(admission_.keys().Intern(record.name_space, record.name), record.value,
                        record.transient, number, absl::ZeroDuration());
}

void Engine::ForgetLimits(const Now& now, Effects& effects) {
  admission_.keys().ForgetTransient(options_.idle_names, now.steady, [&](const KeyTable::Key& key) {
    effects.limits.push_back({key.record, std::nullopt});
  });
}

// ---- Pauses ----

absl::Status Engine::SetPause(std::string_view name_space, std::string_view type, bool paused,
                              std::string_view reason, const Now& now, Effects& effects) {
  Advance(now);
  std::pair<std::string, std::string> what(name_space, type);
  const auto known = pauses_.find(what);
  if (!paused) {
    if (known == pauses_.end()) {
      return Error(absl::StatusCode::kNotFound, "NO_SUCH_PAUSE",
                   type.empty() ? "type: the namespace is not paused"
                                : absl::StrCat("type: \"", what.second, "\" is not paused"));
    }
    effects.pauses.push_back({known->second.number, std::nullopt});
    pauses_.erase(known);
    matcher_.SetPaused(name_space, type, false);
    return absl::OkStatus();
  }
  if (known == pauses_.end() && pauses_.size() >= options_.max_pauses) {
    return Error(
        absl::StatusCode::kResourceExhausted, "PAUSE_LIMIT",
        absl::StrCat("type: one more pause exceeds the server's limit of ", options_.max_pauses));
  }
  const uint64_t number = known == pauses_.end() ? next_limit_++ : known->second.number;
  effects.pauses.push_back({number, PauseRecord{what.first, what.second, std::string(reason)}});
  pauses_.insert_or_assign(std::move(what), TypePause{number, std::string(reason)});
  matcher_.SetPaused(name_space, type, true);
  return absl::OkStatus();
}

void Engine::RecoverPause(uint64_t number, const PauseRecord& record) {
  next_limit_ = std::max(next_limit_, number + 1);
  pauses_.insert_or_assign({record.name_space, record.type}, TypePause{number, record.reason});
  if (KANTOKU_PLANTED("pause of a type lost in recovery")) return;
  matcher_.SetPaused(record.name_space, record.type, true);
}

std::vector<PauseRecord> Engine::Pauses(std::string_view name_space) const {
  std::vector<PauseRecord> pauses;
  for (auto pause = pauses_.lower_bound({std::string(name_space), std::string()});
       pause != pauses_.end() && pause->first.first == name_space; ++pause) {
    pauses.push_back({pause->first.first, pause->first.second, pause->second.reason});
  }
  return pauses;
}

// In words, of a type that is paused by itself or with its namespace.
std::string Engine::PauseOf(const std::string& name_space, const std::string& type) const {
  const auto by_type = pauses_.find({name_space, type});
  const bool whole = by_type == pauses_.end();
  const std::string& reason = (whole ? pauses_.find({name_space, ""}) : by_type)->second.reason;
  return absl::StrCat(whole ? "the namespace" : absl::StrCat("type \"", type, "\""), " is paused",
                      reason.empty() ? "" : ": ", reason);
}

}  // namespace kantoku::inputs
