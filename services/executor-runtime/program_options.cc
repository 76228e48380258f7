#include "services/executor-runtime/program_options.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/join_string.h"
#include "services/platform/config/quantities.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

absl::Status Invalid(std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_CONFIG", message);
}

// The raw words of a command line.
struct Flags {
  std::string server;
  std::string outputs;
  std::string name_space;
  std::string join;
  std::string access;
  std::string token_file;
  std::string ca_file;
  std::string name;
  std::vector<std::string> labels;
  std::string version;
  int concurrency = 0;
  uint32_t max_held = 0;
  std::string drain_limit;
  std::string journal;
  std::vector<std::string> run;
  std::vector<std::string> shell;
  std::string config;
  std::string log_level = "info";
  std::string log_format = "auto";
};

void Declare(CLI::App& app, Flags& flags) {
  app.add_option(
      "--server", flags.server,
      "Host and port of Inputs, and of Outputs (default $KANTOKU_SERVER, or else that of "
      "--access, or else localhost:6330)");
  app.add_option("--outputs", flags.outputs, "Host and port of Outputs when it is elsewhere");
  app.add_option("--namespace", flags.name_space, "Namespace to work for (default: default)");
  app.add_option("--join", flags.join,
                 "Join a server elsewhere with what `kantoku token create` printed there, or the "
                 "@FILE that holds it (default $KANTOKU_JOIN)");
  app.add_option("--access", flags.access,
                 "File that says why the server is trusted and who one is there (default "
                 "$KANTOKU_ACCESS, or else that of a server of yours on this computer)");
  app.add_option("--ca-file", flags.ca_file,
                 "PEM file: where the certificate of the server may come from");
  app.add_option(
      "--token-file", flags.token_file,
      "File with the access token to show (default $KANTOKU_TOKEN_FILE; $KANTOKU_TOKEN may "
      "be the token itself)");
  app.add_option("--name", flags.name, "Name to be listed under (default: the host's)");
  app.add_option("--label", flags.labels,
                 "What placements of tasks look at: 'gpu=true'; may be given repeatedly")
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
  app.add_option("--program-version", flags.version,
                 "Version of the commands, for placements and lists");
  app.add_option("--concurrency", flags.concurrency,
                 "Commands that run at once (default: one for each processor)");
  app.add_option("--max-held", flags.max_held,
                 "Tasks to hold at once, waiting ones included (default: twice the concurrency)");
  app.add_option("--drain-limit", flags.drain_limit,
                 "How long running commands may take to finish after SIGTERM (default 30s)");
  app.add_option("--journal", flags.journal, "Append a line here at each start and end of a run");
  app.add_option("--run", flags.run, "Run a command for tasks of a type: 'file.sha256=sha256sum'")
      ->type_name("TYPE=COMMAND")
      ->allow_extra_args(false);
  app.add_option("--shell", flags.shell, "As --run, but by /bin/sh: 'text.upper=tr a-z A-Z | rev'")
      ->type_name("TYPE=LINE")
      ->allow_extra_args(false);
  app.add_option("--config", flags.config, "YAML file with all of this and with limits per type");
  app.add_option("--log-level", flags.log_level, "debug, info, warn or error")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}));
  app.add_option("--log-format", flags.log_format,
                 "auto (text on a terminal, else JSON), text, json")
      ->check(CLI::IsMember({"auto", "text", "json"}));
}

// Those whose variables are looked at when it is clear what the command line names.
bool IsOfTarget(const CLI::Option& option) {
  static const std::set<std::string> kNames = {"server", "access", "token-file", "join"};
  return kNames.contains(option.get_lnames().front());
}

// "--max-held" may come from KANTOKU_EXECUTOR_MAX_HELD, as every option but those that may be there
// several times. Arguments win over the environment, which wins over the file.
void DeclareEnvironment(CLI::App& app) {
  for (CLI::Option* const option : app.get_options([](const CLI::Option* each) {
         return !IsOfTarget(*each) && each->get_items_expected_max() == 1;
       })) {
    std::string name = "KANTOKU_EXECUTOR_";
    for (const char c : option->get_lnames().front()) {
      name += c == '-' ? '_' : absl::ascii_toupper(static_cast<unsigned char>(c));
    }
    option->envname(name);
  }
}

// Splits "TYPE=COMMAND" at the first equals sign.
absl::StatusOr<std::pair<std::string, std::string>> SplitRun(const std::string& flag,
                                                             const std::string& text) {
  const size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size()) {
    return Invalid(absl::StrCat(flag, " ", text, ": is not TYPE=COMMAND"));
  }
  return std::pair(text.substr(0, equals), text.substr(equals + 1));
}

