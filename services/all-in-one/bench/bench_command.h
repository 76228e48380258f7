#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_

#include "client/cli/cli.h"

namespace kantoku {

// `kantoku bench`: what a server achieves, with spawner, server and executors as processes of their
// own. A JSON line for each scenario on standard output, and a table of them on standard error.
cli::ExtraCommand MakeBenchCommand();

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_BENCH_COMMAND_H_
