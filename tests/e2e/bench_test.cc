// `kantoku bench` in small: that it measures, not what.
#include <signal.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "services/platform/postgres/postgres_connection.h"
#include "tests/support/private_postgres.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {
namespace {

struct Ran {
  int code = -1;
  std::string output;
  std::vector<nlohmann::json> lines;  // Those that are JSON.
};

Ran Bench(std::vector<std::string> arguments) {
  std::vector<std::string> argv = {Binary("kantoku"), "bench"};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  const auto process = ChildProcess::Start({.argv = std::move(argv)});
  REQUIRE(process.ok());
  const auto exit = (*process)->AwaitExit();
  Ran ran{.output = (*process)->output()};
  INFO(ran.output);
  REQUIRE(exit.ok());
  ran.code = exit->code.value_or(-1);
  for (const auto& line : absl::StrSplit(ran.output, '\n')) {
    auto json =
        nlohmann::json::parse(line.begin(), line.end(), nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) ran.lines.push_back(std::move(json));
  }
  return ran;
}

constexpr char kFloors[] =
    R"(printf '{"fdatasync_p50_us":50,"store_lifecycles_per_second":1000000,)"
    R"("grpc_ping_pong_p50_us":25,"grpc_echoes_per_second":1000000}')";

TEST_CASE("Every scenario of the bench tells its figures in a line of JSON and a row of a table") {
  const std::vector<std::string> list =
      absl::StrSplit(Bench({"--list"}).output, '\n', absl::SkipEmpty());
  std::vector<std::string> names;
  names.reserve(list.size());
  for (const std::string& line : list) names.push_back(line.substr(0, line.find('\t')));
  REQUIRE(names.size() >= 10);
  const std::string name = GENERATE_COPY(from_range(names));
  std::vector<std::string> arguments = {name,     "--quick",    "--tasks", "50000",    "--backlog",
                                        "100000", "--sessions", "5000",    "--floors", kFloors};
  std::optional<PrivatePostgres> postgres;
  if (name == "replicas") {  // Share a database.
    postgres.emplace();
    arguments.insert(arguments.end(), {"--postgres", postgres->connection()});
  }
  const Ran ran = Bench(std::move(arguments));
  INFO(ran.output);
  CHECK(ran.code == 0);
  REQUIRE(ran.lines.size() == (name.starts_with("growth-") ? 2 : 1));
  for (const nlohmann::json& line : ran.lines) {
    CHECK(line["scenario"] == name);
    CHECK(line["runs"] == 1);
    CHECK(line["floors"]["fdatasync_p50_us"] == 50);
    CHECK(line.size() > 3);
    for (const auto& [figure, value] : line.items()) {
      if (value.is_number()) CHECK(value >= 0);
    }
  }
  CHECK(ran.output.find("\n" + name) != std::string::npos);
}

TEST_CASE("Of a scenario that has sizes the bench tells a line and a row for each") {
  const Ran ran = Bench({"growth-types", "--quick", "--runs", "2"});
  INFO(ran.output);
  REQUIRE(ran.lines.size() == 2);
  CHECK(ran.lines[0]["size"] == 1);
  CHECK(ran.lines[1]["size"] == 10);
  for (const nlohmann::json& line : ran.lines) {
    CHECK(line["runs"] == 2);
    CHECK(line["server_cpu_seconds_per_million"] > 0);
    CHECK(line["least"]["server_cpu_seconds_per_million"] <=
          line["most"]["server_cpu_seconds_per_million"]);
    CHECK(ran.output.find(absl::StrCat("\ngrowth-types ", line["size"].dump(), " ")) !=
          std::string::npos);
  }
}

TEST_CASE("Of several runs the bench tells the median, and what lay farthest from it") {
  const Ran ran = Bench({"throughput", "--quick", "--runs", "3", "--tasks", "50000"});
  INFO(ran.output);
  REQUIRE(ran.lines.size() == 1);
  const nlohmann::json& line = ran.lines.front();
  CHECK(line["least"]["tasks_per_second"] <= line["tasks_per_second"]);
  CHECK(line["tasks_per_second"] <= line["most"]["tasks_per_second"]);
  CHECK_FALSE(line.contains("floors"));
}

TEST_CASE("A figure that has a floor is told in parts of it") {
  const Ran ran = Bench({"throughput", "--quick", "--floors", kFloors});
  INFO(ran.output);
  REQUIRE(ran.lines.size() == 1);
  const double rate = ran.lines.front()["tasks_per_second"];
  CHECK(ran.lines.front()["of_store_floor"].get<double>() == Approx(rate / 1'000'000));
}

TEST_CASE("Through PostgreSQL the bench counts what the database used, and leaves nothing in it") {
  const PrivatePostgres postgres;
  const Ran ran = Bench({"throughput", "--quick", "--postgres", postgres.connection()});
  INFO(ran.output);
  REQUIRE(ran.code == 0);
  REQUIRE(ran.lines.size() == 1);
  const nlohmann::json& line = ran.lines.front();
  const double database = line["database_cpu_seconds_per_million"];
  CHECK(database > 0);
  CHECK(line["cpu_seconds_per_million"].get<double>() > database);
  platform::PostgresConnection session({.connection = postgres.connection()});
  const auto schemas =
      session.Execute("SELECT count(*) FROM pg_catalog.pg_namespace WHERE nspname LIKE 'bench%'");
  REQUIRE(schemas.ok());
  CHECK(schemas->Integer(0, 0) == 0);
}

TEST_CASE("What the bench cannot do it says in one line") {
  const auto [arguments, said, code] = GENERATE(table<std::vector<std::string>, std::string, int>(
      {{{"nothing-such"}, "nothing-such", 2},
       {{"replicas"}, "give --postgres", 2},
       {{"backlog", "--server", "127.0.0.1:1"}, "cannot measure --server", 2},
       {{"throughput", "--floors", "false"}, "false has failed", 1},
       {{"throughput", "--postgres", "host=/nonexistent"}, "No such file or directory", 1},
       {{"throughput", "--postgres", "nonsense"}, "neither keywords and values nor a URI", 2},
       {{"throughput", "--postgres", "host=a", "--server", "b"}, "--server excludes", 2},
       {{"throughput", "--floors", "echo {}"}, "fdatasync_p50_us", 2},
       {{"--runs", "0"}, "--runs", 2}}));
  const Ran ran = Bench(arguments);
  INFO(ran.output);
  CHECK(ran.output.find(said) != std::string::npos);
  CHECK(ran.code == code);
  CHECK(ran.lines.empty());
}

// The command lines of the living processes whose TMPDIR is this directory or one in it.
std::vector<std::string> ProcessesIn(const TempDir& directory) {
  const auto read = [](const std::filesystem::path& file) {
    std::ifstream in(file);
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  std::vector<std::string> found;
  std::error_code ignored;
  for (const auto& process : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string environment = read(process.path() / "environ");
    if (absl::StrContains(environment, absl::StrCat("TMPDIR=", directory.path()))) {
      found.push_back(read(process.path() / "cmdline"));
    }
  }
  return found;
}

// A bench with its server and executor at work, which would go on for long.
std::unique_ptr<ChildProcess> StartEndless(const TempDir& directory) {
  auto process = ChildProcess::Start(
      {.argv = {Binary("kantoku"), "bench", "throughput", "--tasks", "100000000"},
       .env = {{"TMPDIR", directory.path()}}});
  REQUIRE(process.ok());
  const absl::Time until = absl::Now() + kPatience;
  const auto executor = [](const std::string& command) {
    return absl::StrContains(command, "bench-executor");
  };
  while (std::ranges::none_of(ProcessesIn(directory), executor) && absl::Now() < until) {
    std::this_thread::yield();
  }
  REQUIRE(std::ranges::any_of(ProcessesIn(directory), executor));
  return *std::move(process);
}

TEST_CASE("A bench that is interrupted leaves no process and no directory") {
  const int signal = GENERATE(SIGINT, SIGTERM, SIGHUP);
  ::signal(signal, SIG_DFL);  // Where nohup or a shell runs the tests behind, it is ignored.
  const TempDir directory;
  const auto bench = StartEndless(directory);
  CHECK_FALSE(std::filesystem::is_empty(directory.path()));
  bench->Signal(signal);
  const auto exit = bench->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->signal == signal);
  CHECK(ProcessesIn(directory).empty());
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("What a bench has started dies with it when it is killed") {
  const TempDir directory;
  const auto bench = StartEndless(directory);
  bench->Kill();
  const absl::Time until = absl::Now() + kPatience;
  while (!ProcessesIn(directory).empty() && absl::Now() < until) std::this_thread::yield();
  CHECK(ProcessesIn(directory).empty());
}

}  // namespace
}  // namespace kantoku::test
