#ifndef KANTOKU_TESTS_CHAOS_SOAK_PROCESS_FAULTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_PROCESS_FAULTS_H_

#include <memory>
#include <vector>

#include "tests/chaos/soak/faults.h"

namespace kantoku::soak {

// SIGTERM and kill -9 of services and executors, which are started again a moment later, and
// SIGSTOP for a while within the grace, and beyond it.
void AddProcessFaults(Topology& topology, Absences& absences,
                      std::vector<std::unique_ptr<Fault>>& faults);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_PROCESS_FAULTS_H_
