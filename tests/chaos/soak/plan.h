#ifndef KANTOKU_TESTS_CHAOS_SOAK_PLAN_H_
#define KANTOKU_TESTS_CHAOS_SOAK_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace kantoku::soak {

// Faults of one lane follow each other; those of different lanes meet as it happens.
enum class Lane : uint8_t { kProcess, kNetwork, kDisk };

// What a plan has to know of a fault.
struct FaultShape {
  std::string name;
  Lane lane = Lane::kProcess;
  absl::Duration shortest;  // How long it goes on before it is undone.
  absl::Duration longest;
};

// A fault that begins and is undone, from the begin of the plan on.
struct Planned {
  size_t fault = 0;
  absl::Duration from;
  absl::Duration to;

  bool operator==(const Planned&) const = default;
};

// When which fault happens: a function of its arguments. Within a lane faults are drawn like cards,
// each once before any comes again, with a pause after each. All are undone before `length`. In the
// order of their begins.
std::vector<Planned> MakePlan(uint64_t seed, absl::Duration length,
                              const std::vector<FaultShape>& faults);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_PLAN_H_