// A label on the command line replaces that of the file.
absl::Status TakeLabels(const Flags& flags, ExecutorOptions& executor) {
  for (const std::string& text : flags.labels) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) {
      return Invalid(absl::StrCat("--label ", text, ": is not NAME=VALUE"));
    }
    executor.labels[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return absl::OkStatus();
}

absl::Status ReadFile(const std::string& path, ProgramOptions& options) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return Invalid(absl::StrCat("cannot read ", path));
  return platform::Annotate(ReadProgramConfig(text.str(), options), path);
}

// Of a file, so that others do not see it in the list of processes.
absl::StatusOr<std::string> ReadJoin(const std::string& text) {
  if (text.empty() || text.front() != '@') return text;
  std::ifstream file(text.substr(1));
  std::string line;
  if (std::getline(file, line)) return line;
  return Invalid(absl::StrCat("--join: cannot read ", text.substr(1)));
}

// A command on the command line replaces the command of the file, and keeps the file's limits.
absl::Status TakeCommands(const Flags& flags, ProgramOptions& options) {
  for (const std::string& text : flags.run) {
    KANTOKU_ASSIGN_OR_RETURN(const auto split, SplitRun("--run", text));
    auto words = SplitWords(split.second);
    if (!words.ok()) return platform::Annotate(words.status(), "--run " + split.first);
    options.types[split.first].command = *std::move(words);
  }
  for (const std::string& text : flags.shell) {
    KANTOKU_ASSIGN_OR_RETURN(const auto split, SplitRun("--shell", text));
    options.types[split.first].command = {"/bin/sh", "-c", split.second};
  }
  return absl::OkStatus();
}

// So that `kantoku` in a command finds the server that its task came from.
void TellWhereFrom(const ExecutorOptions& executor, ProcessOptions& process) {
  const auto tell = [&](const std::string& name, const std::string& value) {
    const bool configured =
        std::any_of(process.environment.begin(), process.environment.end(),
                    [&](const auto& variable) { return variable.first == name; });
    if (!configured) process.environment.emplace_back(name, value);
  };
  // What is configured for it to show is what it is to show.
  constexpr std::array kCredentials = {"KANTOKU_ACCESS", "KANTOKU_TOKEN", "KANTOKU_TOKEN_FILE"};
  process.task_token = std::none_of(
      process.environment.begin(), process.environment.end(), [&](const auto& variable) {
        return std::ranges::find(kCredentials, variable.first) != kCredentials.end();
      });
  if (!executor.inputs_address.empty()) tell("KANTOKU_SERVER", executor.inputs_address);
  tell("KANTOKU_NAMESPACE", executor.name_space);
}

std::string FromEnvironment(const char* variable) {
  const char* const value = std::getenv(variable);
  return value != nullptr ? value : "";
}

// Where the server is and who one is there. What the command line names goes over the environment,
// which may be about another server; that goes over the file.
absl::Status TakeTarget(const Flags& flags, ProgramOptions& options) {
  ExecutorOptions& executor = options.executor;
  std::string join_text = flags.join;
  if (join_text.empty() && flags.access.empty() && flags.server.empty()) {
    join_text = FromEnvironment("KANTOKU_JOIN");
  }
  KANTOKU_ASSIGN_OR_RETURN(options.join, ReadJoin(join_text));
  if (!options.join.empty()) {
    const bool says_else = !flags.access.empty() || !flags.server.empty() ||
                           !flags.token_file.empty() || !flags.ca_file.empty() ||
                           !executor.inputs_address.empty() || !executor.outputs_address.empty() ||
                           !executor.access_file.empty() || !executor.token_file.empty() ||
                           !executor.ca_file.empty();
    if (says_else) {
      return Invalid(
          "--join: says where the server is and who one is there; servers, access, token and CA "
          "files on the command line or in the configuration do, too");
    }
    const auto join = platform::ParseJoinString(options.join);
    if (!join.ok()) return Invalid(absl::StrCat("--join: ", join.status().message()));
    executor.inputs_address = join->server;
    return absl::OkStatus();
  }
  const bool is_named = !flags.access.empty();
  const auto take = [](const std::string& value, std::string& field) {
    if (!value.empty()) field = value;
  };
  if (!is_named) {
    take(FromEnvironment("KANTOKU_SERVER"), executor.inputs_address);
    take(FromEnvironment("KANTOKU_ACCESS"), executor.access_file);
    take(FromEnvironment("KANTOKU_TOKEN_FILE"), executor.token_file);
    if (const std::string token = FromEnvironment("KANTOKU_TOKEN");
        !token.empty() && flags.token_file.empty()) {
      executor.token_file.clear();
      executor.token = token;
    }
  }
  take(flags.server, executor.inputs_address);
  take(flags.access, executor.access_file);
  take(flags.token_file, executor.token_file);
  take(flags.ca_file, executor.ca_file);
  // For commands, which are told where their task comes from.
  if (executor.inputs_address.empty() && !executor.access_file.empty()) {
    const auto access = platform::ReadAccessFile(executor.access_file);
    if (access.ok()) executor.inputs_address = access->server;
  }
  return absl::OkStatus();
}

