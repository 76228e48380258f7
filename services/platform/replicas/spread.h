#ifndef KANTOKU_SERVICES_PLATFORM_REPLICAS_SPREAD_H_
#define KANTOKU_SERVICES_PLATFORM_REPLICAS_SPREAD_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "services/platform/replicas/replica_directory.h"

namespace kantoku::platform {

// What a replica is to do next so that all have as many partitions as the others, or one more.
struct Moves {
  std::vector<uint32_t> claim;  // Of nobody, or of the dead; in ascending order.
  bool release = false;         // One of those that it has, of its own choice; then it claims none.
};

// Those who are leaving take nothing. Pure: all who see the same come to moves that fit together,
// without asking each other. What is nobody's goes, one after the other, to whoever has the fewest;
// of equals, to the first by id. With N living replicas and P partitions, those P mod N that would
// have the most then keep one more than P/N rounded down, and whoever else has more than that gives
// one away. So views that stay the same lead, within P steps, to a spread from which nothing moves;
// no two claim the same on the way; and of who joins or leaves no more moves than has to. Where
// replicas of two components have the same ids, partitions of one number come to the same ones,
// unless beats met otherwise; who calls about both finds them together then.
//
// Nothing, for one that is not among the living.
Moves Spread(const ReplicaView& view, std::string_view self);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_REPLICAS_SPREAD_H_
