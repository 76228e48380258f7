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

int16_t ReadyQueue::LevelOf(int16_t priority) {
  return KANTOKU_PLANTED("priority ignored") ? int16_t{0} : priority;
}

void ReadyQueue::Push(TaskIndex task, TaskKey key, int16_t priority, FlowNumber number,
                      uint32_t weight) {
  Level& level = levels_[LevelOf(priority)];
  ++level.waiting;
  ++size_;
  if (level.turns == nullptr && number == kCommonFlow) return level.common.Push({key, task});
  if (level.turns == nullptr) BeginTurns(level);
  Flow& flow = FlowAt(*level.turns, number, weight);
  flow.line.Push({key, task});
  Come(*level.turns, flow);
}

// ---- Flows ----

void ReadyQueue::BeginTurns(Level& level) {
  level.turns = std::make_unique<Turns>();
  Line common = std::exchange(level.common, {});
  const size_t waiting = level.waiting - 1;  // But for the one that comes.
  if (waiting == 0) {
    stale_ -= common.size();
    return;
  }
  Flow& flow = FlowAt(*level.turns, kCommonFlow, /*weight=*/1);
  flow.line = std::move(common);
  Come(*level.turns, flow);
  flow.waiting = waiting;
}

// One that comes, or comes back when others have had the turns that it had, begins behind them.
ReadyQueue::Flow& ReadyQueue::FlowAt(Turns& turns, FlowNumber number, uint32_t weight) {
  auto& flow = turns.flows[number];
  if (flow != nullptr && (flow->waiting > 0 || flow->pass >= turns.reached)) return *flow;
  if (flow == nullptr) flow = std::make_unique<Flow>(number);
  flow->pass = turns.reached + kStride / weight;
  flow->served = false;
  return *flow;
}

void ReadyQueue::SetPass(Turns& turns, Flow& flow, uint64_t pass) {
  flow.pass = pass;
  if (flow.waiting == 0) return;
  turns.order.Remove({&flow});
  turns.order.Push(static_cast<int64_t>(pass), {&flow});
}

void ReadyQueue::Come(Turns& turns, Flow& flow) {
  if (++flow.waiting > 1) return;
  turns.order.Push(static_cast<int64_t>(flow.pass), {&flow});
  if (waits_ == nullptr) return;
  if (flow.number != kCommonFlow) flow.group = waits_->AddGroup(WaitCause::kFairnessTurn);
  Tell(turns);
}

void ReadyQueue::Rest(Turns& turns, Flow& flow) {
  stale_ -= flow.line.size();
  if (!flow.line.empty()) flow.line = {};
  turns.order.Remove({&flow});
  if (flow.group != kNoGroup) {
    if (turns.told == flow.group) turns.told = kNoGroup;
    waits_->FreeGroup(std::exchange(flow.group, kNoGroup));
  }
  if (flow.idle) return;
  if (!flow.served) {
    turns.flows.erase(flow.number);
    return;
  }
  flow.idle = true;
  turns.idle.push_back(&flow);
}

// Looks at two of them, so that they go faster than they come.
void ReadyQueue::DropIdle(Turns& turns) {
  for (int looks = 0; looks < 2 && !turns.idle.empty(); ++looks) {
    Flow* const flow = turns.idle.front();
    turns.idle.pop_front();
    if (flow->waiting > 0) {
      flow->idle = false;
    } else if (flow->pass < turns.reached) {
      turns.flows.erase(flow->number);
    } else {
      turns.idle.push_back(flow);
    }
  }
}

void ReadyQueue::Tell(Turns& turns) {
  if (waits_ == nullptr) return;
  const WaitGroup next = turns.empty() ? kNoGroup : turns.next().group;
  if (next == turns.told) return;
  if (turns.told != kNoGroup) waits_->SetGroup(turns.told, WaitCause::kFairnessTurn);
  if (next != kNoGroup) waits_->SetGroup(next, WaitCause::kNoCredit);
  turns.told = next;
}

