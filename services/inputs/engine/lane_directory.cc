#include "services/inputs/engine/lane_directory.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inputs/selector/excerpt.h"
#include "services/platform/check.h"

namespace kantoku::inputs {
namespace {

constexpr size_t kShownBytes = 40;
// Of sessions none of which fits, at most so many are looked at for the nearest.
constexpr size_t kMostCompared = 32;

struct Pin {
  std::string_view label;
  std::string Pins::*value;
};
constexpr std::array<Pin, 3> kPins = {
    {{kExecutorLabel, &Pins::executor}, {kAppLabel, &Pins::app}, {kOwnerLabel, &Pins::owner}}};

std::string PinKey(std::string_view name_space, std::string_view label, std::string_view value) {
  std::string key;
  key.reserve(name_space.size() + label.size() + value.size() + 2);
  key.append(name_space).push_back('\0');
  key.append(label).push_back('\0');
  key.append(value);
  return key;
}

std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", Excerpt(text, kShownBytes), "\"");
}

// The value of a label, empty when it is absent.
const std::string& ValueOf(const Labels& labels, std::string_view label) {
  static const std::string& none = *new std::string();
  const std::string* const value = labels.Find(label);
  return value == nullptr ? none : *value;
}

// How many pins the labels lack.
size_t Missing(const Pins& pins, const Labels& labels) {
  return static_cast<size_t>(std::ranges::count_if(kPins, [&](const Pin& pin) {
    const std::string& wanted = pins.*pin.value;
    return !wanted.empty() && ValueOf(labels, pin.label) != wanted;
  }));
}

// Calls `use` with each pins that these labels have.
template <typename Use>
void ForEachPins(const Labels& labels, Use use) {
  for (unsigned set = 0; set < 1U << kPins.size(); ++set) {
    Pins pins;
    bool has_all = true;
    for (size_t i = 0; i < kPins.size(); ++i) {
      if ((set >> i & 1U) == 0) continue;
      pins.*kPins[i].value = ValueOf(labels, kPins[i].label);
      has_all &= !(pins.*kPins[i].value).empty();
    }
    if (has_all) use(pins);
  }
}

}  // namespace

LaneDirectory::Type* LaneDirectory::FindType(std::string_view name_space,
                                             std::string_view type) const {
  const auto found = types_.find(std::pair(name_space, type));
  return found == types_.end() ? nullptr : found->second.get();
}

LaneIndex LaneDirectory::Find(std::string_view name_space, std::string_view type) const {
  const Type* const found = FindType(name_space, type);
  return found == nullptr ? kNoLane : found->plain;
}

LaneIndex LaneDirectory::Find(std::string_view name_space, std::string_view type,
                              const Placement& placement) const {
  const Type* const found = FindType(name_space, type);
  if (found == nullptr) return kNoLane;
  SelectorNumber selector = 0;
  if (placement.selector.has_value()) {
    selector = verdicts_.Find(*placement.selector);
    if (selector == 0) return kNoLane;
  }
  const auto pinned = found->placed.find(placement.pins);
  if (pinned == found->placed.end()) return kNoLane;
  const auto lane = pinned->second.find(selector);
  return lane == pinned->second.end() ? kNoLane : lane->second;
}

LaneDirectory::Place LaneDirectory::AddLane(LaneIndex lane, std::string_view name_space,
                                            std::string_view type,
                                            std::shared_ptr<const Placement> placement) {
  Type* found = FindType(name_space, type);
  if (found == nullptr) {
    auto made = std::make_unique<Type>();
    made->name_space = name_space;
    made->name = type;
    const auto route = routes_.find(std::pair(made->name_space, made->name));
    if (route != routes_.end()) made->route = route->second;
    found = made.get();
    types_.emplace(std::pair(std::string_view(found->name_space), std::string_view(found->name)),
                   std::move(made));
  }
  Place place{.type = found, .placement = std::move(placement)};
  ++found->lanes;
  if (place.placement == nullptr) {
    KANTOKU_CHECK(found->plain == kNoLane);
    found->plain = lane;
    return place;
  }
  if (place.placement->selector.has_value()) {
    place.selector = verdicts_.Share(*place.placement->selector);
  }
  const bool added = found->placed[place.placement->pins].emplace(place.selector, lane).second;
  KANTOKU_CHECK(added);
  return place;
}

