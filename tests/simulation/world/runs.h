#ifndef KANTOKU_TESTS_SIMULATION_WORLD_RUNS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_RUNS_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "tests/simulation/world/coverage.h"

// Many worlds, on several threads.
namespace kantoku::simulation {

// How a world ended.
struct Life {
  uint64_t seed = 0;
  uint64_t steps = 0;  // As many live it again, to its break if there is one.
  Coverage coverage;
  uint64_t fingerprint = 0;
  std::string broken;  // The first promise that was; empty: none.
  std::string detail;
  uint64_t broken_at = 0;
  std::string last_acts;  // Of the world before it was, one a line.
};

// Lives a world for so many steps, and to its end.
Life Live(uint64_t seed, uint64_t steps);

// A life, broken with this planted bug or none, made as short as halving makes it: fewer steps that
// break the same promise.
Life Shorten(const Life& broken, std::string_view bug = {});

// From now on a CHECK that fails, or an address that is none, tells in which world it was.
void NameSeedOnAbort();

struct Plan {
  uint64_t seed = 1;
  uint64_t steps = 10'000'000;
  uint64_t steps_per_world = 100'000;  // Seeds of further worlds are the next numbers.
  int threads = 2;
};

struct Sum {
  uint64_t steps = 0;
  uint64_t worlds = 0;
  Coverage coverage;
  uint64_t fingerprint = 0;    // Equal for equal lives, in whatever order they were lived.
  std::optional<Life> broken;  // One of the first; no world began after it.
};
Sum LiveAll(const Plan& plan);

// What a program can be held to.
struct Power {
  bool fast = false;  // Compiled as what is shipped: optimized, without a sanitizer.
  unsigned processors = 1;
};
Power OwnPower();

// How many seconds LiveAll may take: promised of the plan of `make sim`, or a larger one on as many
// threads, in a fast program on two processors; infinity of all others.
double SecondsAllowed(const Plan& plan, const Power& power);

// A bug that lies in the code.
struct PlantedBug {
  std::string_view name;  // There.
  uint64_t seed;          // Of a world that it breaks after few steps, when that was looked for.
};
std::span<const PlantedBug> PlantedBugs();

// Lives worlds with this bug until one breaks a promise, and without it none; nullopt when there is
// no such world among a bounded number.
std::optional<Life> Catch(std::string_view bug, uint64_t seed);

// Of so many worlds from this seed on the one that this bug breaks after the fewest steps.
std::optional<Life> CatchSoonest(std::string_view bug, uint64_t seed, uint64_t worlds);

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_RUNS_H_
