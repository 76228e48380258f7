#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_WAIT_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_WAIT_BOOK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "services/inputs/engine/cause_log.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

using WaitGroup = uint32_t;
inline constexpr WaitGroup kNoGroup = 0;

// Where the time of waiting tasks goes: every millisecond to exactly one cause, the first that
// holds in the order of Outranks.
//
// A task waits for something of its own (a time, a dependency, those before it), or for its turn in
// its lane. What holds of the lane (nobody implements it, its type is paused) is known there, in
// one log for all of its tasks; what holds of all that are parked at a key, or that take turns
// together, in a log of that group. Lane and group meet when a task goes on or somebody asks. So
// whatever happens to them costs O(1) in their tasks, and a task that waits has a time and a cause
// of four bits; a member of a group also an entry that names it. What it has waited for before is
// in the task, too, unless that is several causes or long.
//
// Thread-compatible. Its times are milliseconds of steady time, which begin where Begin says.
class WaitBook {
 public:
  // `intervals`: how far back a log knows what held when.
  explicit WaitBook(size_t intervals = CauseLog::kIntervals) : intervals_(intervals) {}

  // Which of two causes that hold counts.
  static WaitCause FirstOf(WaitCause own, WaitCause of_lane);

  // What follows happens at this time, which does not go back.
  void Advance(int64_t now) { now_ = now; }
  int64_t now() const { return now_; }
  // The time before counts as RECOVERING for tasks that waited already.
  void Begin(int64_t now);

  // A lane without tasks.
  void AddLane(uint32_t lane, std::string_view name_space, std::string_view type);
  // What holds of all tasks of the lane; kNoCredit: nothing but that each has its turn.
  void SetLane(uint32_t lane, WaitCause cause);
  WaitCause CauseOfLane(uint32_t lane) const { return lanes_[lane].log.cause(); }
  // The lane has no tasks any more.
  void FreeLane(uint32_t lane);

  // A group without members, of which this holds.
  WaitGroup AddGroup(WaitCause cause);
  // What holds of all of its members from now on; kNoCredit: nothing but that each has its turn.
  void SetGroup(WaitGroup group, WaitCause cause);
  WaitCause CauseOfGroup(WaitGroup group) const { return groups_[group].log.cause(); }
  // It gets no more members, and goes with those that it has.
  void FreeGroup(WaitGroup group);

  // The task waits for this from now on: kNone, for nothing, kNoCredit, for its turn. O(1), but for
  // the first of it after many changes of its lane or group.
  void Change(Task& task, WaitCause own);
  // The task waits for what the group waits for.
  void Join(Task& task, WaitGroup group);
  // What a record tells that it has waited for.
  void Recover(Task& task, const CauseTimes& times);
  // What it waits for now it has waited for since then, or, before Begin, for a server. Not of a
  // member of a group after Begin.
  void WaitedSince(Task& task, int64_t time);
  // The task has ended.
  void Forget(Task& task);

  // What the task waits for now.
  WaitCause CauseOf(const Task& task) const;
  // All that it has waited until then, which is no earlier than what happened last.
  CauseTimes TimesOf(const Task& task, int64_t until) const;

  // What all tasks of a type have waited together, up to now. Types without lanes are kept for
  // kKeptIdle, so that one that is used now and then goes on where it was; of these the first
  // kMostIdle.
  using TypeName = std::pair<std::string, std::string>;  // Namespace, type.
  struct TypeTotal {
    CauseTimes times{};
    uint32_t lanes = 0;
    int64_t idle_since = 0;  // With no lanes.
  };
  using TypeTotals = absl::node_hash_map<TypeName, TypeTotal>;
  static constexpr int64_t kKeptIdle = 10 * 60 * 1'000;
  static constexpr size_t kMostIdle = 1'000;
  const TypeTotals& Totals();

 private:
  // What Task::waits_for says of members of groups.
  static constexpr auto kOfGroup = static_cast<WaitCause>(15);
  static_assert(kWaitCauses <= 15);

  // The members of a group in one lane.
  struct Share {
    uint32_t members = 0;
    int64_t settled = 0;  // Up to here they are in the total of their type.
  };
  struct Group {
    CauseLog log;
    uint32_t members = 0;
    bool closed = false;
    uint32_t elsewhere = 0;  // Lanes whose share is in shares_.
    uint32_t lane = 0;       // While `share` has members: of this lane. Most groups have no other.
    Share share;
  };
  struct Lane {
    CauseLog log;
    std::array<uint32_t, kWaitCauses> waiting{};  // Tasks by what they wait for themselves.
    int64_t settled = 0;                          // Up to here they are in …
    TypeTotals::pointer type = nullptr;           // … the total of this one; null: no such lane.
  };

  void Settle(Lane& lane);
  void Settle(uint32_t lane, WaitGroup group, Share& share);
  void Enter(Task& task, WaitCause own, WaitGroup group);
  Share& JoinShare(uint32_t lane, WaitGroup group);
  void LeaveShare(uint32_t lane, WaitGroup group);
  void LeaveGroup(const Task& task);
  void AddWaited(Task& task, WaitCause cause, int64_t time);
  template <typename Add>
  void SplitInGroup(uint32_t lane, WaitGroup group, int64_t from, int64_t until, Add&& add) const;
  template <typename Add>
  void Split(const Task& task, int64_t until, Add&& add) const;

  const size_t intervals_;
  int64_t now_ = 0;
  int64_t began_ = INT64_MIN;
  std::deque<Lane> lanes_;
  std::deque<Group> groups_ = std::deque<Group>(1);  // kNoGroup is none.
  std::vector<WaitGroup> free_groups_;
  absl::flat_hash_map<TaskKey, WaitGroup> group_of_;  // Of members.
  absl::flat_hash_map<std::pair<uint32_t, WaitGroup>, Share> shares_;
  // What living tasks have waited for before, of those that say `waited_more`: beside waited_ms.
  absl::flat_hash_map<TaskKey, CauseTimes> times_;
  TypeTotals totals_;
  size_t idle_ = 0;  // Of these, those without lanes.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_WAIT_BOOK_H_
