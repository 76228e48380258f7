#include "client/cli/cli.h"

#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "client/cli/commands.h"
#include "client/cli/context.h"

namespace kantoku::cli {
namespace {

// One line on standard error and exit code 2; CLI11 would print a help text of its own.
int SayUsage(const CLI::App& app, const CLI::ParseError& error, const Streams& streams) {
  if (error.get_exit_code() == 0) return app.exit(error, streams.out, streams.err);
  streams.err << "kantoku: " << error.what() << "; see kantoku --help" << std::endl;
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace

int RunCli(int argc, const char* const* argv, const Streams& streams,
           const std::vector<ExtraCommand>& extras) {
  CLI::App app("Runs tasks on workers nobody controls", "kantoku");
  app.require_subcommand(1);
  app.set_version_flag("--version", std::string("kantoku ") + KANTOKU_VERSION);

  Context context(streams);
  std::vector<std::unique_ptr<Command>> commands;
  commands.push_back(MakeSpawnCommand());
  commands.push_back(MakeAwaitCommand());
  commands.push_back(MakeGetCommand());
  commands.push_back(MakeListCommand());
  commands.push_back(MakeCancelCommand());
  commands.push_back(MakeMapCommand());
  commands.push_back(MakeExecutorsCommand());
  commands.push_back(MakeEventsCommand());
  commands.push_back(MakeCompletionCommand([&app]() -> const CLI::App& { return app; }));
  std::vector<CLI::App*> apps;
  for (const auto& command : commands) {
    apps.push_back(app.add_subcommand(command->name(), command->description()));
    context.AddCommonOptions(*apps.back());
    command->AddTo(*apps.back());
  }
  const CLI::App* version = app.add_subcommand("version", "Prints the version");
  std::vector<CLI::App*> extra_apps;
  for (const ExtraCommand& extra : extras) {
    extra_apps.push_back(app.add_subcommand(extra.name, extra.description));
    extra.set_up(*extra_apps.back());
  }

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return SayUsage(app, error, streams);
  }
  if (version->parsed()) {
    streams.out << "kantoku " << KANTOKU_VERSION << std::endl;
    return 0;
  }
  for (size_t i = 0; i < extras.size(); ++i) {
    if (extra_apps[i]->parsed()) return extras[i].run();
  }
  for (size_t i = 0; i < commands.size(); ++i) {
    if (apps[i]->parsed()) return static_cast<int>(commands[i]->Run(context));
  }
  return static_cast<int>(ExitCode::kUsage);
}

}  // namespace kantoku::cli
