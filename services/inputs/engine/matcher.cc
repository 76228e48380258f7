#include "services/inputs/engine/matcher.h"

#include <algorithm>

#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

LaneIndex Matcher::LaneFor(std::string_view name_space, std::string_view type,
                           const std::shared_ptr<const Placement>& placement) {
  const LaneIndex known = FindLane(name_space, type, placement.get());
  if (known != kNoLane) return known;
  const LaneIndex lane = uses_.Add();
  if (lane == lanes_.size()) lanes_.emplace_back();
  Lane& entry = lanes_[lane].emplace(waits_);
  entry.place = directory_.AddLane(lane, name_space, type, placement);
  entry.name_space = entry.place.type->name_space;
  entry.type = entry.place.type->name;
  entry.paused = !paused_.empty() && IsToPause(entry);
  ++lane_count_;
  waits_.AddLane(lane, entry.name_space, entry.type);
  TellCause(lane);
  if (placement == nullptr) return lane;  // Sessions that implement the type come with it.
  for (const SessionNumber session : directory_.SessionsFor(entry.place)) Join(lane, session);
  return lane;
}

LaneIndex Matcher::FindLane(std::string_view name_space, std::string_view type,
                            const Placement* placement) const {
  if (placement != nullptr) return directory_.Find(name_space, type, *placement);
  if (last_lane_ != kNoLane) {
    const Lane& last = *lanes_[last_lane_];
    if (last.type == type && last.name_space == name_space) return last_lane_;
  }
  const LaneIndex lane = directory_.Find(name_space, type);
  if (lane != kNoLane) last_lane_ = lane;
  return lane;
}

void Matcher::FreeUnused(size_t keep) {
  KANTOKU_CHECK(active_.empty());
  uses_.FreeUnused(keep, [this](LaneIndex lane) {
    const LaneDirectory::Place place = lanes_[lane]->place;
    if (lanes_[lane]->members > 0) {
      for (const SessionNumber session : directory_.SessionsFor(place)) Part(lane, session);
    }
    lanes_[lane].reset();
    waits_.FreeLane(lane);
    --lane_count_;
    directory_.RemoveLane(place);
    if (lane == last_lane_) last_lane_ = kNoLane;
  });
}

void Matcher::SetRoute(std::string_view name_space, std::string_view type,
                       const Selector* selector) {
  const std::vector<LaneIndex> lanes = directory_.LanesOf(name_space, type);
  std::vector<std::vector<SessionNumber>> before;
  before.reserve(lanes.size());
  for (const LaneIndex lane : lanes) before.push_back(directory_.SessionsFor(lanes_[lane]->place));
  directory_.SetRoute(name_space, type, selector);
  for (size_t i = 0; i < lanes.size(); ++i) {
    const std::vector<SessionNumber> after = directory_.SessionsFor(lanes_[lanes[i]]->place);
    for (const SessionNumber session : before[i]) {
      if (!std::ranges::binary_search(after, session)) Part(lanes[i], session);
    }
    std::erase_if(lanes_[lanes[i]]->ring, [&](const Seat& seat) {
      return !std::ranges::binary_search(after, seat.session);
    });
    for (const SessionNumber session : after) {
      if (!std::ranges::binary_search(before[i], session)) Join(lanes[i], session);
    }
    Activate(lanes[i]);
  }
}

bool Matcher::IsToPause(const Lane& lane) const {
  const std::string name_space(lane.name_space);
  return paused_.contains(std::pair(name_space, std::string())) ||
         paused_.contains(std::pair(name_space, std::string(lane.type)));
}

void Matcher::SetPaused(std::string_view name_space, std::string_view type, bool paused) {
  std::pair<std::string, std::string> what(name_space, type);
  if (paused) {
    paused_.insert(std::move(what));
  } else {
    paused_.erase(what);
  }
  for (LaneIndex lane = 0; lane < lanes_.size(); ++lane) {
    if (!lanes_[lane].has_value() || lanes_[lane]->name_space != name_space) continue;
    if (!type.empty() && lanes_[lane]->type != type) continue;
    lanes_[lane]->paused = IsToPause(*lanes_[lane]);
    TellCause(lane);
    Activate(lane);
  }
}

