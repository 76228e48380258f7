#include "services/inputs/engine/wait_book.h"

#include <algorithm>
#include <utility>

namespace kantoku::inputs {
namespace {

// The order in which causes count, the first first.
constexpr std::array kOrder = {
    WaitCause::kExecutorQueue,  // It has left its lane.
    WaitCause::kRecovering,       WaitCause::kPaused,
    WaitCause::kDependency,       WaitCause::kDelay,
    WaitCause::kBackoff,          WaitCause::kFence,
    WaitCause::kNoImplementation, WaitCause::kPlacementUnmatched,
    WaitCause::kOrderingKey,      WaitCause::kConcurrencyKey,
    WaitCause::kRateKey,          WaitCause::kFairnessTurn,
    WaitCause::kNoCredit,         WaitCause::kNone,
};

constexpr std::array<uint8_t, kWaitCauses> kRanks = [] {
  std::array<uint8_t, kWaitCauses> ranks{};
  for (size_t i = 0; i < kOrder.size(); ++i) {
    ranks[static_cast<size_t>(kOrder[i])] = static_cast<uint8_t>(i);
  }
  return ranks;
}();

constexpr size_t At(WaitCause cause) { return static_cast<size_t>(cause); }

}  // namespace

WaitCause WaitBook::FirstOf(WaitCause own, WaitCause of_lane) {
  return kRanks[At(of_lane)] < kRanks[At(own)] ? of_lane : own;
}

void WaitBook::Begin(int64_t now) {
  now_ = now;
  began_ = now;
}

void WaitBook::AddLane(uint32_t lane, std::string_view name_space, std::string_view type) {
  while (lanes_.size() <= lane) lanes_.emplace_back();
  const auto total = totals_.try_emplace(TypeName(name_space, type)).first;
  ++total->second.lanes;
  lanes_[lane] = {.settled = now_, .type = &*total};
}

void WaitBook::SetLane(uint32_t lane, WaitCause cause) {
  Lane& entry = lanes_[lane];
  if (entry.log.cause() == cause) return;
  Settle(entry);
  entry.log.Set(cause, now_);
}

void WaitBook::FreeLane(uint32_t lane) {
  const TypeTotals::pointer type = lanes_[lane].type;
  if (--type->second.lanes == 0) totals_.erase(TypeName(type->first));
  lanes_[lane] = Lane();
}

const WaitBook::TypeTotals& WaitBook::Totals() {
  for (Lane& lane : lanes_) {
    if (lane.type != nullptr) Settle(lane);
  }
  return totals_;
}

void WaitBook::Settle(Lane& lane) {
  const int64_t time = now_ - std::exchange(lane.settled, now_);
  if (time == 0) return;
  for (size_t own = 0; own < kWaitCauses; ++own) {
    if (lane.waiting[own] == 0) continue;
    lane.type->second.times[At(FirstOf(static_cast<WaitCause>(own), lane.log.cause()))] +=
        time * lane.waiting[own];
  }
}

template <typename Add>
void WaitBook::Split(const Task& task, int64_t until, Add&& add) const {
  if (task.waits_for == WaitCause::kNone) return;
  int64_t since = task.waits_since();
  if (since < began_) {
    add(WaitCause::kRecovering, began_ - since);
    since = began_;
  }
  lanes_[task.lane].log.Split(since, until, [&](WaitCause of_lane, int64_t time) {
    add(FirstOf(task.waits_for, of_lane), time);
  });
}

void WaitBook::Change(Task& task, WaitCause own) {
  if (task.waits_for == own) return;
  Lane& lane = lanes_[task.lane];
  Settle(lane);
  if (task.waits_for != WaitCause::kNone) {
    --lane.waiting[At(task.waits_for)];
    if (task.waits_since() < now_) {
      CauseTimes& times = times_[task.key()];
      Split(task, now_, [&](WaitCause cause, int64_t time) { times[At(cause)] += time; });
    }
  }
  if (own != WaitCause::kNone) ++lane.waiting[At(own)];
  task.waits_for = own;
  task.set_waits_since(now_);
}

void WaitBook::Recover(const Task& task, const CauseTimes& times) {
  if (times == CauseTimes{}) return;
  CauseTimes& known = times_[task.key()];
  for (size_t cause = 0; cause < kWaitCauses; ++cause) known[cause] += times[cause];
}

void WaitBook::Forget(Task& task) {
  Lane& lane = lanes_[task.lane];
  if (task.waits_for != WaitCause::kNone) {
    Settle(lane);
    --lane.waiting[At(task.waits_for)];
    task.waits_for = WaitCause::kNone;
  }
  if (!times_.empty()) times_.erase(task.key());
}

WaitCause WaitBook::CauseOf(const Task& task) const {
  if (task.waits_for == WaitCause::kNone) return WaitCause::kNone;
  return FirstOf(task.waits_for, lanes_[task.lane].log.cause());
}

CauseTimes WaitBook::TimesOf(const Task& task, int64_t until) const {
  const auto found = times_.find(task.key());
  CauseTimes times = found == times_.end() ? CauseTimes{} : found->second;
  Split(task, until, [&](WaitCause cause, int64_t time) { times[At(cause)] += time; });
  return times;
}

}  // namespace kantoku::inputs