void LaneDirectory::RemoveLane(const Place& place) {
  Type& type = *place.type;
  if (place.placement == nullptr) {
    type.plain = kNoLane;
  } else {
    const auto pinned = type.placed.find(place.placement->pins);
    pinned->second.erase(place.selector);
    if (pinned->second.empty()) type.placed.erase(pinned);
  }
  if (place.selector != 0) verdicts_.DropSelector(place.selector);
  if (--type.lanes > 0) return;
  KANTOKU_CHECK(type.sessions.empty());
  types_.erase(
      types_.find(std::pair(std::string_view(type.name_space), std::string_view(type.name))));
}

void LaneDirectory::SetRoute(std::string_view name_space, std::string_view type,
                             const Selector* selector) {
  const std::pair<std::string, std::string> key(name_space, type);
  const SelectorNumber number = selector == nullptr ? 0 : verdicts_.Share(*selector);
  const auto [route, added] = routes_.try_emplace(key);
  if (route->second != 0) verdicts_.DropSelector(route->second);
  route->second = number;
  if (number == 0) routes_.erase(route);
  if (Type* const found = FindType(name_space, type)) found->route = number;
  ++changes_;
}

std::vector<LaneIndex> LaneDirectory::LanesOf(std::string_view name_space,
                                              std::string_view type) const {
  std::vector<LaneIndex> lanes;
  const Type* const found = FindType(name_space, type);
  if (found == nullptr) return lanes;
  if (found->plain != kNoLane) lanes.push_back(found->plain);
  for (const auto& [pins, by_selector] : found->placed) {
    for (const auto& [selector, lane] : by_selector) lanes.push_back(lane);
  }
  std::ranges::sort(lanes);
  return lanes;
}

void LaneDirectory::AddSession(SessionNumber session, std::string_view name_space,
                               std::span<Type* const> types, const Labels& labels) {
  Session& entry = sessions_[session];
  entry.name_space = name_space;
  entry.types.assign(types.begin(), types.end());
  entry.labels = verdicts_.Share(labels);
  for (Type* const type : types) type->sessions.insert(session);
  ++changes_;
  for (const Pin& pin : kPins) {
    const std::string& value = ValueOf(labels, pin.label);
    if (!value.empty()) pinned_[PinKey(name_space, pin.label, value)].insert(session);
  }
}

void LaneDirectory::RemoveSession(SessionNumber session) {
  const auto found = sessions_.find(session);
  const Session& entry = found->second;
  for (Type* const type : entry.types) type->sessions.erase(session);
  ++changes_;
  const Labels& labels = verdicts_.labels(entry.labels);
  for (const Pin& pin : kPins) {
    const auto pinned =
        pinned_.find(PinKey(entry.name_space, pin.label, ValueOf(labels, pin.label)));
    if (pinned == pinned_.end()) continue;
    pinned->second.erase(session);
    if (pinned->second.empty()) pinned_.erase(pinned);
  }
  verdicts_.DropLabels(entry.labels);
  sessions_.erase(found);
}

bool LaneDirectory::Fits(SessionNumber session, const Place& place) {
  const LabelSetNumber labels = sessions_.at(session).labels;
  if (!IsRouted(*place.type, labels)) return false;
  if (place.placement == nullptr) return true;
  return Missing(place.placement->pins, verdicts_.labels(labels)) == 0 &&
         (place.selector == 0 || verdicts_.Matches(place.selector, labels));
}

const LaneDirectory::Sessions* LaneDirectory::FindPinned(std::string_view name_space,
                                                         std::string_view label,
                                                         const std::string& value) const {
  const auto found = pinned_.find(PinKey(name_space, label, value));
  return found == pinned_.end() ? nullptr : &found->second;
}

const LaneDirectory::Sessions& LaneDirectory::Candidates(const Place& place) const {
  static const Sessions& none = *new Sessions();
  const Sessions* fewest = &place.type->sessions;
  if (place.placement == nullptr) return *fewest;
  for (const Pin& pin : kPins) {
    const std::string& value = place.placement->pins.*pin.value;
    if (value.empty()) continue;
    const Sessions* const pinned = FindPinned(place.type->name_space, pin.label, value);
    if (pinned == nullptr) return none;
    if (pinned->size() < fewest->size()) fewest = pinned;
  }
  return *fewest;
}

