#include "client/cli/cli.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/client/cli/cli_world.h"

// What holds for all commands.
namespace kantoku::cli::testing {
namespace {

constexpr char kUnknownId[] = "01900000-0000-7000-8000-000000000001";

// Every command that talks to a server.
std::vector<std::vector<std::string>> ServerCommands() {
  return {{"spawn", "t"},         {"await", kUnknownId},  {"get", kUnknownId},   {"list"},
          {"cancel", kUnknownId}, {"executors"},          {"route", "list"},     {"events"},
          {"events", "--follow"}, {"map", "--type", "t"}, {"stream", kUnknownId}};
}

std::vector<std::string> With(std::vector<std::string> arguments,
                              const std::vector<std::string>& more) {
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

TEST_CASE("The exit codes of --help are those of the README") {
  std::ifstream file(absl::StrCat(KANTOKU_SOURCE_DIR, "/client/cli/README.md"));
  const std::string readme(std::istreambuf_iterator<char>(file), {});
  CliWorld world;
  const Said help = world.Run({"--help"});
  CHECK(help.code == 0);
  for (const ExitCodeMeaning& line : ExitCodes()) {
    const std::string code = std::to_string(static_cast<int>(line.code));
    const std::string meaning(line.meaning);
    INFO(code);
    CHECK(readme.find(absl::StrCat("| ", code, " | ", meaning, " |\n")) != std::string::npos);
    CHECK(help.out.find(absl::StrCat("  ", code, std::string(5 - code.size(), ' '), meaning)) !=
          std::string::npos);
  }
}

TEST_CASE("Every command has help, and --json") {
  CliWorld world;
  for (const std::string command :
       {"spawn", "await", "stream", "get", "list", "cancel", "executors", "route", "events", "map",
        "version", "completion"}) {
    const Said said = world.Run({command, "--help"});
    INFO(command);
    CHECK(said.code == 0);
    CHECK(said.out.find("--json") != std::string::npos);
  }
}

TEST_CASE("Without a command there is help on standard error, and exit code 2") {
  CliWorld world;
  const Said said = world.Run({});
  CHECK(said.code == 2);
  CHECK(said.out.empty());
  CHECK(said.err.find("kantoku up") != std::string::npos);
}

TEST_CASE("A command that does not exist is told in one line") {
  CliWorld world;
  for (const std::string word : {"spwan", "--verbose"}) {
    const Said said = world.Run({word});
    CHECK(said.code == 2);
    CHECK(said.err == "kantoku: there is no such command or option; see kantoku --help\n");
  }
}

TEST_CASE("The version is printed by a flag and by a command") {
  CliWorld world;
  const Said flag = world.Run({"--version"});
  CHECK(flag.code == 0);
  CHECK(flag.out.starts_with("kantoku 0."));
  CHECK(world.Run({"version"}).out == flag.out);
  const Said json = world.Run({"version", "--json"});
  CHECK(json.out_fields() == "version");
  CHECK("kantoku " + std::string(nlohmann::json::parse(json.out)["version"]) + "\n" == flag.out);
}

TEST_CASE("A server that cannot be reached is one line with its address, and exit code 6") {
  CliWorld world;
  const auto connection = std::make_shared<RefusingConnection>(absl::InternalError("never asked"));
  connection->reachable = false;
  world.connection = connection;
  world.in = "line\n";
  for (const auto& command : ServerCommands()) {
    const Said said = world.Run(With(command, {"--server", "nowhere:1"}));
    INFO(command[0]);
    CHECK(said.code == 6);
    CHECK(said.out.empty());
    CHECK(said.err ==
          "kantoku: no server answers at nowhere:1; start one with `kantoku up`, or name another "
          "with --server (UNAVAILABLE, UNREACHABLE)\n");
  }
}

TEST_CASE("What a server refuses is one line and the exit code of its status, for every command") {
  const std::vector<std::pair<absl::StatusCode, int>> codes = {
      {absl::StatusCode::kInvalidArgument, 2},    {absl::StatusCode::kOutOfRange, 2},
      {absl::StatusCode::kNotFound, 3},           {absl::StatusCode::kDeadlineExceeded, 4},
      {absl::StatusCode::kUnavailable, 6},        {absl::StatusCode::kResourceExhausted, 1},
      {absl::StatusCode::kFailedPrecondition, 1}, {absl::StatusCode::kInternal, 1}};
  for (const auto& [code, exit_code] : codes) {
    CliWorld world;
    world.connection = std::make_shared<RefusingConnection>(absl::Status(code, "it said\nno"));
    for (const auto& command : ServerCommands()) {
      world.in = "line\n";
      const Said said = world.Run(command);
      INFO(command[0] << " " << said.err);
      CHECK(said.code == exit_code);
      CHECK(said.out.empty());
      const std::string about = command[0] == "map" ? "line 1: " : "";
      CHECK(said.err == absl::StrCat("kantoku: ", about, "it said no (",
                                     absl::StatusCodeToString(code), ")\n"));
      const Said json = world.Run(With(command, {"--json"}));
      CHECK(json.code == exit_code);
      const auto error = nlohmann::ordered_json::parse(json.err);
      CHECK(error.size() == 3);
      CHECK(error["error"] == absl::StatusCodeToString(code));
      CHECK(error["reason"].is_null());
      CHECK(error["message"] == about + "it said\nno");
    }
  }
}

TEST_CASE("The time-out is a number of seconds or a duration, and reaches the server") {
  CliWorld world;
  const auto connection = std::make_shared<RefusingConnection>(absl::NotFoundError("no"));
  world.connection = connection;
  const std::vector<std::pair<std::string, absl::Duration>> cases = {
      {"90", absl::Seconds(90)}, {"1m30s", absl::Seconds(90)}, {"0.5h", absl::Minutes(30)}};
  for (const auto& [text, timeout] : cases) {
    INFO(text);
    world.Run({"get", kUnknownId, "--timeout", text});
    CHECK(connection->timeout <= timeout);
    CHECK(connection->timeout > timeout - absl::Seconds(60));
  }
  world.Run({"get", kUnknownId});
  CHECK(connection->timeout == absl::InfiniteDuration());
  world.Run({"get", kUnknownId, "--timeout", "0"});
  CHECK(connection->timeout == absl::InfiniteDuration());
  for (const std::string text : {"soon", "-1", "nan"}) {
    const Said said = world.Run({"get", kUnknownId, "--timeout=" + text});
    INFO(said.err);
    CHECK(said.code == 2);
    CHECK(said.err == absl::StrCat("kantoku get: --timeout: \"", text,
                                   "\" is no time such as 30, 500ms or 1m30s; see kantoku get "
                                   "--help\n"));
  }
}

TEST_CASE("The command line goes over the environment, which goes over the defaults") {
  CliWorld world;
  world.Run({"list"});
  CHECK(world.address.empty());  // As the library chooses.
  CHECK(world.options.namespace_name == "default");
  ::setenv("KANTOKU_SERVER", "env:1", 1);
  ::setenv("KANTOKU_NAMESPACE", "lab", 1);
  world.Run({"list"});
  CHECK(world.address == "env:1");
  CHECK(world.options.namespace_name == "lab");
  world.Run({"list", "--server", "flag:1", "--namespace", "mine"});
  ::unsetenv("KANTOKU_SERVER");
  ::unsetenv("KANTOKU_NAMESPACE");
  CHECK(world.address == "flag:1");
  CHECK(world.options.namespace_name == "mine");
}

TEST_CASE("A script for completion names all commands and options") {
  CliWorld world;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Said said = world.Run({"completion", shell});
    INFO(shell);
    CHECK(said.code == 0);
    for (const std::string word : {"spawn", "events", "completion", "reference", "follow"}) {
      CHECK(said.out.find(word) != std::string::npos);
    }
    const Said json = world.Run({"completion", shell, "--json"});
    CHECK(json.out_fields() == "shell script");
    CHECK(nlohmann::json::parse(json.out)["script"] == said.out);
  }
  const Said wrong = world.Run({"completion", "tcsh"});
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find('\n') == wrong.err.size() - 1);
}

}  // namespace
}  // namespace kantoku::cli::testing
