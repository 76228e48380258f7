#ifndef KANTOKU_SERVICES_ALL_IN_ONE_MIGRATE_COMMAND_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_MIGRATE_COMMAND_H_

#include "client/cli/cli.h"

namespace kantoku {

// `kantoku migrate`: makes the tables of the stores that a configuration names, or brings them up
// to date. Its options are those of `kantoku up`.
cli::ExtraCommand MakeMigrateCommand();

}  // namespace kantoku

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_MIGRATE_COMMAND_H_
