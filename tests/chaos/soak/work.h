#ifndef KANTOKU_TESTS_CHAOS_SOAK_WORK_H_
#define KANTOKU_TESTS_CHAOS_SOAK_WORK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kantoku::soak {

// What a task of this load is to do, in its payload: known to the handler that does it, the load
// that spawns it and the checker that looks at what came of it.
struct Work {
  std::string name;      // Its reference: unique in a run.
  int milliseconds = 0;  // How long the handler is busy.
  int fails = 0;         // Attempts that fail before one succeeds.
  int items = 0;         // Yielded on the way.
  int children = 0;      // Spawned on the way, each with the work ChildOf.
  int points = 0;        // Pause points on the way.

  bool operator==(const Work&) const = default;
};

std::string Encode(const Work& work);
// Nothing when `payload` is none of these.
std::optional<Work> Decode(std::string_view payload);

// The nth child of a task, which has `children` / 2 of its own.
Work ChildOf(const Work& parent, int n);
std::string TypeOfChildren();

// What its handler returns, and the nth item (from 1) that it yields.
std::string ResultOf(const Work& work);
std::string ItemOf(const Work& work, uint64_t n);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_WORK_H_
