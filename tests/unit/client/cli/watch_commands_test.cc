#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/unit/client/cli/cli_world.h"

// events, over the fake.
namespace kantoku::cli::testing {
namespace {

TEST_CASE("events prints what happened, a line each") {
  CliWorld world;
  world.fake.Handle("echo", [](const TaskSpec& spec) { return spec.payload; });
  const std::string id = world.Spawn({"echo"});
  const Said said = world.Run({"events"});
  CHECK(said.code == 0);
  const std::string at = "2026-01-01T00:00:00.000Z  ";
  CHECK(said.out == absl::StrCat(at, "task.created            ", id, "  echo\n",  //
                                 at, "task.started            ", id, "  echo\n",  //
                                 at, "task.finished           ", id, "  echo\n"));
}

TEST_CASE("events filters by type and task, and stops at its limit") {
  CliWorld world;
  const std::string first = world.Spawn({"t"});
  world.Spawn({"t"});
  world.Run({"cancel", first});
  CHECK(world.Run({"events"}).out_lines().size() == 3);
  CHECK(world.Run({"events", "--type", "task.finished"}).out_lines().size() == 1);
  CHECK(world.Run({"events", "--type", "task.c*,task.finished"}).out_lines().size() == 3);
  CHECK(world.Run({"events", "--task", first}).out_lines().size() == 2);
  CHECK(world.Run({"events", "--limit", "2"}).out_lines().size() == 2);
  CHECK(world.Run({"events", "--task", "none"}).code == 2);
}

TEST_CASE("events --json gives positions to go on from, in pages and in a stream") {
  CliWorld world;
  world.Spawn({"a"});
  world.Spawn({"b"});
  const Said first = world.Run({"events", "--limit", "1", "--json"});
  CHECK(first.out_fields() ==
        "position type at namespace task_id task_type owner dispatch session_id details");
  const auto json = nlohmann::json::parse(first.out);
  CHECK(json["type"] == "task.created");
  CHECK(json["details"] == nlohmann::json::object());
  const std::string position = json["position"];
  const Said next = world.Run({"events", "--after", position, "--json"});
  CHECK(nlohmann::json::parse(next.out)["task_type"] == "b");
  const Said stream = world.Run({"events", "-f", "--after", position, "--limit", "1", "--json"});
  CHECK(stream.code == 0);
  CHECK(stream.out == next.out);
}

TEST_CASE("events reads more than one page") {
  CliWorld world;
  const std::vector<Task> tasks(2'100, Task("t"));
  REQUIRE(world.fake.Connect().SpawnBatch(tasks).size() == 2'100);
  CHECK(world.Run({"events"}).out_lines().size() == 2'100);
}

TEST_CASE("events with a position that is none exits with 2") {
  CliWorld world;
  const Said said = world.Run({"events", "--after", "nowhere"});
  CHECK(said.code == 2);
  CHECK(said.err ==
        "kantoku: after: 'nowhere' is no position (INVALID_ARGUMENT, INVALID_POSITION)\n");
}

}  // namespace
}  // namespace kantoku::cli::testing
