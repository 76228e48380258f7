#ifndef KANTOKU_TESTS_CHAOS_SOAK_GATHER_H_
#define KANTOKU_TESTS_CHAOS_SOAK_GATHER_H_

#include <functional>

#include "tests/chaos/soak/evidence.h"
#include "tests/chaos/soak/faults.h"
#include "tests/chaos/soak/observations.h"
#include "tests/chaos/soak/topology.h"

namespace kantoku::soak {

// All evidence of a run in which nothing goes wrong any more: what clients noted, what Outputs,
// Inputs and Events say when they are asked directly, and the journal, which is read last, when
// `stop_executors` has returned. What cannot be asked for is trouble.
Evidence Gather(Topology& topology, const Observations& observations, const Absences& absences,
                const std::function<void()>& stop_executors);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_GATHER_H_
