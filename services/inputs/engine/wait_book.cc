#include "services/inputs/engine/wait_book.h"

#include <algorithm>
#include <utility>

#include "services/platform/planted.h"

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
  if (KANTOKU_PLANTED("pause of a type counts last as a cause") && own != WaitCause::kNoCredit) {
    return own;
  }
  return kRanks[At(of_lane)] < kRanks[At(own)] ? of_lane : own;
}

void WaitBook::Begin(int64_t now) {
  now_ = now;
  began_ = now;
}

void WaitBook::AddLane(uint32_t lane, std::string_view name_space, std::string_view type) {
  while (lanes_.size() <= lane) lanes_.emplace_back();
  const auto [total, made] = totals_.try_emplace(TypeName(name_space, type));
  if (total->second.lanes++ == 0 && !made) --idle_;
  lanes_[lane] = {.settled = now_, .type = &*total};
}

void WaitBook::SetLane(uint32_t lane, WaitCause cause) {
  Lane& entry = lanes_[lane];
  if (entry.log.cause() == cause) return;
  Settle(entry);
  entry.log.Set(cause, now_, intervals_);
}

void WaitBook::FreeLane(uint32_t lane) {
  const TypeTotals::pointer type = std::exchange(lanes_[lane], Lane()).type;
  if (--type->second.lanes > 0) return;
  if (idle_ == kMostIdle) {
    totals_.erase(TypeName(type->first));
    return;
  }
  ++idle_;
  type->second.idle_since = now_;
}

// ---- Groups ----

WaitGroup WaitBook::AddGroup(WaitCause cause) {
  if (free_groups_.empty()) {
    free_groups_.push_back(static_cast<WaitGroup>(groups_.size()));
    groups_.emplace_back();
  }
  const WaitGroup group = free_groups_.back();
  free_groups_.pop_back();
  groups_[group].log.Set(cause, now_, intervals_);
  return group;
}

// Its members' totals are settled when they or somebody ask, by the log.
void WaitBook::SetGroup(WaitGroup group, WaitCause cause) {
  groups_[group].log.Set(cause, now_, intervals_);
}

void WaitBook::FreeGroup(WaitGroup group) {
  Group& entry = groups_[group];
  entry.closed = true;
  if (entry.members > 0) return;
  entry = Group();
  free_groups_.push_back(group);
}

template <typename Add>
void WaitBook::SplitInGroup(uint32_t lane, WaitGroup group, int64_t from, int64_t until,
                            Add&& add) const {
  const CauseLog& of_lane = lanes_[lane].log;
  groups_[group].log.Split(from, until, [&](WaitCause own, int64_t time) {
    of_lane.Split(from, from + time,
                  [&](WaitCause cause, int64_t part) { add(FirstOf(own, cause), part); });
    from += time;
  });
}

void WaitBook::Settle(uint32_t lane, WaitGroup group, Share& share) {
  const int64_t since = std::exchange(share.settled, now_);
  if (since == now_) return;
  CauseTimes& times = lanes_[lane].type->second.times;
  SplitInGroup(lane, group, since, now_,
               [&](WaitCause cause, int64_t time) { times[At(cause)] += time * share.members; });
}

// Where the lane has no member yet, one without any.
WaitBook::Share& WaitBook::JoinShare(uint32_t lane, WaitGroup group) {
  Group& entry = groups_[group];
  if (entry.share.members > 0 && entry.lane == lane) return entry.share;
  if (entry.share.members == 0 && entry.elsewhere == 0) {
    entry.lane = lane;
    return entry.share = {.settled = now_};
  }
  const auto [share, added] = shares_.try_emplace({lane, group}, Share{.settled = now_});
  if (added) ++entry.elsewhere;
  return share->second;
}

void WaitBook::LeaveShare(uint32_t lane, WaitGroup group) {
  Group& entry = groups_[group];
  if (entry.share.members > 0 && entry.lane == lane) {
    Settle(lane, group, entry.share);
    --entry.share.members;
    return;
  }
  const auto share = shares_.find({lane, group});
  Settle(lane, group, share->second);
  if (--share->second.members > 0) return;
  shares_.erase(share);
  --entry.elsewhere;
}

void WaitBook::LeaveGroup(const Task& task) {
  const auto member = group_of_.find(task.key());
  const WaitGroup group = member->second;
  group_of_.erase(member);
  LeaveShare(task.lane, group);
  if (--groups_[group].members == 0 && groups_[group].closed) FreeGroup(group);
}

// ---- Totals ----

