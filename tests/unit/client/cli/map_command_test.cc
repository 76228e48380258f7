#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/cli/cli_world.h"

// map, over the fake.
namespace kantoku::cli::testing {
namespace {

absl::StatusOr<std::string> Shout(const TaskSpec& spec) {
  if (spec.payload == "bad") return FakeKantoku::FailFinally("HANDLER_FAILED", "no\nway");
  return spec.payload + "!\n";
}

TEST_CASE("map runs a task for each line, and prints results in their order") {
  CliWorld world;
  world.fake.Handle("shout", Shout);
  world.in = "one\ntwo\n\nlast without end";
  const Said said = world.Run({"map", "--type", "shout"});
  CHECK(said.code == 0);
  CHECK(said.out == "line 1\tone!\nline 2\ttwo!\nline 3\t!\nline 4\tlast without end!\n");
  CHECK(said.err.empty());
}

TEST_CASE("map runs a task for each file") {
  CliWorld world;
  world.fake.Handle("shout", Shout);
  const test::TempDir directory;
  std::ofstream(directory.File("a")) << "A";
  std::ofstream(directory.File("b")) << "B";
  const std::vector<std::string> files = {directory.File("b"), directory.File("a")};
  const Said said = world.Run({"map", "--type", "shout", "--attempts", "7", files[0], files[1]});
  CHECK(said.code == 0);
  CHECK(said.out == absl::StrCat(files[0], "\tB!\n", files[1], "\tA!\n"));
  CHECK(world.fake.spawned().at(0).retry->max_attempts == 7);
}

TEST_CASE("map spawns nothing when a file cannot be read") {
  CliWorld world;
  const test::TempDir directory;
  std::ofstream(directory.File("a")) << "A";
  const Said said =
      world.Run({"map", "--type", "shout", directory.File("a"), directory.File("missing")});
  CHECK(said.code == 2);
  CHECK(said.err == absl::StrCat("kantoku: ", directory.File("missing"),
                                 ": No such file or directory "
                                 "(INVALID_ARGUMENT, UNREADABLE_FILE)\n"));
  CHECK(world.fake.spawned().empty());
}

TEST_CASE("map goes on after an item that failed, and exits with 5") {
  CliWorld world;
  world.fake.Handle("shout", Shout);
  world.in = "one\nbad\nthree\n";
  const Said said = world.Run({"map", "--type", "shout"});
  CHECK(said.code == 5);
  CHECK(said.out == "line 1\tone!\nline 3\tthree!\n");
  CHECK(said.err == "kantoku: line 2: failed: HANDLER_FAILED: no way\n");
}

TEST_CASE("map --json prints an object for each item, also for one that failed") {
  CliWorld world;
  world.fake.Handle("shout", Shout);
  world.in = "bad\none\n";
  const Said said = world.Run({"map", "--type", "shout", "--json"});
  CHECK(said.code == 5);
  CHECK(said.err.empty());
  const auto lines = said.out_lines();
  REQUIRE(lines.size() == 2);
  CHECK(Said{.out = lines[0]}.out_fields() ==
        "item task_id status dispatch ended_at data data_base64 content_type error");
  CHECK(nlohmann::json::parse(lines[0])["item"] == "line 1");
  CHECK(nlohmann::json::parse(lines[0])["status"] == "failed");
  CHECK(nlohmann::json::parse(lines[1])["data"] == "one!\n");
}

TEST_CASE("map says which items were not accepted") {
  CliWorld world;
  world.fake.FailNextSpawn(absl::ResourceExhaustedError("inputs is full"));
  world.in = "one\n";
  const Said said = world.Run({"map", "--type", "shout"});
  CHECK(said.code == 1);
  CHECK(said.err == "kantoku: line 1: inputs is full (RESOURCE_EXHAUSTED)\n");
}

TEST_CASE("map shows its progress on a terminal, and neither in a pipe nor with --json") {
  CliWorld world;
  world.fake.Handle("shout", Shout);
  world.in = "one\nbad\n";
  world.err_is_terminal = true;
  const Said said = world.Run({"map", "--type", "shout"});
  CHECK(said.err.find("spawning 2 tasks") != std::string::npos);
  CHECK(said.err.find("2 of 2 done, 1 failed") != std::string::npos);
  // The last of it is wiped away.
  CHECK(said.err.find("\r\x1b[K", said.err.rfind("done")) != std::string::npos);
  CHECK(world.Run({"map", "--type", "shout", "--json"}).err.empty());
  world.err_is_terminal = false;
  world.in = "one\n";
  CHECK(world.Run({"map", "--type", "shout"}).err.empty());
}

TEST_CASE("map of nothing does nothing") {
  CliWorld world;
  const Said said = world.Run({"map", "--type", "shout"});
  CHECK(said.code == 0);
  CHECK(said.out.empty());
  CHECK(world.fake.spawned().empty());
}

}  // namespace
}  // namespace kantoku::cli::testing
