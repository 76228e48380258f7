#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/context.h"
#include "client/cli/text.h"

namespace kantoku::cli {
namespace {

std::string Footer() {
  std::string text = "Exit codes:\n";
  for (const ExitCodeMeaning& line : ExitCodes()) {
    const std::string code = std::to_string(static_cast<int>(line.code));
    absl::StrAppend(&text, "  ", code, std::string(5 - code.size(), ' '), std::string(line.meaning),
                    "\n");
  }
  absl::StrAppend(&text,
                  "Of several tasks, the first that did not end well decides.\n\n"
                  "First steps:\n"
                  "  kantoku up &\n"
                  "  kantoku executor --run 'file.sha256=sha256sum' &\n"
                  "  kantoku spawn file.sha256 \"Hello world\" --await");
  return text;
}

// The command that a command line names, as far as it could be read.
std::string NameOf(const CLI::App& app) {
  std::string name = app.get_name();
  for (const CLI::App* command : app.get_subcommands()) {
    absl::StrAppend(&name, " ", command->get_name());
  }
  return name;
}

// Help was asked for, or one line on standard error and exit code 2; CLI11 would print a help text
// of its own.
int SayUsage(const CLI::App& app, const CLI::ParseError& error, int argc, const Streams& streams) {
  if (error.get_exit_code() == 0) return app.exit(error, streams.out, streams.err);
  if (argc <= 1) {
    streams.err << app.help();
  } else if (app.get_subcommands().empty()) {
    streams.err << "kantoku: there is no such command or option; see kantoku --help" << std::endl;
  } else {
    const std::string name = NameOf(app);
    streams.err << name << ": " << OneLine(error.what()) << "; see " << name << " --help"
                << std::endl;
  }
  return static_cast<int>(ExitCode::kUsage);
}

std::vector<std::unique_ptr<Command>> MakeCommands(const CLI::App& app) {
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(MakeSpawnCommand());
  commands.push_back(MakeAwaitCommand());
  commands.push_back(MakeStreamCommand());
  commands.push_back(MakeMapCommand());
  commands.push_back(MakeGetCommand());
  commands.push_back(MakeWhyCommand());
  commands.push_back(MakeListCommand());
  for (auto& command : MakeControlCommands()) commands.push_back(std::move(command));
  commands.push_back(MakeInfoCommand());
  commands.push_back(MakeRestartCommand());
  commands.push_back(MakeExecutorsCommand());
  commands.push_back(MakeRouteCommand());
  commands.push_back(MakeLimitsCommand());
  commands.push_back(MakePausesCommand());
  commands.push_back(MakeBlocksCommand());
  commands.push_back(MakeEventsCommand());
  commands.push_back(MakeTokenCommand());
  commands.push_back(MakeJoinCommand());
  commands.push_back(MakeLoginCommand());
  commands.push_back(MakeMacKeysCommand());
  commands.push_back(MakeCompletionCommand(app));
  commands.push_back(MakeVersionCommand());
  return commands;
}

}  // namespace

void AddWhy(CLI::App& app, std::string& why) {
  app.add_option("--why", why, "Why, for the audit trail")->type_name("TEXT");
}

const std::vector<ExitCodeMeaning>& ExitCodes() {
  static const auto& codes = *new std::vector<ExitCodeMeaning>{
      {ExitCode::kOk, "done"},
      {ExitCode::kFailed, "the server refused, or something failed on this machine"},
      {ExitCode::kUsage, "the command line, or a value that it gives, is wrong"},
      {ExitCode::kNotFound, "there is no such task, executor, route, limit or pause"},
      {ExitCode::kDeadline, "it took longer than --timeout"},
      {ExitCode::kTaskFailed, "a task ended, but did not succeed"},
      {ExitCode::kUnreachable, "the server cannot be reached"},
      {ExitCode::kInterrupted, "interrupted by Ctrl-C; tasks go on"}};
  return codes;
}

int RunCli(int argc, const char* const* argv, const Surroundings& surroundings) {
  const Streams& streams = surroundings.streams;
  CLI::App app("Runs tasks on workers nobody controls.", "kantoku");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("kantoku ") + KANTOKU_VERSION);

  Context context(surroundings);
  const auto commands = MakeCommands(app);
  std::vector<CLI::App*> extra_apps;
  for (const ExtraCommand& extra : surroundings.extras) {
    extra_apps.push_back(app.add_subcommand(extra.name, extra.description));
    extra.set_up(*extra_apps.back());
  }
  std::vector<CLI::App*> apps;
  for (const auto& command : commands) {
    apps.push_back(app.add_subcommand(command->name(), command->description()));
    command->AddTo(*apps.back());
    context.AddOptions(*apps.back(), command->needs_server());
  }

  app.footer(Footer());  // After the commands, which would inherit it.

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return SayUsage(app, error, argc, streams);
  }
  for (size_t i = 0; i < extra_apps.size(); ++i) {
    if (extra_apps[i]->parsed()) return surroundings.extras[i].run();
  }
  const auto chosen =
      std::find_if(apps.begin(), apps.end(), [](const CLI::App* each) { return each->parsed(); });
  return static_cast<int>(commands[static_cast<size_t>(chosen - apps.begin())]->Run(context));
}

}  // namespace kantoku::cli
