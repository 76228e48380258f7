#include "services/inputs/engine/ready_queue.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/platform/planted.h"

namespace kantoku::inputs {

void ReadyQueue::Line::Push(const Entry& entry) {
  if (fresh.empty() || fresh.back().key < entry.key) {
    fresh.push_back(entry);
  } else {
    returned.push(entry);
  }
}

ReadyQueue::Entry ReadyQueue::Line::Take() {
  const bool from_fresh = fresh_first();
  Entry entry = from_fresh ? fresh.front() : returned.top();
  if (from_fresh) {
    fresh.pop_front();
  } else {
    returned.pop();
  }
  return entry;
}

void ReadyQueue::List(Turns& turns, FlowNumber number, Flow& flow, uint64_t pass) {
  if (flow.listed) turns.order.erase({flow.pass, number});
  if (flow.waiting > 0) {
    turns.waiting.erase({flow.pass, number});
    turns.waiting.insert({pass, number});
  }
  flow.pass = pass;
  flow.listed = true;
  turns.order.insert({pass, number});
}

ReadyQueue::Flow* ReadyQueue::Level::Push(const Entry& entry, FlowNumber number, uint32_t weight) {
  if (turns == nullptr) {
    if (number == kCommonFlow) {
      common.Push(entry);
      return nullptr;
    }
    turns = std::make_unique<Turns>();
    if (!common.empty()) {
      auto& flow = turns->flows[kCommonFlow] = std::make_unique<Flow>();
      flow->line = std::exchange(common, {});
      flow->waiting = waiting;
      if (waiting > 0) turns->turn = kCommonFlow;
      turns->entries = flow->line.fresh.size() + flow->line.returned.size();
      List(*turns, kCommonFlow, *flow, kStride);
    }
  }
  auto& flow = turns->flows[number];
  if (flow == nullptr) flow = std::make_unique<Flow>();
  flow->line.Push(entry);
  ++turns->entries;
  if (!flow->listed) List(*turns, number, *flow, turns->reached + kStride / weight);
  return flow.get();
}

std::pair<ReadyQueue::Line*, FlowNumber> ReadyQueue::Level::Turn() {
  if (turns == nullptr) return {&common, kCommonFlow};
  for (;;) {
    const auto [pass, number] = *turns->order.begin();
    Flow& flow = *turns->flows.at(number);
    if (!flow.line.empty()) return {&flow.line, number};
    turns->reached = std::max(turns->reached, pass);
    turns->order.erase(turns->order.begin());
    turns->flows.erase(number);
  }
}

ReadyQueue::Entry ReadyQueue::Level::Take(Line& line) {
  if (turns != nullptr) --turns->entries;
  return line.Take();
}

void ReadyQueue::Push(TaskIndex task, TaskKey key, int16_t priority, FlowNumber flow,
                      uint32_t weight) {
  Level& level = levels_[LevelOf(priority)];
  Flow* const pushed = level.Push({key, task}, flow, weight);
  if (pushed != nullptr) Come(*level.turns, flow, *pushed);
  ++level.waiting;
  ++size_;
}

int16_t ReadyQueue::LevelOf(int16_t priority) {
  return KANTOKU_PLANTED("priority ignored") ? int16_t{0} : priority;
}

// ---- Whose turn it is ----

void ReadyQueue::Come(Turns& turns, FlowNumber number, Flow& flow) {
  if (++flow.waiting > 1) return;
  turns.waiting.insert({flow.pass, number});
  if (waits_ == nullptr) return;
  if (number != kCommonFlow) flow.group = waits_->AddGroup(WaitCause::kFairnessTurn);
  if (!turns.turn.has_value() ||
      std::pair(flow.pass, number) < std::pair(turns.flows.at(*turns.turn)->pass, *turns.turn)) {
    GiveTurn(turns, number);
  }
}

void ReadyQueue::Go(Turns& turns, FlowNumber number, Flow& flow) {
  if (--flow.waiting > 0) return;
  turns.waiting.erase({flow.pass, number});
  if (waits_ == nullptr) return;
  if (turns.turn == number) FindTurn(turns);
  if (flow.group != kNoGroup) waits_->FreeGroup(std::exchange(flow.group, kNoGroup));
}

// Flows in which nobody waits may be listed before it; they go with the next Pop.
void ReadyQueue::FindTurn(Turns& turns) {
  if (waits_ == nullptr) return;
  GiveTurn(turns,
           turns.waiting.empty() ? std::nullopt : std::optional(turns.waiting.begin()->second));
}

void ReadyQueue::GiveTurn(Turns& turns, std::optional<FlowNumber> number) {
  const auto tell = [&](std::optional<FlowNumber> of, WaitCause cause) {
    if (!of.has_value()) return;
    const WaitGroup group = turns.flows.at(*of)->group;
    if (group != kNoGroup) waits_->SetGroup(group, cause);
  };
  if (turns.turn == number) return;
  tell(std::exchange(turns.turn, number), WaitCause::kFairnessTurn);
  tell(number, WaitCause::kNoCredit);
}

FlowNumber ReadyQueue::TurnOf(int16_t priority) const {
  const auto level = levels_.find(LevelOf(priority));
  if (level == levels_.end() || level->second.turns == nullptr) return kCommonFlow;
  return level->second.turns->turn.value_or(kCommonFlow);
}

WaitGroup ReadyQueue::GroupOf(int16_t priority, FlowNumber flow) const {
  if (flow == kCommonFlow) return kNoGroup;
  return levels_.at(LevelOf(priority)).turns->flows.at(flow)->group;
}

// ---- Taking ----

TaskIndex ReadyQueue::Pop(IsWaiting is_waiting, WeightOf weight_of) {
  while (!levels_.empty()) {
    auto level = levels_.begin();
    if (level->second.empty()) {
      levels_.erase(level);
      continue;
    }
    const auto [line, number] = level->second.Turn();
    const Entry entry = level->second.Take(*line);
    const bool waits = is_waiting(entry.task, entry.key);
    if (waits) --level->second.waiting;
    if (waits && level->second.turns != nullptr) {
      Turns& turns = *level->second.turns;
      Flow& flow = *turns.flows.at(number);
      turns.reached = std::max(turns.reached, flow.pass);
      const uint32_t weight =
          KANTOKU_PLANTED("weight of a fairness key ignored") ? 1 : weight_of(number);
      Go(turns, number, flow);
      if (!KANTOKU_PLANTED("fairness key keeps the turn")) {
        List(turns, number, flow, flow.pass + kStride / weight);
      }
      flow.served = true;
      FindTurn(turns);
      if (turns.entries == 0 && turns.flows.size() > kFewFlows) level->second.turns.reset();
    }
    if (level->second.empty() && levels_.size() > 1) levels_.erase(level);
    if (waits) {
      --size_;
      return entry.task;
    }
    --stale_;
  }
  return kNoTask;
}

TaskIndex ReadyQueue::Top(IsWaiting is_waiting) {
  while (!levels_.empty()) {
    auto level = levels_.begin();
    if (level->second.empty()) {
      levels_.erase(level);
      continue;
    }
    const auto [line, number] = level->second.Turn();
    const Entry entry = line->front();
    if (is_waiting(entry.task, entry.key)) return entry.task;
    level->second.Take(*line);
    --stale_;
  }
  return kNoTask;
}

void ReadyQueue::GiveBackTurn(int16_t priority, FlowNumber number, WeightOf weight_of) {
  const auto level = levels_.find(LevelOf(priority));
  if (level == levels_.end() || level->second.turns == nullptr) return;
  Turns& turns = *level->second.turns;
  const auto found = turns.flows.find(number);
  if (found == turns.flows.end()) return;
  Flow& flow = *found->second;
  List(turns, number, flow, flow.pass - std::min(flow.pass, kStride / weight_of(number)));
  if (flow.waiting > 0) FindTurn(turns);
}

void ReadyQueue::NoteGone(int16_t priority, FlowNumber number, IsWaiting is_waiting) {
  Level& level = levels_.at(LevelOf(priority));
  --level.waiting;
  if (level.turns != nullptr) Go(*level.turns, number, *level.turns->flows.at(number));
  --size_;
  ++stale_;
  // It looks at idle flows, too.
  if (stale_ > size_ + idle_ + 64) Compact(is_waiting);
}

// Turns go on where they were.
void ReadyQueue::Compact(IsWaiting is_waiting) {
  stale_ = 0;
  size_ = 0;
  idle_ = 0;
  const auto compact = [&](Line& line) {
    Line old = std::exchange(line, {});
    std::optional<TaskKey> previous;  // A task that left and came back has an entry for each time.
    size_t kept = 0;
    while (!old.empty()) {
      const Entry entry = old.Take();
      if (entry.key == previous || !is_waiting(entry.task, entry.key)) continue;
      previous = entry.key;
      line.Push(entry);
      ++kept;
    }
    size_ += kept;
    return kept;
  };
  for (auto level = levels_.begin(); level != levels_.end();) {
    if (Turns* const turns = level->second.turns.get()) {
      CompactFlows(*turns, compact);
    } else {
      compact(level->second.common);
    }
    level = level->second.empty() ? levels_.erase(level) : std::next(level);
  }
}

// One that has had a turn and comes back is not to have the next at once.
template <typename CompactLine>
void ReadyQueue::CompactFlows(Turns& turns, CompactLine compact) {
  turns.entries = 0;
  absl::erase_if(turns.flows, [&](const auto& entry) {
    const auto& [number, flow] = entry;
    const size_t kept = compact(flow->line);
    turns.entries += kept;
    if (kept == 0 && !flow->served) {
      turns.order.erase({flow->pass, number});
      return true;
    }
    if (kept == 0) ++idle_;
    return false;
  });
}

}  // namespace kantoku::inputs
