#ifndef KANTOKU_TESTS_CHAOS_CHURN_H_
#define KANTOKU_TESTS_CHAOS_CHURN_H_

#include <cstddef>

#include "absl/time/time.h"

namespace kantoku::test {

// Restarts every service once a second for so long, and at least so many times, by SIGTERM and kill
// -9 in turn, each time while tasks have no result yet, and checks that each task has exactly one
// end and that no handler ran twice: the executors come back within the grace each time.
void RestartEverySecond(absl::Duration length, size_t least);

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_CHURN_H_
