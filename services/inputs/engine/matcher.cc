#include "services/inputs/engine/matcher.h"

#include <algorithm>

#include "services/platform/check.h"

namespace kantoku::inputs {

LaneIndex Matcher::LaneFor(std::string_view name_space, std::string_view type) {
  const LaneIndex known = FindLane(name_space, type);
  if (known != kNoLane) return known;
  const LaneIndex lane = uses_.Add();
  if (lane == lanes_.size()) lanes_.emplace_back();
  Lane& entry = lanes_[lane].emplace();
  entry.name_space = name_space;
  entry.type = type;
  lane_of_.emplace(std::pair(std::string_view(entry.name_space), std::string_view(entry.type)),
                   lane);
  return lane;
}

LaneIndex Matcher::FindLane(std::string_view name_space, std::string_view type) const {
  if (last_lane_ != kNoLane && lanes_[last_lane_]->type == type &&
      lanes_[last_lane_]->name_space == name_space) {
    return last_lane_;
  }
  const auto found = lane_of_.find(std::pair(name_space, type));
  return found == lane_of_.end() ? kNoLane : last_lane_ = found->second;
}

void Matcher::FreeUnused(size_t keep) {
  KANTOKU_CHECK(active_.empty());
  uses_.FreeUnused(keep, [this](LaneIndex lane) {
    lane_of_.erase(std::pair(std::string_view(name_space(lane)), std::string_view(type(lane))));
    lanes_[lane].reset();
    if (lane == last_lane_) last_lane_ = kNoLane;
  });
}

bool Matcher::IsWaiting(TaskIndex task, TaskKey key) const {
  const Task& entry = tasks_.at(task);
  return entry.key() == key && entry.queued();
}

void Matcher::Push(LaneIndex lane, TaskIndex task) {
  const Task& entry = tasks_.at(task);
  lanes_[lane]->ready.Push(task, entry.key(), entry.priority);
  Activate(lane);
}

void Matcher::Gone(LaneIndex lane) {
  lanes_[lane]->ready.NoteGone(
      [this](TaskIndex task, TaskKey key) { return IsWaiting(task, key); });
}

void Matcher::Activate(LaneIndex lane) {
  Lane& entry = *lanes_[lane];
  if (entry.active || entry.ready.empty() || entry.ring.empty()) return;
  entry.active = true;
  active_.push_back(lane);
}

void Matcher::Attach(SessionNumber session, std::span<const LaneIndex> lanes) {
  Detach(session);
  Session& entry = sessions_[session];
  entry.opening = next_opening_++;
  for (const LaneIndex lane : lanes) {
    entry.lanes.push_back({.lane = lane});
    ++lanes_[lane]->implementers;
    Use(lane);
  }
}

void Matcher::Detach(SessionNumber session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  for (const auto& membership : found->second.lanes) {
    --lanes_[membership.lane]->implementers;
    Leave(membership.lane);
  }
  sessions_.erase(found);
}

void Matcher::SetRoom(SessionNumber session, uint32_t room) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  Session& entry = found->second;
  const bool had_room = entry.room > 0;
  entry.room = room;
  if (had_room || room == 0) return;
  for (auto& membership : entry.lanes) {
    if (membership.in_ring) continue;
    membership.in_ring = true;
    TakeSeat(membership.lane, {session, entry.opening});
    Activate(membership.lane);
  }
}

// Void seats go when they come up, which in an idle lane is never: here they are kept from piling
// up behind sessions that come and go.
void Matcher::TakeSeat(LaneIndex lane, const Seat& seat) {
  Lane& entry = *lanes_[lane];
  if (entry.ring.size() > 2 * size_t{entry.implementers} + 16) {
    std::erase_if(entry.ring, [this](const Seat& old) { return SessionAt(old) == nullptr; });
  }
  entry.ring.push_back(seat);
}

Matcher::Session* Matcher::SessionAt(const Seat& seat) {
  const auto found = sessions_.find(seat.session);
  return found == sessions_.end() || found->second.opening != seat.opening ? nullptr
                                                                           : &found->second;
}

std::optional<Matcher::Match> Matcher::MatchIn(LaneIndex lane) {
  Lane& entry = *lanes_[lane];
  while (!entry.ring.empty() && !entry.ready.empty()) {
    const Seat seat = entry.ring.front();
    entry.ring.pop_front();
    Session* session = SessionAt(seat);
    if (session == nullptr) continue;
    const auto membership = std::ranges::find(session->lanes, lane, &Session::Membership::lane);
    if (session->room == 0) {
      membership->in_ring = false;
      continue;
    }
    const TaskIndex task =
        entry.ready.Pop([this](TaskIndex index, TaskKey key) { return IsWaiting(index, key); });
    KANTOKU_CHECK(task != kNoTask);
    --session->room;
    if (session->room > 0) {
      entry.ring.push_back(seat);
    } else {
      membership->in_ring = false;
    }
    return Match{task, seat.session};
  }
  return std::nullopt;
}

std::optional<Matcher::Match> Matcher::Next() {
  while (!active_.empty()) {
    const LaneIndex lane = active_.front();
    const auto match = MatchIn(lane);
    if (match.has_value() && --quantum_left_ > 0) return match;
    quantum_left_ = kQuantum;
    active_.pop_front();
    lanes_[lane]->active = false;
    Activate(lane);
    if (match.has_value()) return match;
  }
  return std::nullopt;
}

WaitCause Matcher::CauseOf(LaneIndex lane) const {
  return lanes_[lane]->implementers == 0 ? WaitCause::kNoImplementation : WaitCause::kNoCredit;
}

}  // namespace kantoku::inputs