void Matcher::CountSelector(LaneIndex lane, bool used) {
  const LaneDirectory::Place& place = lanes_[lane]->place;
  if (place.selector == 0) return;
  if (used) {
    if (++selector_uses_[place.type->name_space][place.selector] == 1) ++used_selectors_;
    return;
  }
  const auto in_namespace = selector_uses_.find(place.type->name_space);
  const auto uses = in_namespace->second.find(place.selector);
  if (--uses->second > 0) return;
  --used_selectors_;
  in_namespace->second.erase(uses);
  if (in_namespace->second.empty()) selector_uses_.erase(in_namespace);
}

size_t Matcher::used_selectors(std::string_view name_space) const {
  const auto found = selector_uses_.find(platform::ToAbsl(name_space));
  return found == selector_uses_.end() ? 0 : found->second.size();
}

bool Matcher::IsUsed(std::string_view name_space, const Selector& selector) const {
  const SelectorNumber number = directory_.FindSelector(selector);
  const auto found = selector_uses_.find(platform::ToAbsl(name_space));
  return number != 0 && found != selector_uses_.end() && found->second.contains(number);
}

bool Matcher::IsWaiting(TaskIndex task, TaskKey key) const {
  const Task& entry = tasks_.at(task);
  return tasks_.OrderOf(entry) == key && entry.queued() && !entry.withheld;
}

void Matcher::Push(LaneIndex lane, TaskIndex task, FlowNumber flow, uint32_t weight) {
  const Task& entry = tasks_.at(task);
  lanes_[lane]->ready.Push(task, tasks_.OrderOf(entry), entry.priority, flow, weight);
  Activate(lane);
}

void Matcher::Gone(LaneIndex lane, int16_t priority, FlowNumber flow) {
  lanes_[lane]->ready.NoteGone(
      priority, flow, [this](TaskIndex task, TaskKey key) { return IsWaiting(task, key); });
}

void Matcher::Activate(LaneIndex lane) {
  Lane& entry = *lanes_[lane];
  if (entry.active || entry.paused || entry.ready.empty() || entry.ring.empty()) return;
  entry.active = true;
  active_.push_back(lane);
}

void Matcher::Attach(SessionNumber session, std::string_view name_space,
                     std::span<const std::string> types, const Labels& labels) {
  Session entry{.opening = next_opening_++};
  for (const std::string& type : types) entry.types.push_back(LaneFor(name_space, type));
  std::ranges::sort(entry.types);
  entry.types.erase(std::unique(entry.types.begin(), entry.types.end()), entry.types.end());
  std::vector<LaneDirectory::Type*> places;
  for (const LaneIndex lane : entry.types) {
    Use(lane);
    places.push_back(lanes_[lane]->place.type);
  }
  Detach(session);
  directory_.AddSession(session, name_space, places, labels);
  for (const LaneIndex lane : directory_.LanesFor(session)) {
    entry.lanes.push_back({.lane = lane});
    if (++lanes_[lane]->members == 1) TellCause(lane);
  }
  // For those that it does not fit, too.
  for (const LaneDirectory::Type* type : places) {
    if (type->sessions.size() == 1) TellCauses(*type);
  }
  sessions_[session] = std::move(entry);
}

void Matcher::Detach(SessionNumber session) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  directory_.RemoveSession(session);
  for (const auto& membership : found->second.lanes) {
    if (--lanes_[membership.lane]->members == 0) TellCause(membership.lane);
  }
  for (const LaneIndex lane : found->second.types) {
    const LaneDirectory::Type& type = *lanes_[lane]->place.type;
    if (type.sessions.empty()) TellCauses(type);
    Leave(lane);
  }
  sessions_.erase(found);
}

// A lane that is new to a session which is attached.
void Matcher::Join(LaneIndex lane, SessionNumber session) {
  Session& entry = sessions_.at(session);
  if (++lanes_[lane]->members == 1) TellCause(lane);
  const auto at = std::ranges::lower_bound(entry.lanes, lane, {}, &Session::Membership::lane);
  entry.lanes.insert(at, {.lane = lane, .in_ring = entry.room > 0});
  if (entry.room > 0) TakeSeat(lane, {session, entry.opening});
}

// Its seat, if it has one, is to go as well.
void Matcher::Part(LaneIndex lane, SessionNumber session) {
  Session& entry = sessions_.at(session);
  if (--lanes_[lane]->members == 0) TellCause(lane);
  entry.lanes.erase(std::ranges::lower_bound(entry.lanes, lane, {}, &Session::Membership::lane));
}

