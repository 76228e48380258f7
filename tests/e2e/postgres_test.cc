// `kantoku up` whose services keep everything in PostgreSQL.
#include <grpcpp/client_context.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/grpc_status.h"
#include "tests/chaos/work.h"
#include "tests/e2e/up.h"
#include "tests/support/health_check.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

struct Ran {
  int code = -1;
  std::string said;

  // What is neither an event of the log nor empty.
  std::string plainly() const {
    std::string lines;
    for (size_t begin = 0, end; (end = said.find('\n', begin)) != std::string::npos;
         begin = end + 1) {
      if (said[begin] != '{') lines += said.substr(begin, end + 1 - begin);
    }
    return lines;
  }
};

Ran Run(const std::string& command, const std::string& data,
        const std::vector<std::string>& settings) {
  std::vector<std::string> argv = {Binary("kantoku"), command,      "--data", data,
                                   "--listen",        "127.0.0.1:0"};
  for (const std::string& setting : settings) argv.insert(argv.end(), {"--set", setting});
  const auto child = ChildProcess::Start({.argv = argv});
  REQUIRE(child.ok());
  const auto exit = (*child)->AwaitExit();
  REQUIRE(exit.ok());
  return {.code = exit->code.value_or(-1), .said = (*child)->output()};
}

TEST_CASE("A server starts on tables that kantoku migrate has made and says so without") {
  PrivatePostgres postgres;
  const TempDir directory;
  const auto settings = StoresOnPostgres(postgres.connection(), false);
  const Ran refused = Run("up", directory.File("data"), settings);
  CHECK(refused.code == 1);
  const std::string line = refused.plainly();
  CHECK_THAT(line, Catch::StartsWith("kantoku up: ") && Catch::Contains("kantoku migrate"));
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);

  const Ran first = Run("migrate", directory.File("data"), settings);
  CHECK(first.code == 0);
  CHECK(first.said == "inputs: 3 steps\noutputs: 2 steps\nevents: 2 steps\n");
  const Ran second = Run("migrate", directory.File("data"), settings);
  CHECK(second.code == 0);
  CHECK(second.said == "inputs: up to date\noutputs: up to date\nevents: up to date\n");

  const Up up({.settings = settings});
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(up.Spawn(20));
}

TEST_CASE("A server that cannot reach its database does not start and says why in one line") {
  PrivatePostgres postgres;
  postgres.Crash();
  const TempDir directory;
  for (const std::string command : {"up", "migrate"}) {
    const Ran ran = Run(command, directory.File("data"), StoresOnPostgres(postgres.connection()));
    CHECK(ran.code == 1);
    const std::string line = ran.plainly();
    CHECK_THAT(line, Catch::StartsWith("kantoku " + command + ": ") &&
                         Catch::Contains("connection to server"));
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  }
}

TEST_CASE("A password in the configuration is refused and never printed") {
  const TempDir directory;
  const Ran ran = Run("up", directory.File("data"),
                      {"inputs.store.postgres.connection=postgresql://me:hush-hush@db/kantoku"});
  CHECK(ran.code == 2);
  CHECK_THAT(ran.said, Catch::Contains("inputs.store.postgres.connection: has a password"));
  CHECK_THAT(ran.said, !Catch::Contains("hush-hush"));
}

TEST_CASE("Tasks outlive kill -9 of the server and crashes of its database") {
  PrivatePostgres postgres({"fsync=on"});
  Up up({.settings = StoresOnPostgres(postgres.connection())});
  std::vector<TaskId> tasks = up.Spawn(300);  // Nobody is there yet.
  up.process().Signal(SIGKILL);
  REQUIRE(up.process().AwaitExit().ok());
  up.Restart();

  const auto executor = up.StartHonestExecutor();
  const auto a_few_are_done = [&] {
    const auto page = up.Connect().List({.states = {TaskState::kSucceeded}, .page_size = 10});
    return page.ok() && page->tasks.size() == 10;
  };
  REQUIRE(Becomes(a_few_are_done));
  postgres.Crash();
  postgres.Start();
  REQUIRE(Becomes(a_few_are_done));
  up.process().Signal(SIGKILL);
  REQUIRE(up.process().AwaitExit().ok());
  up.Restart();
  up.CheckHonestResults(tasks);

  const auto more = up.Spawn(100);
  postgres.Crash();
  postgres.Start();
  up.CheckHonestResults(more);
}

// In plain gRPC, where nothing is repeated by itself.
absl::Status SpawnOnce(const Up& up) {
  inputs::v1::SpawnRequest request;
  request.set_request_id("once");
  request.add_specs()->set_type("nobody.runs.this");
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
  inputs::v1::SpawnResponse response;
  return platform::FromGrpc(
      inputs::v1::InputsService::NewStub(up.Channel())->Spawn(&context, request, &response));
}

TEST_CASE("While the database is away spawns are unavailable, and tasks under way wait for it") {
  PrivatePostgres postgres({"fsync=on"});
  const Up up({.settings = StoresOnPostgres(postgres.connection())});
  const std::vector<TaskId> tasks = up.Spawn(100);  // Nobody is there yet.
  postgres.Crash();
  const absl::Status away = SpawnOnce(up);
  CAPTURE(away.ToString());
  CHECK(away.code() == absl::StatusCode::kUnavailable);
  CHECK(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "NOT_SERVING"; }));

  postgres.Start();
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(tasks);
  CHECK(Becomes([&] { return HealthOf(up.Channel(), "inputs") == "SERVING"; }));
  CHECK(SpawnOnce(up).ok());
}

TEST_CASE("Of two servers on the same tables the later one works on and the earlier one does not") {
  PrivatePostgres postgres;
  const Up earlier({.settings = StoresOnPostgres(postgres.connection())});
  const auto tasks = earlier.Spawn(20);
  const Up later({.settings = StoresOnPostgres(postgres.connection(), false)});
  const auto executor = later.StartHonestExecutor();
  later.CheckHonestResults(tasks);
  const auto refused =
      earlier.Connect().Spawn(Task(kWorkType, PayloadOf(0)), {.timeout = absl::Seconds(1)});
  CHECK_FALSE(refused.ok());
  CHECK(HealthOf(earlier.Channel(), "inputs") == "NOT_SERVING");
}

}  // namespace
}  // namespace kantoku::test
