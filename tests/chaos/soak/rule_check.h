#ifndef KANTOKU_TESTS_CHAOS_SOAK_RULE_CHECK_H_
#define KANTOKU_TESTS_CHAOS_SOAK_RULE_CHECK_H_

#include <map>
#include <string>
#include <vector>

#include "tests/chaos/soak/checker.h"
#include "tests/chaos/soak/complaints.h"
#include "tests/chaos/soak/evidence.h"
#include "tests/chaos/soak/runs.h"

namespace kantoku::soak {

// Runs of each task, in the order in which they began.
using RunsByTask = std::map<std::string, std::vector<const Run*>>;

// What holds between tasks: limits of concurrency keys, rates of rate keys, the order within
// ordering keys, what a task waits for, which executors run it, and that a tree which was stopped
// stands still.
void CheckRules(const Evidence& evidence, const RunsByTask& runs, Verdict& verdict,
                Complaints& complaints);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_RULE_CHECK_H_
