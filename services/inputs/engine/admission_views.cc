#include <cmath>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/admission.h"

// Why tasks wait, and how far keys are used.
namespace kantoku::inputs {
namespace {

std::string Shown(double tokens) { return absl::StrCat(std::floor(tokens * 100) / 100); }

}  // namespace

std::string Admission::Explain(TaskIndex index, WaitCause cause) const {
  const Entry& entry = entries_.at(index);
  const Task& task = tasks_.at(index);
  switch (cause) {
    case WaitCause::kOrderingKey:
      return absl::StrCat("ordering key \"", keys_.NameOf(entry.keys.ordering).key, "\": task ",
                          tasks_.at(orderings_.at(entry.keys.ordering).first).id.ToString(),
                          " is before it");
    case WaitCause::kConcurrencyKey:
    case WaitCause::kRateKey:
      return Explain(entry.keys.uses[UseOf(entry, entry.place_key)]);
    case WaitCause::kFairnessTurn: {
      const FlowNumber flow = matcher_.TurnOf(task.lane, task.priority);
      if (flow == kCommonFlow) return "tasks without a fairness key have the next turn";
      return absl::StrCat("fairness key \"", keys_.NameOf(flow).key, "\" has the next turn");
    }
    default:
      return {};
  }
}

std::string Admission::Explain(const Use& use) const {
  const KeyTable::Key& key = keys_.at(use.key);
  const std::string name = keys_.NameOf(use.key).key;
  if (key.kind == KeyKind::kConcurrency) {
    return absl::StrCat("concurrency key \"", name, "\": ", key.running, " of ", key.number,
                        " in use");
  }
  const int64_t held = key.bucket.held();
  return absl::StrCat("rate key \"", name, "\": ", Shown(key.bucket.Tokens(now_)), " of ", use.cost,
                      use.cost == 1 ? " token" : " tokens",
                      held == 0 ? "" : absl::StrCat(", and ", held, " kept for who saves up"),
                      HasRoom(use) ? ", and others are before it" : "");
}

TaskKeys Admission::KeysOf(TaskIndex index) const {
  const Entry& entry = entries_.at(index);
  TaskKeys keys;
  if (entry.keys.ordering != kNoKey) keys.ordering = keys_.NameOf(entry.keys.ordering).key;
  if (entry.keys.fairness != kNoKey) {
    keys.fairness = keys_.NameOf(entry.keys.fairness).key;
    keys.weight = keys_.WeightOf(entry.keys.fairness);
  }
  for (const Use& use : entry.keys.uses) {
    const KeyName name = keys_.NameOf(use.key);
    const LimitValue value = keys_.ValueOf(use.key);
    if (name.kind == KeyKind::kConcurrency) {
      keys.concurrency.push_back({name.key, name.scope, value.number});
    } else {
      keys.rates.push_back({name.key, name.scope, use.cost, value.rate});
    }
  }
  return keys;
}

LimitView Admission::ViewOf(KeyNumber number, absl::Duration now) const {
  const KeyTable::Key& key = keys_.at(number);
  const Parking* const parking = FindParking(number);
  LimitView view{.name = keys_.NameOf(number),
                 .value = keys_.ValueOf(number),
                 .transient = key.transient,
                 .tasks = key.tasks,
                 .running = key.running};
  if (parking != nullptr) view.waiting = parking->parked + (parking->elder != kNoTask ? 1 : 0);
  if (key.kind == KeyKind::kRate)
    view.tokens = key.bucket.Tokens(now) + static_cast<double>(key.bucket.held());
  return view;
}

}  // namespace kantoku::inputs
