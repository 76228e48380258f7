#include "services/executor-runtime/program_options.h"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

using Words = std::vector<std::string>;

TEST_CASE("Words are split as a shell splits them, and nothing is expanded") {
  CHECK(SplitWords("sha256sum").value() == Words{"sha256sum"});
  CHECK(SplitWords("  a\tb \n c ").value() == Words{"a", "b", "c"});
  CHECK(SplitWords("cut -d ' ' -f \"1 2\"").value() == Words{"cut", "-d", " ", "-f", "1 2"});
  CHECK(SplitWords("a\\ b '\\' \"\\\"\\\\\\n\"").value() == Words{"a b", "\\", "\"\\\\n"});
  CHECK(SplitWords("x''y \"\"").value() == Words{"xy", ""});
  CHECK(SplitWords("$HOME *").value() == Words{"$HOME", "*"});
  CHECK(SplitWords("").value().empty());
}

TEST_CASE("An open quote is refused") {
  CHECK(SplitWords("a 'b").status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(SplitWords("a \"b").status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("A command line names addresses and commands") {
  const ParsedProgram parsed = ParseProgram("x", {"--server",
                                                  "far:1",
                                                  "--outputs=near:2",
                                                  "--namespace",
                                                  "lab",
                                                  "--name",
                                                  "scope",
                                                  "--concurrency",
                                                  "3",
                                                  "--max-held",
                                                  "9",
                                                  "--drain-limit",
                                                  "5s",
                                                  "--journal",
                                                  "/j",
                                                  "--label",
                                                  "gpu=true",
                                                  "--label",
                                                  "note=a=b",
                                                  "--program-version",
                                                  "2.1",
                                                  "--run",
                                                  "a=cut -d ' ' -f1",
                                                  "--shell",
                                                  "b=tr a-z A-Z | rev",
                                                  "--log-level",
                                                  "debug"});
  REQUIRE(parsed.run);
  const ExecutorOptions& executor = parsed.options.executor;
  CHECK(executor.inputs_address == "far:1");
  CHECK(executor.outputs_address == "near:2");
  CHECK(executor.name_space == "lab");
  CHECK(executor.name == "scope");
  CHECK(executor.concurrency == 3);
  CHECK(executor.max_held == 9);
  CHECK(executor.drain_limit == absl::Seconds(5));
  CHECK(executor.journal_path == "/j");
  CHECK(executor.labels == std::map<std::string, std::string>{{"gpu", "true"}, {"note", "a=b"}});
  CHECK(executor.version == "2.1");
  CHECK(parsed.options.types.at("a").command == Words{"cut", "-d", " ", "-f1"});
  CHECK(parsed.options.types.at("b").command == Words{"/bin/sh", "-c", "tr a-z A-Z | rev"});
  CHECK(parsed.options.log.level == platform::LogLevel::kDebug);
}

TEST_CASE("The environment overrides the file, and arguments override the environment") {
  const std::string path = absl::StrCat("/tmp/kantoku-program-options-", getpid());
  std::ofstream(path) << "name: file\nnamespace: file\nmax_held: 1\ntypes: {a: {command: b}}\n";
  setenv("KANTOKU_EXECUTOR_CONFIG", path.c_str(), 1);
  setenv("KANTOKU_EXECUTOR_NAME", "environment", 1);
  setenv("KANTOKU_EXECUTOR_MAX_HELD", "2", 1);
  const ParsedProgram parsed = ParseProgram("x", {"--max-held", "3"});
  for (const char* name : {"CONFIG", "NAME", "MAX_HELD"}) {
    unsetenv(absl::StrCat("KANTOKU_EXECUTOR_", name).c_str());
  }
  unlink(path.c_str());
  REQUIRE(parsed.run);
  CHECK(parsed.options.executor.name_space == "file");
  CHECK(parsed.options.executor.name == "environment");
  CHECK(parsed.options.executor.max_held == 3);
}

TEST_CASE("A wrong value in the environment is one line that names it") {
  setenv("KANTOKU_EXECUTOR_CONCURRENCY", "many", 1);
  const ParsedProgram parsed = ParseProgram("x", {"--run", "a=b"});
  unsetenv("KANTOKU_EXECUTOR_CONCURRENCY");
  CHECK(parsed.exit_code == 2);
  CHECK(parsed.print.find("many") != std::string::npos);
}

TEST_CASE("Help goes to standard output and is no error") {
  const ParsedProgram parsed = ParseProgram("kantoku-executor", {"--help"});
  CHECK_FALSE(parsed.run);
  CHECK(parsed.exit_code == 0);
  CHECK(parsed.print.find("--run") != std::string::npos);
}

TEST_CASE("A wrong command line is one line and exit code 2") {
  const auto [arguments, word] = GENERATE(table<Words, std::string>({
      {Words{}, "nothing to run"},
      {Words{"--nonsense"}, "--nonsense"},
      {Words{"--run", "no-equals-sign"}, "TYPE=COMMAND"},
      {Words{"--run", "=x"}, "TYPE=COMMAND"},
      {Words{"--run", "a=b", "--label", "gpu"}, "--label gpu: is not NAME=VALUE"},
      {Words{"--run", "a=b", "--label", "=x"}, "NAME=VALUE"},
      {Words{"--run", "a='b"}, "--run a: a quote"},
      {Words{"--run", "a=b", "--concurrency", "many"}, "--concurrency"},
      {Words{"--run", "a=b", "--drain-limit", "soon"}, "--drain-limit soon"},
      {Words{"--run", "a=b", "--log-level", "loud"}, "--log-level"},
      {Words{"--config", "/nowhere.yaml"}, "/nowhere.yaml"},
  }));
  const ParsedProgram parsed = ParseProgram("x", arguments);
  CHECK_FALSE(parsed.run);
  CHECK(parsed.exit_code == 2);
  CHECK(parsed.print.find(word) != std::string::npos);
  CHECK(std::count(parsed.print.begin(), parsed.print.end(), '\n') == 1);
}

TEST_CASE("A file says all that arguments can, and limits for each type") {
  ProgramOptions options;
  const absl::Status status = ReadProgramConfig(R"(
server: far:1
outputs: near:2
namespace: lab
name: scope
concurrency: 3
max_held: 9
drain_limit: 1m30s
journal: /j
types:
  a:
    command: [cut, -d, ' ']
    content_type: text/plain
    final_exit_codes: [2, 3]
    directory: /usr
    environment: {LC_ALL: C, N: 1}
    time_limit: 30s
    memory_limit: 512MiB
    max_output: 1MiB
    items: lines
    checkpoint: file
    kill_after: 500ms
  b: {shell: 'tr a-z A-Z | rev'}
  c: {command: cat -n}
)",
                                                options);
  REQUIRE(status.ok());
  CHECK(options.executor.inputs_address == "far:1");
  CHECK(options.executor.drain_limit == absl::Seconds(90));
  CHECK(options.executor.max_held == 9);
  const ProcessOptions& a = options.types.at("a");
  CHECK(a.command == Words{"cut", "-d", " "});
  CHECK(a.content_type == "text/plain");
  CHECK(a.final_exit_codes == std::vector<int>{2, 3});
  CHECK(a.directory == "/usr");
  CHECK(a.environment ==
        std::vector<std::pair<std::string, std::string>>{{"LC_ALL", "C"}, {"N", "1"}});
  CHECK(a.time_limit == absl::Seconds(30));
  CHECK(a.memory_limit == uint64_t{512} << 20);
  CHECK(a.max_output == uint64_t{1} << 20);
  CHECK(a.kill_after == absl::Milliseconds(500));
  CHECK(a.lines_are_items);
  CHECK_FALSE(options.types.at("b").lines_are_items);
  CHECK(a.checkpoint_file);
  CHECK_FALSE(options.types.at("b").checkpoint_file);
  CHECK(options.types.at("b").command == Words{"/bin/sh", "-c", "tr a-z A-Z | rev"});
  CHECK(options.types.at("c").command == Words{"cat", "-n"});
}

TEST_CASE("An empty file says nothing") {
  ProgramOptions options;
  CHECK(ReadProgramConfig("", options).ok());
}

TEST_CASE("A wrong file is refused with the field's name") {
  const auto [text, word] = GENERATE(table<std::string, std::string>({
      {"[1, 2]", "the file"},
      {"servre: x", "servre: unknown field"},
      {"types: {a: {command: x, items: bytes}}", "types.a.items: is not lines"},
      {"types: {a: {command: x, checkpoint: pipe}}", "types.a.checkpoint: is not file"},
      {"server: [x]", "server: is not a text"},
      {"concurrency: many", "concurrency: is not a whole number"},
      {"max_held: -1", "max_held: is not a whole number"},
      {"drain_limit: soon", "drain_limit: is not a duration"},
      {"types: 3", "types: is not a map"},
      {"labels: [gpu]", "labels: is not a map"},
      {"labels: {gpu: [1]}", "labels.gpu: is not a text"},
      {"types: {a: {}}", "types.a: has no command"},
      {"types: {a: {command: x, shell: y}}", "types.a: has a command and a shell"},
      {"types: {a: {command: {x: y}}}", "types.a.command"},
      {"types: {a: {command: \"'x\"}}", "types.a.command: a quote"},
      {"types: {a: {command: x, memory: 1}}", "types.a.memory: unknown field"},
      {"types: {a: {command: x, memory_limit: lots}}", "types.a.memory_limit: is not a size"},
      {"types: {a: {command: x, final_exit_codes: 3}}", "types.a.final_exit_codes"},
      {"types: {a: {command: x, environment: {'A=B': c}}}", "types.a.environment"},
      {"server: 'open", "line 1"},
  }));
  ProgramOptions options;
  const absl::Status status = ReadProgramConfig(text, options);
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(std::string(platform::ToStd(status.message())).find(word) != std::string::npos);
}

TEST_CASE("A command for which credentials are configured shows these, and no task token") {
  const auto [variable, gets_one] =
      GENERATE(table<std::string, bool>({{"LC_ALL", true},
                                         {"KANTOKU_SERVER", true},
                                         {"KANTOKU_ACCESS", false},
                                         {"KANTOKU_TOKEN", false},
                                         {"KANTOKU_TOKEN_FILE", false}}));
  char path[] = "/tmp/kantoku-executor-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "types: {a: {command: x, environment: {" << variable << ": y}}}\n";
  const ParsedProgram parsed = ParseProgram("x", {"--config", path});
  std::remove(path);
  REQUIRE(parsed.run);
  CHECK(parsed.options.types.at("a").task_token == gets_one);
}

TEST_CASE("Arguments win over the file and keep its limits") {
  char path[] = "/tmp/kantoku-executor-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << "server: far:1\nname: file\ntypes: {a: {command: x, time_limit: 7s}}\n"
                         "labels: {gpu: \"true\", zone: a}\nversion: 1\n";
  const ParsedProgram parsed =
      ParseProgram("x", {"--config", path, "--name", "line", "--run", "a=y", "--label", "zone=b"});
  std::remove(path);
  REQUIRE(parsed.run);
  CHECK(parsed.options.executor.inputs_address == "far:1");
  CHECK(parsed.options.executor.name == "line");
  CHECK(parsed.options.executor.labels ==
        std::map<std::string, std::string>{{"gpu", "true"}, {"zone", "b"}});
  CHECK(parsed.options.executor.version == "1");
  CHECK(parsed.options.types.at("a").command == Words{"y"});
  CHECK(parsed.options.types.at("a").time_limit == absl::Seconds(7));
}

// What the environment says, for as long as it lasts.
class Variables {
 public:
  Variables() {
    for (const auto& [name, value] : kAll) ::setenv(name, value, 1);
  }
  ~Variables() {
    for (const auto& [name, value] : kAll) ::unsetenv(name);
  }
  Variables(const Variables&) = delete;
  Variables& operator=(const Variables&) = delete;

 private:
  static constexpr std::pair<const char*, const char*> kAll[] = {
      {"KANTOKU_SERVER", "env:1"}, {"KANTOKU_ACCESS", "env.json"}, {"KANTOKU_TOKEN", "env-token"}};
};

TEST_CASE(
    "The environment says where the server is and who one is there, unless an access is named") {
  const Variables variables;
  const auto from_env = ParseProgram("x", {"--run", "a=b"}).options.executor;
  CHECK(from_env.inputs_address == "env:1");
  CHECK(from_env.access_file == "env.json");
  CHECK(from_env.token == "env-token");
  const auto named = ParseProgram("x", {"--run", "a=b", "--access", "lab.json"}).options.executor;
  CHECK(named.inputs_address.empty());
  CHECK(named.access_file == "lab.json");
  CHECK(named.token.empty());
  const auto file = ParseProgram("x", {"--run", "a=b", "--token-file", "t"}).options.executor;
  CHECK(file.token_file == "t");
  CHECK(file.token.empty());
}

TEST_CASE(
    "A join string says where the server is, whatever the environment does, and nothing beside "
    "it") {
  const Variables variables;
  const std::string secret(43, 's');
  const std::string join =
      absl::StrCat("kantoku1.0123456789abcdef.", secret, ".", std::string(42, 'A'), "A@lab:6330");
  const ParsedProgram joins = ParseProgram("x", {"--run", "a=b", "--join", join});
  REQUIRE(joins.run);
  CHECK(joins.options.join == join);
  CHECK(joins.options.executor.inputs_address == "lab:6330");
  CHECK(joins.options.executor.access_file.empty());
  CHECK(joins.options.executor.token.empty());
  for (const char* const option : {"--server", "--access", "--token-file", "--ca-file"}) {
    CAPTURE(option);
    const ParsedProgram both = ParseProgram("x", {"--run", "a=b", "--join", join, option, "y"});
    CHECK(both.exit_code == 2);
    CHECK_THAT(both.print, Catch::Contains("--join: says where the server is"));
  }
  ::setenv("KANTOKU_JOIN", join.c_str(), 1);
  CHECK(ParseProgram("x", {"--run", "a=b"}).options.join == join);
  CHECK(ParseProgram("x", {"--run", "a=b", "--server", "y:1"}).options.join.empty());
  ::unsetenv("KANTOKU_JOIN");
  const ParsedProgram cut = ParseProgram("x", {"--run", "a=b", "--join", join.substr(0, 60)});
  CHECK(cut.exit_code == 2);
  CHECK_THAT(cut.print, !Catch::Contains("sss"));
}

}  // namespace
}  // namespace kantoku::executor
