#ifndef KANTOKU_TESTS_CHAOS_SOAK_DATABASE_FAULTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_DATABASE_FAULTS_H_

#include <memory>
#include <vector>

#include "tests/chaos/soak/faults.h"

namespace kantoku::soak {

// Adds what can be done to a database in which all services keep their records.
void AddDatabaseFaults(Database& database, std::vector<std::unique_ptr<Fault>>& faults);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_DATABASE_FAULTS_H_
