#ifndef KANTOKU_SERVICES_ALL_IN_ONE_UP_COMMAND_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_UP_COMMAND_H_

#include "client/cli/cli.h"

namespace kantoku {

// `kantoku up`: Inputs, Outputs and Events in one process, on one port, in one directory. They are
// the modules of the separate programs and reach each other through the program's own address.
cli::ExtraCommand MakeUpCommand();

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_UP_COMMAND_H_
