#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_

#include "client/cli/cli.h"

namespace kantoku {

// `kantoku bench`: measures tasks a second and the time of one, as users run it: server, executor
// and spawner are processes of their own. One JSON object a line, floors of this machine beside it.
cli::ExtraCommand MakeBenchCommand();

// `kantoku bench-executor`: the executor that bench starts; 16 bytes for every task.
cli::ExtraCommand MakeBenchExecutorCommand();

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_
