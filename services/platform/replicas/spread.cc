#include "services/platform/replicas/spread.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>

namespace kantoku::platform {
namespace {

// The place of `id` among the living; their number when it is not one of them.
size_t PlaceOf(const std::vector<Replica>& living, std::string_view id) {
  const auto found = std::find_if(living.begin(), living.end(),
                                  [&](const Replica& replica) { return replica.id == id; });
  return static_cast<size_t>(found - living.begin());
}

// How many the one at `place` keeps, when all partitions are dealt out as `has` says.
size_t FairShare(const std::vector<size_t>& has, size_t place, size_t partitions) {
  size_t before = 0;
  for (size_t other = 0; other < has.size(); ++other) {
    before += has[other] > has[place] || (has[other] == has[place] && other < place) ? 1 : 0;
  }
  return partitions / has.size() + (before < partitions % has.size() ? 1 : 0);
}

}  // namespace

Moves Spread(const ReplicaView& view, std::string_view self) {
  std::vector<Replica> takers;
  std::copy_if(view.living.begin(), view.living.end(), std::back_inserter(takers),
               [](const Replica& replica) { return !replica.leaving; });
  const size_t me = PlaceOf(takers, self);
  if (me == takers.size()) return {};
  std::vector<size_t> has(takers.size(), 0);
  std::vector<uint32_t> nobodys;
  for (uint32_t partition = 0; partition < view.owners.size(); ++partition) {
    const std::string& id = view.owners[partition];
    if (const size_t owner = PlaceOf(takers, id); owner < has.size()) {
      ++has[owner];
    } else if (PlaceOf(view.living, id) == view.living.size()) {
      nobodys.push_back(partition);
    }
  }
  Moves moves;
  for (const uint32_t partition : nobodys) {
    const auto least = std::min_element(has.begin(), has.end());
    ++*least;
    if (least - has.begin() == static_cast<std::ptrdiff_t>(me)) moves.claim.push_back(partition);
  }
  moves.release = has[me] > FairShare(has, me, view.owners.size());
  return moves;
}

}  // namespace kantoku::platform
