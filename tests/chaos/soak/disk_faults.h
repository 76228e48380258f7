#ifndef KANTOKU_TESTS_CHAOS_SOAK_DISK_FAULTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_DISK_FAULTS_H_

#include <memory>
#include <vector>

#include "tests/chaos/soak/faults.h"

namespace kantoku::soak {

// A disk that is full, and one whose syncs are slow.
void AddDiskFaults(Topology& topology, std::vector<std::unique_ptr<Fault>>& faults);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_DISK_FAULTS_H_
