#ifndef KANTOKU_CLIENT_CLI_COMMANDS_H_
#define KANTOKU_CLIENT_CLI_COMMANDS_H_

#include <memory>
#include <string>

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
  // Whether it has the options of commands that talk to a server.
  virtual bool needs_server() const { return true; }
  virtual void AddTo(CLI::App& app) = 0;
  virtual ExitCode Run(const Context& context) = 0;
};

// The option of commands that the audit trail tells about.
void AddWhy(CLI::App& app, std::string& why);

std::unique_ptr<Command> MakeSpawnCommand();
std::unique_ptr<Command> MakeAwaitCommand();
std::unique_ptr<Command> MakeStreamCommand();
std::unique_ptr<Command> MakeGetCommand();
std::unique_ptr<Command> MakeWhyCommand();
std::unique_ptr<Command> MakeListCommand();
// cancel, interrupt, pause, resume and step.
std::vector<std::unique_ptr<Command>> MakeControlCommands();
std::unique_ptr<Command> MakeInfoCommand();
std::unique_ptr<Command> MakeRestartCommand();
std::unique_ptr<Command> MakeExecutorsCommand();
std::unique_ptr<Command> MakeRouteCommand();
std::unique_ptr<Command> MakeLimitsCommand();
std::unique_ptr<Command> MakePausesCommand();
std::unique_ptr<Command> MakeBlocksCommand();
std::unique_ptr<Command> MakeEventsCommand();
std::unique_ptr<Command> MakeMapCommand();
std::unique_ptr<Command> MakeTokenCommand();
std::unique_ptr<Command> MakeJoinCommand();
std::unique_ptr<Command> MakeLoginCommand();
std::unique_ptr<Command> MakeMacKeysCommand();
std::unique_ptr<Command> MakeVersionCommand();
// `app` has the names and options to complete; read when the command runs.
std::unique_ptr<Command> MakeCompletionCommand(const CLI::App& app);

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_COMMANDS_H_
