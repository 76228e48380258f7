#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "kantoku/status.h"
#include "tests/unit/client/cli/cli_world.h"

// restart, over the fake.
namespace kantoku::cli::testing {
namespace {

// A world with a handler that fails for good, and what it failed.
struct Broken {
  Broken() {
    world.fake.Handle("broken", [](const TaskSpec&) -> absl::StatusOr<std::string> {
      return FakeKantoku::FailFinally("NO_FILE", "gone");
    });
  }
  CliWorld world;
};

TEST_CASE("restart prints the new task of each, and the same again when it is asked twice") {
  Broken broken;
  const std::string dead = broken.world.Spawn({"broken"});
  const Said said = broken.world.Run({"restart", dead, "--json"});
  CHECK(said.code == 0);
  CHECK(said.out_fields() == "task_id new_task_id created");
  const auto json = nlohmann::json::parse(said.out);
  CHECK(json["task_id"] == dead);
  CHECK(json["created"] == true);
  const std::string id = json["new_task_id"];
  CHECK(broken.world.Run({"restart", dead}).out ==
        dead + "  was restarted before, as " + id + "\n");
  CHECK(broken.world.Run({"restart", id}).out.starts_with(id + "  restarted as "));
  const auto info = nlohmann::json::parse(broken.world.Run({"get", id, "--json"}).out);
  CHECK(info["restarted_from"] == dead);
}

TEST_CASE("restart of what lives says why not") {
  Broken broken;
  const std::string living = broken.world.Spawn({"waits"});
  const Said said = broken.world.Run({"restart", living});
  CHECK(said.code == 1);
  CHECK(said.err.find("TASK_LIVES") != std::string::npos);
}

TEST_CASE("restart --all restarts what is left over, and with --dry-run nothing") {
  Broken broken;
  for (int i = 0; i < 3; ++i) broken.world.Spawn({"broken"});
  broken.world.fake.AdvanceTime(absl::Hours(3));
  const std::string young = broken.world.Spawn({"broken"});
  const Said dry = broken.world.Run({"restart", "--all", "--younger", "1h", "--dry-run"});
  CHECK(dry.out == young + "  would be restarted\n");
  CHECK(dry.err == "1 match\n");
  CHECK(broken.world.Run({"restart", "--all", "--type", "other"}).err ==
        "0 restarted, of 0 that match\n");
  const Said said =
      broken.world.Run({"restart", "--all", "--reason", "NO_FILE", "--state", "failed"});
  CHECK(said.code == 0);
  CHECK(said.err == "4 restarted, of 4 that match\n");
}

TEST_CASE("restart wants either ids or --all") {
  Broken broken;
  CHECK(broken.world.Run({"restart"}).code == 2);
  const std::string dead = broken.world.Spawn({"broken"});
  CHECK(broken.world.Run({"restart", dead, "--all"}).code == 2);
  CHECK(broken.world.Run({"restart", dead, "--type", "broken"}).code == 2);
  CHECK(broken.world.Run({"restart", "--all", "--state", "running"}).code == 2);
  CHECK(broken.world.Run({"restart", "--all", "--younger", "soon"}).code == 2);
}

}  // namespace
}  // namespace kantoku::cli::testing
