#ifndef KANTOKU_TESTS_CHAOS_VERDICT_H_
#define KANTOKU_TESTS_CHAOS_VERDICT_H_

#include <set>

#include "tests/chaos/suite.h"

namespace kantoku::test {

// Checks that `tasks` tasks were accepted and that each has exactly one end, the same wherever one
// asks: what its client was told, what Outputs says, one task.finished in Events, and a run of a
// handler that returned under the very dispatch that counts. Nothing is left in Inputs.
void CheckEachEndedOnce(Suite& suite, int tasks);

// Checks that no executor but those of `killed` ran a task that was run again, and that no dispatch
// was run twice. Returns how many tasks ran more than once.
size_t CheckOnlyTheKilledRanTwice(const Journals& journals, const std::set<int>& killed);

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_VERDICT_H_
