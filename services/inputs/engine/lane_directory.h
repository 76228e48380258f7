#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_LANE_DIRECTORY_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_LANE_DIRECTORY_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/placement.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/engine/verdicts.h"

namespace kantoku::inputs {

using LaneIndex = uint32_t;
inline constexpr LaneIndex kNoLane = UINT32_MAX;

// Which lanes there are and which sessions fit them: a session that implements the lane's type,
// matches the type's route if it has one, has the lane's pins and matches its selector.
//
// A new lane looks at the sessions of its type, or at those that have one of its pins, whichever
// are fewer; a new session looks, in each of its types, at the lanes whose pins it has.
//
// Thread-compatible.
class LaneDirectory {
 public:
  // One (namespace, type) that has lanes. Never moves; its names are lent out.
  struct Type {
    std::string name_space;
    std::string name;
    LaneIndex plain = kNoLane;  // The lane of tasks that may run anywhere.
    absl::flat_hash_map<Pins, absl::btree_map<SelectorNumber, LaneIndex>> placed;
    size_t lanes = 0;
    SelectorNumber route = 0;                 // 0: none.
    absl::btree_set<SessionNumber> sessions;  // That implement it, whatever fits.
  };
  // Where a lane is.
  struct Place {
    Type* type = nullptr;
    std::shared_ptr<const Placement> placement;  // Null: anywhere.
    SelectorNumber selector = 0;                 // 0: none.
  };

  // The lane of tasks of this type that may run anywhere, or are placed so; kNoLane when there is
  // none.
  LaneIndex Find(std::string_view name_space, std::string_view type) const;
  LaneIndex Find(std::string_view name_space, std::string_view type,
                 const Placement& placement) const;
  // 0 when no lane has it.
  SelectorNumber FindSelector(const Selector& selector) const { return verdicts_.Find(selector); }

  // There must be no such lane. `placement` may be null.
  Place AddLane(LaneIndex lane, std::string_view name_space, std::string_view type,
                std::shared_ptr<const Placement> placement);
  void RemoveLane(const Place& place);

  // The types must have plain lanes, which the session keeps in use; each is named once.
  void AddSession(SessionNumber session, std::string_view name_space, std::span<Type* const> types,
                  const Labels& labels);
  void RemoveSession(SessionNumber session);

  // What every session must match to get tasks of this type; null: nothing.
  void SetRoute(std::string_view name_space, std::string_view type, const Selector* selector);
  // Of a type, ascending; all of a type whose lanes would change with its route.
  std::vector<LaneIndex> LanesOf(std::string_view name_space, std::string_view type) const;

  // In ascending order.
  std::vector<SessionNumber> SessionsFor(const Place& place);
  std::vector<LaneIndex> LanesFor(SessionNumber session);

  // In words why none of the sessions that implement the type fits; empty when there are none. The
  // same until `changes` is another.
  std::string WhyNone(const Place& place) const;
  uint64_t changes() const { return changes_; }

 private:
  struct Session {
    std::string name_space;
    std::vector<Type*> types;
    LabelSetNumber labels = 0;
  };
  using Sessions = absl::btree_set<SessionNumber>;

  Type* FindType(std::string_view name_space, std::string_view type) const;
  bool Fits(SessionNumber session, const Place& place);
  bool IsRouted(const Type& type, LabelSetNumber labels) {
    return type.route == 0 || verdicts_.Matches(type.route, labels);
  }
  const Sessions* FindPinned(std::string_view name_space, std::string_view label,
                             const std::string& value) const;
  // The fewest sessions among which all that fit are.
  const Sessions& Candidates(const Place& place) const;
  std::string WhyNot(SessionNumber session, const Place& place) const;
  size_t DistanceOf(SessionNumber session, const Place& place) const;

  // Keys are views of the types' own names.
  absl::flat_hash_map<std::pair<std::string_view, std::string_view>, std::unique_ptr<Type>> types_;
  absl::flat_hash_map<SessionNumber, Session> sessions_;
  absl::flat_hash_map<std::string, Sessions> pinned_;  // By namespace, label and value.
  absl::flat_hash_map<std::pair<std::string, std::string>, SelectorNumber> routes_;
  Verdicts verdicts_;
  uint64_t changes_ = 1;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_LANE_DIRECTORY_H_
