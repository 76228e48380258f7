#ifndef KANTOKU_CLIENT_CLI_RESULTS_H_
#define KANTOKU_CLIENT_CLI_RESULTS_H_

#include "absl/status/statusor.h"
#include "client/cli/context.h"
#include "kantoku/item.h"
#include "kantoku/output.h"

namespace kantoku::cli {

// Prints how a task ended: its result on standard output, or on standard error why there is none.
// With --json an object on standard output either way.
//
// A result that is `alone` goes into a file or a pipe byte for byte; of several each ends its line.
// A terminal gets whole lines, and is spared what is no text.
ExitCode PrintResult(const Context& context, const absl::StatusOr<Output>& output, bool alone);

// Prints the items of a task as they come, each with the end of its line, and at last how the task
// ended, as above: a result that is empty is no line. With --json an object for each. That the
// handler began again is said on standard error.
ExitCode PrintStream(const Context& context, ItemStream& stream);

// The same, as a line of `kantoku map` about the item of that name.
ExitCode PrintItem(const Context& context, const std::string& name,
                   const absl::StatusOr<Output>& output);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_RESULTS_H_
