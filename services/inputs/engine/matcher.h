#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_

#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/ready_queue.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/engine/use_counts.h"

namespace kantoku::inputs {

using LaneIndex = uint32_t;
inline constexpr LaneIndex kNoLane = UINT32_MAX;

// Brings ready tasks and sessions with room together. A lane is all tasks of one (namespace, type);
// the sessions that implement it and have room take turns, and lanes take turns in small quanta, so
// that neither a busy type nor a large executor starves the others. Every step is O(1) but for the
// queue's own order, and for a session that regains room: O(its types).
//
// Thread-compatible.
class Matcher {
 public:
  struct Match {
    TaskIndex task;
    SessionNumber session;
  };

  // `tasks` outlives it.
  explicit Matcher(const TaskTable& tasks) : tasks_(tasks) {}

  // Good until FreeUnused, and while it is used: by living tasks, and by sessions that take its
  // tasks. The same holds for its names.
  LaneIndex LaneFor(std::string_view name_space, std::string_view type);
  void Use(LaneIndex lane) { uses_.Use(lane); }
  void Leave(LaneIndex lane) { uses_.Leave(lane); }
  bool IsUsed(LaneIndex lane) const { return uses_.IsUsed(lane); }
  // How many lanes are used.
  size_t used() const { return uses_.used(); }
  // Of what nobody uses, all but the latest `keep`; after a Next that found nothing.
  void FreeUnused(size_t keep);
  // kNoLane when there is none yet.
  LaneIndex FindLane(std::string_view name_space, std::string_view type) const;
  size_t lanes() const { return lane_of_.size(); }
  const std::string& name_space(LaneIndex lane) const { return lanes_[lane]->name_space; }
  const std::string& type(LaneIndex lane) const { return lanes_[lane]->type; }

  // A task of the lane became READY.
  void Push(LaneIndex lane, TaskIndex task);
  // A READY task left without a match.
  void Gone(LaneIndex lane);

  // The session takes tasks of these lanes, each named once; it has no room yet.
  void Attach(SessionNumber session, std::span<const LaneIndex> lanes);
  void Detach(SessionNumber session);
  // How many more tasks the session takes.
  void SetRoom(SessionNumber session, uint32_t room);

  // The next pair, using one of the session's room; nullopt when no task and session fit.
  std::optional<Match> Next();

  // Whether Next may have a pair.
  bool MayMatch() const { return !active_.empty(); }

  // Why a READY task of the lane is not dispatched.
  WaitCause CauseOf(LaneIndex lane) const;
  size_t ready(LaneIndex lane) const { return lanes_[lane]->ready.size(); }

 private:
  // Tasks that a lane may hand out before the next lane's turn.
  static constexpr int kQuantum = 64;

  struct Seat {
    SessionNumber session;
    uint32_t opening;  // Of the session; a seat of an earlier one is void.
  };
  struct Lane {
    std::string name_space;
    std::string type;
    ReadyQueue ready;
    std::deque<Seat> ring;  // Sessions that had room when they were put here.
    uint32_t implementers = 0;
    bool active = false;  // Is in active_.
  };
  struct Session {
    struct Membership {
      LaneIndex lane;
      bool in_ring = false;
    };
    std::vector<Membership> lanes;
    uint32_t room = 0;
    uint32_t opening = 0;
  };

  void TakeSeat(LaneIndex lane, const Seat& seat);
  bool IsWaiting(TaskIndex task, TaskKey key) const;
  void Activate(LaneIndex lane);
  std::optional<Match> MatchIn(LaneIndex lane);
  Session* SessionAt(const Seat& seat);

  const TaskTable& tasks_;
  std::deque<std::optional<Lane>> lanes_;  // Names are lent out: lanes never move.
  UseCounts uses_;
  // Keys are views of the lanes' own names.
  absl::flat_hash_map<std::pair<std::string_view, std::string_view>, LaneIndex> lane_of_;
  mutable LaneIndex last_lane_ = kNoLane;  // The lane asked for last: most batches name one type.
  absl::flat_hash_map<SessionNumber, Session> sessions_;
  std::deque<LaneIndex> active_;  // Lanes that may have a match.
  int quantum_left_ = kQuantum;
  uint32_t next_opening_ = 1;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_MATCHER_H_
