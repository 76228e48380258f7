#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "services/inputs/engine/lane_directory.h"
#include "services/inputs/engine/placement.h"
#include "services/inputs/engine/ready_queue.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/engine/use_counts.h"
#include "services/inputs/engine/wait_book.h"

namespace kantoku::inputs {

// Brings ready tasks and sessions with room together. A lane is all tasks of one (namespace, type,
// placement); the sessions that fit it and have room take turns, and lanes take turns in small
// quanta, so that neither a busy type nor a large executor starves the others. Every step is O(1)
// but for the queue's own order, for a session that regains room: O(its lanes), and for lanes and
// sessions that are new; see LaneDirectory.
//
// Thread-compatible.
class Matcher {
 public:
  struct Match {
    TaskIndex task;
    SessionNumber session;
  };

  // What a task that is about to be matched needs beside a session.
  struct Gate {
    // Whether it gets that now; if not, it is not in its lane's queue any more.
    absl::FunctionRef<bool(TaskIndex)> accepts;
    ReadyQueue::WeightOf weight_of;
  };

  // Both outlive it. `waits` is told what holds of lanes.
  Matcher(const TaskTable& tasks, WaitBook& waits) : tasks_(tasks), waits_(waits) {}

  // Of tasks that may run anywhere (null), or are placed so. Good until FreeUnused, and while it is
  // used: by living tasks, and a lane without placement by sessions that implement its type. The
  // same holds for its names.
  LaneIndex LaneFor(std::string_view name_space, std::string_view type,
                    const std::shared_ptr<const Placement>& placement = nullptr);
  void Use(LaneIndex lane) {
    if (uses_.Use(lane)) CountSelector(lane, true);
  }
  void Leave(LaneIndex lane) {
    if (uses_.Leave(lane)) CountSelector(lane, false);
  }
  bool IsUsed(LaneIndex lane) const { return uses_.IsUsed(lane); }
  // How many lanes are used.
  size_t used() const { return uses_.used(); }
  // Different selectors of lanes that are used: of all namespaces added up, and of one.
  size_t used_selectors() const { return used_selectors_; }
  size_t used_selectors(std::string_view name_space) const;
  bool IsUsed(std::string_view name_space, const Selector& selector) const;
  // Of what nobody uses, all but the latest `keep`; after a Next that found nothing.
  void FreeUnused(size_t keep);
  // kNoLane when there is none yet.
  LaneIndex FindLane(std::string_view name_space, std::string_view type,
                     const Placement* placement = nullptr) const;
  size_t lanes() const { return lane_count_; }
  std::string_view name_space(LaneIndex lane) const { return lanes_[lane]->name_space; }
  std::string_view type(LaneIndex lane) const { return lanes_[lane]->type; }

  // What every session must match to get tasks of this type; null: nothing. Holds at once. O(lanes
  // of the type × sessions that implement it).
  void SetRoute(std::string_view name_space, std::string_view type, const Selector* selector);

  // Nothing of the type, or, where it is empty, of the namespace, is matched while it is paused.
  void SetPaused(std::string_view name_space, std::string_view type, bool paused);
  bool IsPaused(LaneIndex lane) const { return lanes_[lane]->paused; }

  // A task of the lane waits for nothing but its turn.
  void Push(LaneIndex lane, TaskIndex task, FlowNumber flow = kCommonFlow, uint32_t weight = 1);
  // One that was pushed left without a match.
  void Gone(LaneIndex lane, int16_t priority, FlowNumber flow = kCommonFlow);
  // One that came up and was not accepted did not use its flow's turn.
  void GiveBackTurn(LaneIndex lane, int16_t priority, FlowNumber flow,
                    ReadyQueue::WeightOf weight_of) {
    lanes_[lane]->ready.GiveBackTurn(priority, flow, weight_of);
  }

  // The session takes tasks of these types wherever it fits; it has no room yet.
  void Attach(SessionNumber session, std::string_view name_space,
              std::span<const std::string> types, const Labels& labels);
  void Detach(SessionNumber session);
  // How many more tasks the session takes.
  void SetRoom(SessionNumber session, uint32_t room);

