#ifndef KANTOKU_SERVICES_ALL_IN_ONE_CONFORMANCE_COMMAND_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_CONFORMANCE_COMMAND_H_

#include "client/cli/cli.h"

namespace kantoku {

// `kantoku conformance …`: becomes the program kantoku-conformance, which lies beside this one. Its
// options are its own.
cli::ExtraCommand MakeConformanceCommand();

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_CONFORMANCE_COMMAND_H_
