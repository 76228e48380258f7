#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_GUARD_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_GUARD_H_

#include <functional>

#include "absl/status/statusor.h"

namespace kantoku::bench {

// Runs `work` in a process of its own, whose TMPDIR is a directory made for it, and returns what it
// returns. However it ends, nothing of it is left then: neither a process that it or its processes
// have started and that is still in its group, nor the directory.
//
// The same when SIGINT, SIGTERM or SIGHUP comes meanwhile, which then ends this program as it would
// without us. When this program is killed, the worker and its servers are too, but neither the
// program of the floors nor the directory.
//
// To be called before the program has threads. INTERNAL when a signal has ended the work.
absl::StatusOr<int> RunGuarded(const std::function<int()>& work);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_GUARD_H_