absl::Status Take(const Flags& flags, ProgramOptions& options) {
  if (!flags.config.empty()) KANTOKU_RETURN_IF_ERROR(ReadFile(flags.config, options));
  ExecutorOptions& executor = options.executor;
  if (!flags.outputs.empty()) executor.outputs_address = flags.outputs;
  if (!flags.name_space.empty()) executor.name_space = flags.name_space;
  KANTOKU_RETURN_IF_ERROR(TakeTarget(flags, options));
  if (!flags.name.empty()) executor.name = flags.name;
  if (!flags.version.empty()) executor.version = flags.version;
  KANTOKU_RETURN_IF_ERROR(TakeLabels(flags, executor));
  if (flags.concurrency != 0) executor.concurrency = flags.concurrency;
  if (flags.max_held != 0) executor.max_held = flags.max_held;
  if (!flags.journal.empty()) executor.journal_path = flags.journal;
  if (!flags.drain_limit.empty()) {
    const auto limit = platform::ParseConfigDuration(flags.drain_limit);
    if (!limit.has_value()) {
      return Invalid(absl::StrCat("--drain-limit ", flags.drain_limit,
                                  ": is not a duration such as 30s or 2m"));
    }
    executor.drain_limit = *limit;
  }
  static const std::map<std::string, platform::LogLevel> kLevels = {
      {"debug", platform::LogLevel::kDebug},
      {"info", platform::LogLevel::kInfo},
      {"warn", platform::LogLevel::kWarn},
      {"error", platform::LogLevel::kError}};
  static const std::map<std::string, platform::LogFormat> kFormats = {
      {"auto", platform::LogFormat::kAuto},
      {"text", platform::LogFormat::kText},
      {"json", platform::LogFormat::kJson}};
  options.log = {.level = kLevels.at(flags.log_level), .format = kFormats.at(flags.log_format)};
  KANTOKU_RETURN_IF_ERROR(TakeCommands(flags, options));
  if (options.types.empty()) {
    return Invalid("nothing to run: name a type and its command with --run, --shell or --config");
  }
  for (auto& [type, process] : options.types) TellWhereFrom(executor, process);
  return absl::OkStatus();
}

std::string OneLine(std::string text) {
  for (char& c : text) {
    if (c == '\n') c = ' ';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

}  // namespace

ParsedProgram ParseProgram(std::string_view name, std::vector<std::string> arguments) {
  Flags flags;
  CLI::App app("Runs a command for every task of a type.", std::string(name));
  Declare(app, flags);
  DeclareEnvironment(app);
  ParsedProgram parsed;
  // CLI11 takes them from the back.
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    parsed.print = app.help();
    return parsed;
  } catch (const CLI::Error& error) {
    parsed.print = absl::StrCat(platform::ToAbsl(name), ": ", OneLine(error.what()), "\n");
    parsed.exit_code = 2;
    return parsed;
  }
  if (const absl::Status taken = Take(flags, parsed.options); !taken.ok()) {
    parsed.print = absl::StrCat(platform::ToAbsl(name), ": ",
                                OneLine(std::string(platform::ToStd(taken.message()))), "\n");
    parsed.exit_code = 2;
    return parsed;
  }
  parsed.run = true;
  return parsed;
}

absl::StatusOr<std::vector<std::string>> SplitWords(std::string_view command) {
  std::vector<std::string> words;
  std::optional<std::string> word;
  char quote = 0;
  for (size_t i = 0; i < command.size(); ++i) {
    const char c = command[i];
    const bool escaped = c == '\\' && quote != '\'' && i + 1 < command.size() &&
                         (quote == 0 || command[i + 1] == '"' || command[i + 1] == '\\');
    if (escaped) {
      word = word.value_or("") + command[++i];
    } else if (quote != 0 && c == quote) {
      quote = 0;
    } else if (quote == 0 && (c == '\'' || c == '"')) {
      quote = c;
      word = word.value_or("");
    } else if (quote == 0 && (c == ' ' || c == '\t' || c == '\n')) {
      if (word.has_value()) words.push_back(*std::exchange(word, std::nullopt));
    } else {
      word = word.value_or("") + c;
    }
  }
  if (quote != 0) return Invalid(absl::StrCat("a quote (", std::string(1, quote), ") is open"));
  if (word.has_value()) words.push_back(*std::move(word));
  return words;
}

}  // namespace kantoku::executor
