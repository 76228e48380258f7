#ifndef KANTOKU_CLIENT_CLI_COMMANDS_H_
#define KANTOKU_CLIENT_CLI_COMMANDS_H_

#include <functional>
#include <string>
#include <vector>

#include "client/cli/context.h"

namespace kantoku::cli {

// One command: its options are members, which `AddTo` binds; Run is called when it was chosen.
//
// Confined to the main thread.
class Command {
 public:
  virtual ~Command() = default;
  virtual std::string name() const = 0;
  virtual std::string description() const = 0;
  virtual void AddTo(CLI::App& app) = 0;
  virtual ExitCode Run(const Context& context) = 0;
};

std::unique_ptr<Command> MakeSpawnCommand();
std::unique_ptr<Command> MakeAwaitCommand();
std::unique_ptr<Command> MakeGetCommand();
std::unique_ptr<Command> MakeListCommand();
std::unique_ptr<Command> MakeCancelCommand();
std::unique_ptr<Command> MakeExecutorsCommand();
std::unique_ptr<Command> MakeEventsCommand();
std::unique_ptr<Command> MakeMapCommand();
// `commands` are the names and options to complete, read when it runs.
std::unique_ptr<Command> MakeCompletionCommand(std::function<const CLI::App&()> app);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_COMMANDS_H_