std::vector<SessionNumber> LaneDirectory::SessionsFor(const Place& place) {
  std::vector<SessionNumber> fitting;
  const Sessions& candidates = Candidates(place);
  for (const SessionNumber session : candidates) {
    const bool implements =
        &candidates == &place.type->sessions || place.type->sessions.contains(session);
    if (implements && Fits(session, place)) fitting.push_back(session);
  }
  return fitting;
}

std::vector<LaneIndex> LaneDirectory::LanesFor(SessionNumber session) {
  const Session& entry = sessions_.at(session);
  std::vector<LaneIndex> lanes;
  for (const Type* const type : entry.types) {
    if (!IsRouted(*type, entry.labels)) continue;
    lanes.push_back(type->plain);
    if (type->placed.empty()) continue;
    ForEachPins(verdicts_.labels(entry.labels), [&](const Pins& pins) {
      const auto pinned = type->placed.find(pins);
      if (pinned == type->placed.end()) return;
      for (const auto& [selector, lane] : pinned->second) {
        if (selector == 0 || verdicts_.Matches(selector, entry.labels)) lanes.push_back(lane);
      }
    });
  }
  std::ranges::sort(lanes);
  return lanes;
}

std::string LaneDirectory::WhyNot(SessionNumber session, const Place& place) const {
  const Labels& labels = verdicts_.labels(sessions_.at(session).labels);
  std::vector<std::string> reasons;
  for (const Pin& pin : kPins) {
    if (place.placement == nullptr) break;
    const std::string& wanted = place.placement->pins.*pin.value;
    const std::string& value = ValueOf(labels, pin.label);
    if (wanted.empty() || value == wanted) continue;
    reasons.push_back(absl::StrCat(std::string(pin.label), " is ", Quoted(value),
                                   ", wanted == ", Quoted(wanted)));
  }
  const auto add = [&](std::string_view prefix, SelectorNumber selector) {
    if (selector == 0) return;
    const std::string why = verdicts_.selector(selector).WhyNot(labels);
    if (!why.empty()) reasons.push_back(std::string(prefix) + why);
  };
  add("", place.selector);
  add("by the type's route ", place.type->route);
  return absl::StrJoin(reasons, "; ");
}

// How much keeps the session from fitting.
size_t LaneDirectory::DistanceOf(SessionNumber session, const Place& place) const {
  const Labels& labels = verdicts_.labels(sessions_.at(session).labels);
  const auto fails = [&](SelectorNumber selector) -> size_t {
    return selector != 0 && !verdicts_.selector(selector).Matches(labels) ? 1 : 0;
  };
  const size_t missing = place.placement == nullptr ? 0 : Missing(place.placement->pins, labels);
  return missing * 4 + fails(place.type->route) * 2 + fails(place.selector);
}

std::string LaneDirectory::WhyNone(const Place& place) const {
  const Sessions& sessions = place.type->sessions;
  if (sessions.empty()) return "";
  const Sessions* nearby = &sessions;
  if (place.placement != nullptr && !place.placement->pins.executor.empty()) {
    const std::string& name = place.placement->pins.executor;
    nearby = FindPinned(place.type->name_space, kExecutorLabel, name);
    if (nearby == nullptr) return absl::StrCat("no executor ", Quoted(name), " is connected");
    if (std::ranges::none_of(*nearby,
                             [&](SessionNumber each) { return sessions.contains(each); })) {
      return absl::StrCat("executor ", Quoted(name), " does not implement the type");
    }
  }
  SessionNumber nearest = 0;
  size_t least = SIZE_MAX;
  size_t compared = 0;
  for (auto each = nearby->begin(); each != nearby->end() && compared < kMostCompared; ++each) {
    if (!sessions.contains(*each)) continue;
    ++compared;
    const size_t distance = DistanceOf(*each, place);
    if (distance >= least) continue;
    least = distance;
    nearest = *each;
  }
  const Labels& labels = verdicts_.labels(sessions_.at(nearest).labels);
  return absl::StrCat(sessions.size() == 1 ? "executor "
                                           : absl::StrCat("none of ", sessions.size(),
                                                          " executors fits; the nearest, "),
                      Quoted(ValueOf(labels, kExecutorLabel)), ": ", WhyNot(nearest, place));
}

}  // namespace kantoku::inputs
