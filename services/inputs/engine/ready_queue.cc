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
  flow.pass = pass;
  flow.listed = true;
  turns.order.insert({pass, number});
}

void ReadyQueue::Level::Push(const Entry& entry, FlowNumber number, uint32_t weight) {
  if (turns == nullptr) {
    if (number == kCommonFlow) return common.Push(entry);
    turns = std::make_unique<Turns>();
    if (!common.empty()) {
      auto& flow = turns->flows[kCommonFlow] = std::make_unique<Flow>();
      flow->line = std::exchange(common, {});
      turns->entries = flow->line.fresh.size() + flow->line.returned.size();
      List(*turns, kCommonFlow, *flow, kStride);
    }
  }
  auto& flow = turns->flows[number];
  if (flow == nullptr) flow = std::make_unique<Flow>();
  flow->line.Push(entry);
  ++turns->entries;
  if (!flow->listed) List(*turns, number, *flow, turns->reached + kStride / weight);
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
  levels_[KANTOKU_PLANTED("priority ignored") ? int16_t{0} : priority].Push({key, task}, flow,
                                                                            weight);
  ++size_;
}

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
    if (waits && level->second.turns != nullptr) {
      Turns& turns = *level->second.turns;
      Flow& flow = *turns.flows.at(number);
      turns.reached = std::max(turns.reached, flow.pass);
      List(turns, number, flow, flow.pass + kStride / weight_of(number));
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
  const auto level = levels_.find(priority);
  if (level == levels_.end() || level->second.turns == nullptr) return;
  Turns& turns = *level->second.turns;
  const auto found = turns.flows.find(number);
  if (found == turns.flows.end()) return;
  Flow& flow = *found->second;
  List(turns, number, flow, flow.pass - std::min(flow.pass, kStride / weight_of(number)));
}

std::optional<FlowNumber> ReadyQueue::TurnBefore(int16_t priority, FlowNumber flow) const {
  for (const auto& [of_level, level] : levels_) {
    if (level.empty()) continue;
    if (of_level != priority || level.turns == nullptr) return std::nullopt;
    for (const auto& [pass, number] : level.turns->order) {
      if (level.turns->flows.at(number)->line.empty()) continue;
      return number == flow ? std::nullopt : std::optional(number);
    }
  }
  return std::nullopt;
}

void ReadyQueue::NoteGone(IsWaiting is_waiting) {
  --size_;
  ++stale_;
  if (stale_ > size_ + 64) Compact(is_waiting);
}

// Turns go on where they were.
void ReadyQueue::Compact(IsWaiting is_waiting) {
  stale_ = 0;
  size_ = 0;
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
      turns->entries = 0;
      for (auto& [number, flow] : turns->flows) turns->entries += compact(flow->line);
    } else {
      compact(level->second.common);
    }
    level = level->second.empty() ? levels_.erase(level) : std::next(level);
  }
}

}  // namespace kantoku::inputs
