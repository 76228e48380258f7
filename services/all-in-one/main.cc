#include <unistd.h>

#include <CLI/CLI.hpp>
#include <iostream>
#include <memory>
#include <utility>
#include <vector>

#include "client/cli/cli.h"
#include "services/all-in-one/bench/bench_command.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/conformance_command.h"
#include "services/all-in-one/migrate_command.h"
#include "services/all-in-one/up_command.h"
#include "services/executor-runtime/program.h"
#include "services/platform/process.h"

namespace {

// `kantoku executor …` is the program kantoku-executor: its options are its own.
kantoku::cli::ExtraCommand MakeExecutorCommand() {
  auto rest = std::make_shared<CLI::App*>();
  return {.name = "executor",
          .description = "Runs commands of this machine as implementations of task types",
          .set_up =
              [rest](CLI::App& app) {
                app.prefix_command();
                app.set_help_flag();
                *rest = &app;
              },
          .run =
              [rest] {
                return kantoku::executor::RunExecutorProgram("kantoku executor",
                                                             (*rest)->remaining());
              }};
}

}  // namespace

int main(int argc, char** argv) {
  kantoku::platform::SetUpProcess();
  const kantoku::cli::Streams streams{std::cin, std::cout, std::cerr, isatty(STDOUT_FILENO) == 1,
                                      isatty(STDERR_FILENO) == 1};
  std::vector<kantoku::cli::ExtraCommand> extras = {
      kantoku::MakeUpCommand(), kantoku::MakeMigrateCommand(), MakeExecutorCommand(),
      kantoku::MakeBenchCommand(), kantoku::MakeConformanceCommand()};
  for (auto& role : kantoku::bench::MakeRoleCommands()) extras.push_back(std::move(role));
  return kantoku::cli::RunCli(argc, argv, {.streams = streams, .extras = std::move(extras)});
}