  // The next pair, using one of the session's room; nullopt when no task and session fit, or when
  // the gate has turned away `refusals` tasks, which it counts down.
  std::optional<Match> Next(const Gate& gate, size_t& refusals);

  // Whether Next may have a pair.
  bool MayMatch() const { return !active_.empty(); }

  // Whether a session that fits may have room.
  bool HasSeat(LaneIndex lane) const {
    return !lanes_[lane]->paused && !lanes_[lane]->ring.empty();
  }
  // The flow that has the next turn of the lane in this priority.
  FlowNumber TurnOf(LaneIndex lane, int16_t priority) const {
    return lanes_[lane]->ready.TurnOf(priority);
  }
  // What a task waits for that was pushed so; kNoGroup: for the lane.
  WaitGroup GroupOf(LaneIndex lane, int16_t priority, FlowNumber flow) const {
    return lanes_[lane]->ready.GroupOf(priority, flow);
  }
  // Null when its tasks may run anywhere, or have a route alone and wait for nothing else.
  const std::shared_ptr<const PlacementView>& ViewOf(LaneIndex lane) const;
  size_t ready(LaneIndex lane) const { return lanes_[lane]->ready.size(); }

 private:
  // Tasks that a lane may hand out before the next lane's turn.
  static constexpr int kQuantum = 4;

  struct Seat {
    SessionNumber session;
    uint32_t opening;  // Of the session; a seat of an earlier one is void.
  };
  struct Lane {
    explicit Lane(WaitBook& waits) : ready(&waits) {}
    std::string_view name_space;  // Of the place.
    std::string_view type;
    ReadyQueue ready;
    std::deque<Seat> ring;  // Sessions that had room when they were put here.
    uint32_t members = 0;   // Sessions that fit.
    bool active = false;    // Is in active_.
    bool paused = false;
    LaneDirectory::Place place;
    mutable std::shared_ptr<const PlacementView> view;  // As of …
    mutable uint64_t viewed = 0;                        // … these changes of the directory.
  };
  struct Session {
    struct Membership {
      LaneIndex lane;
      bool in_ring = false;
    };
    std::vector<Membership> lanes;  // Ascending.
    std::vector<LaneIndex> types;   // Lanes without placement: in use by this session.
    uint32_t room = 0;
    uint32_t opening = 0;
    LaneIndex served = 0;  // The latest.
    Membership& at(LaneIndex lane);
  };

  // What it comes to why READY tasks of the lane are not dispatched may have changed.
  void TellCause(LaneIndex lane);
  void TellCauses(const LaneDirectory::Type& type);
  bool IsToPause(const Lane& lane) const;
  void CountSelector(LaneIndex lane, bool used);
  void Join(LaneIndex lane, SessionNumber session);
  void Part(LaneIndex lane, SessionNumber session);
  void TakeSeat(LaneIndex lane, const Seat& seat);
  bool IsWaiting(TaskIndex task, TaskKey key) const;
  void Activate(LaneIndex lane);
  std::optional<Match> MatchIn(LaneIndex lane, const Gate& gate, size_t& refusals);
  Session* SessionAt(const Seat& seat);

  const TaskTable& tasks_;
  WaitBook& waits_;
  std::deque<std::optional<Lane>> lanes_;
  size_t lane_count_ = 0;
  UseCounts uses_;
  LaneDirectory directory_;
  mutable LaneIndex last_lane_ = kNoLane;  // Without placement, and asked for last: most batches
                                           // name one type.
  // Lanes that are used, by namespace and selector; none of these maps is empty.
  absl::flat_hash_map<std::string, absl::flat_hash_map<SelectorNumber, uint32_t>> selector_uses_;
  size_t used_selectors_ = 0;
  absl::flat_hash_map<SessionNumber, Session> sessions_;
  std::deque<LaneIndex> active_;  // Lanes that may have a match.
  int quantum_left_ = kQuantum;
  uint32_t next_opening_ = 1;
  absl::flat_hash_set<std::pair<std::string, std::string>> paused_;  // Namespace, and type or none.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_