Matcher::Session::Membership& Matcher::Session::at(LaneIndex lane) {
  return *std::ranges::lower_bound(lanes, lane, {}, &Membership::lane);
}

void Matcher::SetRoom(SessionNumber session, uint32_t room) {
  const auto found = sessions_.find(session);
  if (found == sessions_.end()) return;
  Session& entry = found->second;
  const bool had_room = entry.room > 0;
  entry.room = room;
  if (had_room || room == 0) return;
  // From behind the lane that it served last, or a session that is mostly full would serve the
  // first one alone.
  const size_t first = static_cast<size_t>(
      std::ranges::upper_bound(entry.lanes, entry.served, {}, &Session::Membership::lane) -
      entry.lanes.begin());
  for (size_t i = 0; i < entry.lanes.size(); ++i) {
    Session::Membership& membership = entry.lanes[(first + i) % entry.lanes.size()];
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
  if (entry.ring.size() > 2 * size_t{entry.members} + 16) {
    std::erase_if(entry.ring, [this](const Seat& old) { return SessionAt(old) == nullptr; });
  }
  entry.ring.push_back(seat);
}

Matcher::Session* Matcher::SessionAt(const Seat& seat) {
  const auto found = sessions_.find(seat.session);
  return found == sessions_.end() || found->second.opening != seat.opening ? nullptr
                                                                           : &found->second;
}

std::optional<Matcher::Match> Matcher::MatchIn(LaneIndex lane, const Gate& gate, size_t& refusals) {
  Lane& entry = *lanes_[lane];
  while (!entry.ring.empty() && !entry.ready.empty() && !entry.paused) {
    const Seat seat = entry.ring.front();
    Session* session = SessionAt(seat);
    if (session == nullptr || session->room == 0) {
      entry.ring.pop_front();
      if (session != nullptr) session->at(lane).in_ring = false;
      continue;
    }
    if (refusals == 0) return std::nullopt;
    const TaskIndex task = entry.ready.Pop(
        [this](TaskIndex index, TaskKey key) { return IsWaiting(index, key); }, gate.weight_of);
    KANTOKU_CHECK(task != kNoTask);
    if (!gate.accepts(task)) {
      --refusals;
      continue;
    }
    entry.ring.pop_front();
    --session->room;
    session->served = lane;
    if (session->room > 0) {
      entry.ring.push_back(seat);
    } else {
      session->at(lane).in_ring = false;
    }
    return Match{task, seat.session};
  }
  return std::nullopt;
}

std::optional<Matcher::Match> Matcher::Next(const Gate& gate, size_t& refusals) {
  while (!active_.empty() && refusals > 0) {
    const LaneIndex lane = active_.front();
    const auto match = MatchIn(lane, gate, refusals);
    if (match.has_value() && --quantum_left_ > 0) return match;
    quantum_left_ = kQuantum;
    active_.pop_front();
    lanes_[lane]->active = false;
    Activate(lane);
    if (match.has_value()) return match;
  }
  return std::nullopt;
}

void Matcher::TellCause(LaneIndex lane) {
  const Lane& entry = *lanes_[lane];
  waits_.SetLane(lane, entry.paused                         ? WaitCause::kPaused
                       : entry.members > 0                  ? WaitCause::kNoCredit
                       : entry.place.type->sessions.empty() ? WaitCause::kNoImplementation
                                                            : WaitCause::kPlacementUnmatched);
}

void Matcher::TellCauses(const LaneDirectory::Type& type) {
  for (const LaneIndex lane : directory_.LanesOf(type.name_space, type.name)) TellCause(lane);
}

const std::shared_ptr<const PlacementView>& Matcher::ViewOf(LaneIndex lane) const {
  const Lane& entry = *lanes_[lane];
  const LaneDirectory::Place& place = entry.place;
  if (place.placement == nullptr && place.type->route == 0) {
    static const auto& anywhere = *new std::shared_ptr<const PlacementView>();
    return anywhere;
  }
  if (entry.viewed != directory_.changes()) {
    entry.view = std::make_shared<const PlacementView>(
        PlacementView{place.placement == nullptr ? Placement() : *place.placement,
                      entry.members > 0 ? "" : directory_.WhyNone(place)});
    entry.viewed = directory_.changes();
  }
  return entry.view;
}

}  // namespace kantoku::inputs
