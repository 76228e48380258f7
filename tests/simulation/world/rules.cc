#include "tests/simulation/world/rules.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {

using inputs::OnFailure;
using inputs::TaskState;

namespace {

// In tokens a second.
double PaceOf(const inputs::Rate& rate) { return rate.tokens * 1'000.0 / rate.period_ms; }

}  // namespace

// What is on record is; a rate that has gone begins full when it is back, as if nothing had been.
void Rules::InputsStarted(absl::Duration now) {
  const auto is_rate_of = [](std::string_view name_space) {
    return [name_space](const auto& limit) {
      const inputs::LimitRecord& record = limit.second;
      return record.name.kind == inputs::KeyKind::kRate && record.name_space == name_space;
    };
  };
  for (auto& [name_space, bucket] : buckets_) {
    if (std::ranges::none_of(limits_, is_rate_of(name_space))) continue;
    bucket.tokens = 0;
    bucket.as_of = now;
  }
}

void Rules::Created(const platform::TaskId& id, std::string_view name_space, std::string_view owner,
                    const inputs::TaskSpec& spec) {
  if (spec.keys == nullptr && spec.dependencies.empty()) return;
  living_[id.key()] = {.name_space = std::string(name_space),
                       .owner = std::string(owner),
                       .type = spec.type,
                       .keys = spec.keys,
                       .dependencies = spec.dependencies};
}

void Rules::Dispatched(TaskKey task) {
  const auto found = living_.find(task);
  if (found == living_.end()) return;
  dispatched_.push_back(task);
  if (found->second.keys != nullptr) TakeTokens(found->second);
}

void Rules::Bucket::Fill(absl::Duration until, double pace) {
  if (until <= as_of) return;
  tokens = std::min<double>(rate.burst, tokens + absl::ToDoubleSeconds(until - as_of) * pace);
  as_of = until;
}

// Who costs more than the bucket holds waits until it is full, and leaves it in debt.
void Rules::TakeTokens(const Ruled& task) {
  for (const auto& rate : task.keys->rates) {
    const inputs::KeyName name{.kind = inputs::KeyKind::kRate, .of = {}, .key = rate.name};
    const bool known = LimitOf(task.name_space, name) != nullptr;
    scene_.Expect(known, "a rate that is named is on record");
    if (!known) return;
    const auto bucket = buckets_.find(task.name_space);
    bucket->second.Fill(decided_, PaceOf(bucket->second.rate));
    scene_.Expect(bucket->second.tokens > std::min(rate.cost, bucket->second.rate.burst) - 1e-3,
                  "a rate is never exceeded, whatever the clocks do");
    if (scene_.verdict.broken()) {
      scene_.verdict.Explain(absl::StrCat("a take of ", rate.cost, " from ", bucket->second.tokens,
                                          " tokens of a bucket of ", bucket->second.rate.burst));
    }
    bucket->second.tokens -= rate.cost;
  }
}

// ---- Limits ----

bool Rules::LimitSet(uint64_t number, const inputs::LimitRecord& record) {
  const Name name(record.name_space, record.name);
  const auto known = limits_.find(number);
  const bool changes = known == limits_.end() || known->second != record;
  if (record.name.kind == inputs::KeyKind::kRate) SetRate(record, !numbers_.contains(name));
  limits_.insert_or_assign(number, record);
  numbers_[name] = number;
  return changes;
}

// At some time since the group before: the bucket holds no more than if it had filled at the higher
// of both rates. One that is back begins full: it went when it was, or there was none.
void Rules::SetRate(const inputs::LimitRecord& record, bool back) {
  const inputs::Rate& rate = record.value.rate;
  const auto [entry, made] = buckets_.try_emplace(record.name_space);
  Bucket& bucket = entry->second;
  if (made) {
    bucket = {rate, static_cast<double>(rate.burst), decided_};
    return;
  }
  Bucket now = bucket;
  now.Fill(decided_, PaceOf(bucket.rate));
  if (back && now.tokens > now.rate.burst - 1e-3) {
    bucket = {rate, static_cast<double>(rate.burst), decided_};
    return;
  }
  bucket.Fill(decided_before_, PaceOf(bucket.rate));
  const double pace = std::max(PaceOf(bucket.rate), PaceOf(rate));
  bucket.rate = {.burst = std::max(bucket.rate.burst, rate.burst)};
  bucket.Fill(decided_, pace);
  bucket.rate = rate;
  bucket.tokens = std::min<double>(bucket.tokens, rate.burst);
}

void Rules::LimitGone(uint64_t number) {
  const auto known = limits_.find(number);
  const inputs::LimitRecord& record = known->second;
  const auto named = numbers_.find({record.name_space, record.name});
  if (named->second == number) numbers_.erase(named);
  // Who removes a rate that he has set gives up what it has counted. Others go by themselves, and
  // may be back too early.
  if (record.name.kind == inputs::KeyKind::kRate && !record.transient) {
    buckets_.erase(record.name_space);
  }
  gone_.push_back(record);
  limits_.erase(known);
}

const inputs::LimitRecord* Rules::LimitOf(uint64_t number) const {
  const auto known = limits_.find(number);
  return known == limits_.end() ? nullptr : &known->second;
}

const inputs::LimitRecord* Rules::LimitOf(std::string_view name_space,
                                          const inputs::KeyName& name) const {
  const auto number = numbers_.find({std::string(name_space), name});
  return number == numbers_.end() ? nullptr : &limits_.at(number->second);
}

void Rules::CheckGone() {
  for (const inputs::LimitRecord& limit : std::exchange(gone_, {})) {
    const inputs::KeyName& name = limit.name;
    if (name.kind != inputs::KeyKind::kConcurrency) continue;
    if (LimitOf(limit.name_space, name) != nullptr) continue;
    scene_.Expect(std::ranges::none_of(living_,
                                       [&](const auto& task) {
                                         return Names(task.second, limit.name_space, name.key,
                                                      name.scope, name.of);
                                       }),
                  "a limit stays as long as somebody living names it");
  }
}

void Rules::Ended(const inputs::TaskView& view) {
  ends_[view.id] = view.state;
  const auto found = living_.find(view.id.key());
  const bool gave_up =
      view.last_failure.reason == "DEPENDENCY_FAILED" || view.last_failure.reason == "SKIPPED";
  if (gave_up) {
    scene_.Expect(found != living_.end() && !found->second.dependencies.empty(),
                  "only who depends on others ends for them");
    scene_.Expect(view.dispatch == 0, "who ends for others never ran");
  }
  if (found != living_.end()) living_.erase(found);
}

void Rules::CheckBatch(const std::function<bool(TaskKey)>& runs) {
  for (const TaskKey key : std::exchange(dispatched_, {})) {
    const auto found = living_.find(key);
    if (found == living_.end()) continue;  // It ended in the same batch.
    CheckDependencies(found->second);
    if (found->second.keys == nullptr) continue;
    CheckOrder(key, found->second);
    CheckLimits(found->second, runs);
  }
  CheckGone();
}

void Rules::CheckDependencies(const Ruled& task) const {
  for (const inputs::Dependency& dependency : task.dependencies) {
    const auto end = ends_.find(dependency.task);
    scene_.Expect(end != ends_.end(), "a task runs after all that it depends on");
    scene_.Expect(end == ends_.end() || end->second == TaskState::kSucceeded ||
                      dependency.on_failure == OnFailure::kRun,
                  "a task does not run after what failed, unless it wants to");
  }
}

void Rules::CheckOrder(TaskKey key, const Ruled& task) const {
  if (task.keys->ordering.empty()) return;
  for (const auto& [other, ruled] : living_) {
    if (other >= key) break;
    if (ruled.keys == nullptr || ruled.name_space != task.name_space) continue;
    scene_.Expect(ruled.keys->ordering != task.keys->ordering,
                  "tasks of an ordering key run one after the other, in spawn order");
  }
}

bool Rules::Names(const Ruled& task, std::string_view name_space, std::string_view key,
                  inputs::KeyScope scope, std::string_view whose) {
  if (task.keys == nullptr || task.name_space != name_space) return false;
  return std::ranges::any_of(task.keys->concurrency, [&](const auto& named) {
    return named.name == key && named.scope == scope &&
           inputs::WhoseOf(named.scope, task.owner, task.type) == whose;
  });
}

bool Rules::Shares(const Ruled& task, const Ruled& other,
                   const inputs::TaskKeys::Concurrency& key) {
  const std::string_view whose = inputs::WhoseOf(key.scope, task.owner, task.type);
  return Names(other, task.name_space, key.name, key.scope, whose);
}

void Rules::CheckSlots(std::string_view name_space, const inputs::LimitView& limit,
                       const std::function<bool(TaskKey)>& runs,
                       const std::function<bool(TaskKey)>& dispatched) const {
  if (limit.name.kind != inputs::KeyKind::kConcurrency) return;
  uint64_t least = 0;
  uint64_t most = 0;
  bool saves = false;  // One of several keys that is not dispatched yet may save up.
  for (const auto& [key, task] : living_) {
    if (!Names(task, name_space, limit.name.key, limit.name.scope, limit.name.of)) continue;
    if (runs(key)) ++least;
    if (dispatched(key)) {
      ++most;
    } else {
      saves |= task.keys->concurrency.size() + task.keys->rates.size() > 1;
    }
  }
  scene_.Expect(limit.running >= least, "whoever runs has its slot");
  scene_.Expect(limit.running <= most + (saves ? 1 : 0), "no slot outlives its task");
}

void Rules::CheckLimits(const Ruled& task, const std::function<bool(TaskKey)>& runs) const {
  for (const auto& key : task.keys->concurrency) {
    uint32_t running = 0;
    for (const auto& [other, ruled] : living_) {
      if (Shares(task, ruled, key) && runs(other)) ++running;
    }
    const auto* const limit = LimitOf(
        task.name_space, {.kind = inputs::KeyKind::kConcurrency,
                          .scope = key.scope,
                          .of = std::string(inputs::WhoseOf(key.scope, task.owner, task.type)),
                          .key = key.name});
    scene_.Expect(limit != nullptr, "a limit that is named is on record");
    if (limit == nullptr) return;
    scene_.Expect(running <= limit->value.number, "a concurrency limit is never exceeded");
  }
}

}  // namespace kantoku::simulation
