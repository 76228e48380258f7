#include "tests/simulation/inputs/engine_walk.h"

#include <catch2/catch.hpp>
#include <cstdlib>

namespace kantoku::inputs::testing {
namespace {

// KANTOKU_WALK_SEED and KANTOKU_WALK_RUNS repeat a failed walk, or walk for longer.
uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* const text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST_CASE("A random life of the engine breaks no promise and leaves nothing behind") {
  const uint64_t first = FromEnvironment("KANTOKU_WALK_SEED", 1);
  const uint64_t runs = FromEnvironment("KANTOKU_WALK_RUNS", 20);
  std::map<std::string, int> counts;
  for (uint64_t seed = first; seed < first + runs; ++seed) {
    EngineWalk walk(seed);
    walk.Run(5'000);
    walk.Drain();
    for (const auto& [what, count] : walk.counts()) counts[what] += count;
  }
  for (const auto& [what, count] : counts) UNSCOPED_INFO(what << ": " << count);
  if (runs < 20) return;
  for (const char* const what : {"created",
                                 "repeated",
                                 "reference taken",
                                 "cancelled",
                                 "resumed",
                                 "superseded",
                                 "foreign",
                                 "kept",
                                 "not held",
                                 "receipt in hello",
                                 "dispatched again",
                                 "fence told an end",
                                 "crash lost groups",
                                 "crash",
                                 "succeeded",
                                 "failed",
                                 "cancelled end",
                                 "tree",
                                 "restarted",
                                 "patched",
                                 "no room",
                                 "patch too late",
                                 "info refused",
                                 "restarted before",
                                 "tree lives again",
                                 "restart refused: TREE_STOPPING",
                                 "PARENT_UNKNOWN",
                                 "TREE_STOPPING",
                                 "ROOT_MISMATCH",
                                 "paused",
                                 "resumed control",
                                 "stepped",
                                 "stepped from the start",
                                 "handler paused",
                                 "handler resumed",
                                 "refused control",
                                 "more to do",
                                 "crash in a sweep",
                                 "recalled",
                                 "refused lie",
                                 "no credit left",
                                 "history row dropped",
                                 "too many dispatches",
                                 "expired",
                                 "no time left",
                                 "recovering",
                                 "placed",
                                 "fits nobody",
                                 "selectors refused",
                                 "result reused",
                                 "reused after others",
                                 "depends on what was reused",
                                 "route",
                                 "asked to leave",
                                 "blocked",
                                 "ran after others",
                                 "DEPENDENCY_FAILED",
                                 "SKIPPED",
                                 "DEPENDENCY_UNKNOWN",
                                 "DEPENDENCY_REFUSED",
                                 "dependencies refused",
                                 "crash before all waiters heard",
                                 "admitted",
                                 "tokens taken",
                                 "limit set",
                                 "type paused",
                                 "paused with its type",
                                 "NO_SUCH_LIMIT",
                                 "cause 10",
                                 "cause 11",
                                 "cause 12",
                                 "cause 13",
                                 "heard of late that it had not begun"}) {
    CAPTURE(what);
    CHECK(counts[what] > 0);
  }
}

}  // namespace
}  // namespace kantoku::inputs::testing