const WaitBook::TypeTotals& WaitBook::Totals() {
  for (Lane& lane : lanes_) {
    if (lane.type != nullptr) Settle(lane);
  }
  for (WaitGroup group = 1; group < groups_.size(); ++group) {
    Group& entry = groups_[group];
    if (entry.share.members > 0) Settle(entry.lane, group, entry.share);
  }
  for (auto& [of, share] : shares_) Settle(of.first, of.second, share);
  idle_ -= absl::erase_if(totals_, [this](const auto& entry) {
    return entry.second.lanes == 0 && now_ - entry.second.idle_since >= kKeptIdle;
  });
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
  if (task.waits_for == kOfGroup) {
    SplitInGroup(task.lane, group_of_.at(task.key()), since, until, add);
    return;
  }
  lanes_[task.lane].log.Split(since, until, [&](WaitCause of_lane, int64_t time) {
    add(FirstOf(task.waits_for, of_lane), time);
  });
}

// ---- Tasks ----

void WaitBook::Change(Task& task, WaitCause own) {
  if (task.waits_for != own) Enter(task, own, kNoGroup);
}

void WaitBook::Join(Task& task, WaitGroup group) {
  if (task.waits_for != kOfGroup || group_of_.at(task.key()) != group) Enter(task, kOfGroup, group);
}

void WaitBook::Enter(Task& task, WaitCause own, WaitGroup group) {
  Lane& lane = lanes_[task.lane];
  Settle(lane);
  if (task.waits_for != WaitCause::kNone && task.waits_since() < now_ &&
      !KANTOKU_PLANTED("waiting time lost with its cause")) {
    Split(task, now_, [&](WaitCause cause, int64_t time) { AddWaited(task, cause, time); });
  }
  if (task.waits_for == kOfGroup) {
    LeaveGroup(task);
  } else if (task.waits_for != WaitCause::kNone) {
    --lane.waiting[At(task.waits_for)];
  }
  if (own == kOfGroup) {
    group_of_[task.key()] = group;
    ++groups_[group].members;
    Share& share = JoinShare(task.lane, group);
    Settle(task.lane, group, share);
    ++share.members;
  } else if (own != WaitCause::kNone) {
    ++lane.waiting[At(own)];
  }
  task.waits_for = own;
  task.set_waits_since(now_);
}

void WaitBook::WaitedSince(Task& task, int64_t time) {
  task.set_waits_since(time);
  const int64_t since = std::max(time, began_);
  if (task.waits_for == WaitCause::kNone || task.waits_for == kOfGroup || since >= now_) return;
  const Lane& lane = lanes_[task.lane];
  lane.type->second.times[At(FirstOf(task.waits_for, lane.log.cause()))] += now_ - since;
}

void WaitBook::Recover(Task& task, const CauseTimes& times) {
  for (size_t cause = 0; cause < kWaitCauses; ++cause) {
    if (times[cause] > 0) AddWaited(task, static_cast<WaitCause>(cause), times[cause]);
  }
}

// Most tasks wait for one thing before they are dispatched: none of the table is touched for these.
void WaitBook::AddWaited(Task& task, WaitCause cause, int64_t time) {
  const int64_t sum = static_cast<int64_t>(task.waited_ms) + time;
  if ((task.waited_ms == 0 || task.waited_for == cause) && sum <= Task::kMostWaited) {
    task.waited_for = cause;
    task.waited_ms = static_cast<uint64_t>(sum);
    return;
  }
  task.waited_more = true;
  times_[task.key()][At(cause)] += time;
}

void WaitBook::Forget(Task& task) {
  if (task.waits_for == kOfGroup) {
    LeaveGroup(task);
  } else if (task.waits_for != WaitCause::kNone) {
    Lane& lane = lanes_[task.lane];
    Settle(lane);
    --lane.waiting[At(task.waits_for)];
  }
  task.waits_for = WaitCause::kNone;
  if (task.waited_more) times_.erase(task.key());
  task.waited_more = false;
  task.waited_ms = 0;
}

WaitCause WaitBook::CauseOf(const Task& task) const {
  if (task.waits_for == WaitCause::kNone) return WaitCause::kNone;
  const WaitCause own =
      task.waits_for == kOfGroup ? groups_[group_of_.at(task.key())].log.cause() : task.waits_for;
  return FirstOf(own, lanes_[task.lane].log.cause());
}

CauseTimes WaitBook::TimesOf(const Task& task, int64_t until) const {
  CauseTimes times = task.waited_more ? times_.at(task.key()) : CauseTimes{};
  times[At(task.waited_for)] += static_cast<int64_t>(task.waited_ms);
  Split(task, until, [&](WaitCause cause, int64_t time) { times[At(cause)] += time; });
  return times;
}

}  // namespace kantoku::inputs
