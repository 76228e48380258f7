#ifndef KANTOKU_TESTS_CHAOS_SOAK_NETWORK_FAULTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_NETWORK_FAULTS_H_

#include <memory>
#include <vector>

#include "tests/chaos/soak/faults.h"

namespace kantoku::soak {

// Lines that are reset, that fall silent within the grace and beyond it, that are slow, and packets
// that vanish everywhere.
void AddNetworkFaults(Topology& topology, Absences& absences, bool own_network,
                      std::vector<std::unique_ptr<Fault>>& faults);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_NETWORK_FAULTS_H_