FlowNumber ReadyQueue::TurnOf(int16_t priority) const {
  const auto level = levels_.find(LevelOf(priority));
  if (level == levels_.end() || level->second.turns == nullptr) return kCommonFlow;
  const Turns& turns = *level->second.turns;
  return turns.empty() ? kCommonFlow : turns.next().number;
}

WaitGroup ReadyQueue::GroupOf(int16_t priority, FlowNumber number) const {
  if (number == kCommonFlow) return kNoGroup;
  return levels_.at(LevelOf(priority)).turns->flows.at(number)->group;
}

// ---- Taking ----

TaskIndex ReadyQueue::Pop(IsWaiting is_waiting, WeightOf weight_of) {
  while (!levels_.empty()) {
    const auto level = levels_.begin();
    if (level->second.empty()) {
      levels_.erase(level);
      continue;
    }
    const Entry entry = level->second.front().Take();
    const bool waits = is_waiting(entry.task, entry.key);
    if (waits) {
      --level->second.waiting;
      --size_;
    } else {
      --stale_;
    }
    if (waits && level->second.turns != nullptr) UseTurn(level->second, weight_of);
    if (level->second.empty() && levels_.size() > 1) levels_.erase(level);
    if (waits) return entry.task;
  }
  return kNoTask;
}

void ReadyQueue::UseTurn(Level& level, WeightOf weight_of) {
  Turns& turns = *level.turns;
  Flow& flow = turns.next();
  turns.reached = std::max(turns.reached, flow.pass);
  flow.served = true;
  const uint32_t weight =
      KANTOKU_PLANTED("weight of a fairness key ignored") ? 1 : weight_of(flow.number);
  uint64_t pass = flow.pass + kStride / weight;
  if (KANTOKU_PLANTED("fairness key keeps the turn")) pass = flow.pass;
  if (--flow.waiting == 0) Rest(turns, flow);
  SetPass(turns, flow, pass);
  Tell(turns);
  DropIdle(turns);
  if (turns.empty() && turns.flows.size() > kFewFlows) level.turns.reset();
}

TaskIndex ReadyQueue::Top(IsWaiting is_waiting) {
  while (!levels_.empty()) {
    const auto level = levels_.begin();
    if (level->second.empty()) {
      levels_.erase(level);
      continue;
    }
    Line& line = level->second.front();
    const Entry entry = line.front();
    if (is_waiting(entry.task, entry.key)) return entry.task;
    line.Take();
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
  SetPass(turns, flow, flow.pass - std::min(flow.pass, kStride / weight_of(number)));
  Tell(turns);
}

void ReadyQueue::NoteGone(int16_t priority, FlowNumber number, IsWaiting is_waiting) {
  Level& level = levels_.at(LevelOf(priority));
  --level.waiting;
  --size_;
  ++stale_;
  if (Turns* const turns = level.turns.get()) {
    Flow& flow = *turns->flows.at(number);
    if (--flow.waiting == 0) Rest(*turns, flow);
    Tell(*turns);
  }
  if (stale_ > size_ + 64) Compact(is_waiting);
}

// Turns go on where they were.
void ReadyQueue::Compact(IsWaiting is_waiting) {
  stale_ = 0;
  size_ = 0;
  const auto compact = [&](Line& line) {
    Line old = std::exchange(line, {});
    std::optional<TaskKey> previous;  // A task that left and came back has an entry for each time.
    while (!old.empty()) {
      const Entry entry = old.Take();
      if (entry.key == previous || !is_waiting(entry.task, entry.key)) continue;
      previous = entry.key;
      line.Push(entry);
      ++size_;
    }
  };
  for (auto level = levels_.begin(); level != levels_.end();) {
    compact(level->second.common);
    if (Turns* const turns = level->second.turns.get()) {
      turns->order.ForEach([&](const FlowRef& ref) { compact(ref.flow->line); });
    }
    level = level->second.empty() ? levels_.erase(level) : std::next(level);
  }
}

}  // namespace kantoku::inputs
