#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/client/cli/cli_world.h"

// Info and contexts on the command line, over the fake.
namespace kantoku::cli::testing {
namespace {

nlohmann::json Get(CliWorld& world, const std::string& id) {
  return nlohmann::json::parse(world.Run({"get", id, "--json"}).out);
}

TEST_CASE("spawn gives info and a context, and get shows them") {
  CliWorld world;
  const std::string id =
      world.Spawn({"x", "--info", "customer=acme", "--info", "formula=a=b", "--context", "run 7"});
  const auto info = Get(world, id);
  CHECK(info["info"] == nlohmann::json({{"customer", "acme"}, {"formula", "a=b"}}));
  CHECK(info["context_id"] == "run 7");
  CHECK(info["info_revision"] == 0);
  const std::string text = world.Run({"get", id}).out;
  CHECK(text.find("context    run 7\n") != std::string::npos);
  CHECK(text.find("info       customer=acme formula=a=b\n") != std::string::npos);
  CHECK(world.Run({"spawn", "x", "--info", "customer"}).code == 2);
  CHECK(world.Run({"spawn", "x", "--info", "=acme"}).code == 2);
}

TEST_CASE("info sets and removes, and minds the revision") {
  CliWorld world;
  const std::string id = world.Spawn({"x", "--info", "a=1"});
  const Said set = world.Run({"info", "set", id, "a=2", "b=3"});
  CHECK(set.code == 0);
  CHECK(set.out == id + "  revision 1\n");
  CHECK(world.Run({"info", "remove", id, "a", "--if-revision", "0"}).code == 1);
  const Said removed = world.Run({"info", "remove", id, "a", "--if-revision", "1", "--json"});
  CHECK(removed.out_fields() == "task_id info_revision");
  CHECK(Get(world, id)["info"] == nlohmann::json({{"b", "3"}}));
  CHECK(world.Run({"info", "set", id, "b"}).code == 2);
  CHECK(world.Run({"info", "set", id}).code == 2);
  CHECK(world.Run({"info", "show", id, "b"}).code == 2);
}

TEST_CASE("list shows a context, sorted") {
  CliWorld world;
  const std::string low = world.Spawn({"x", "--context", "run", "--priority", "1"});
  const std::string high = world.Spawn({"x", "--context", "run", "--priority", "5"});
  world.Spawn({"x"});
  const auto lines =
      world.Run({"list", "--context", "run", "--sort=-priority", "--json"}).out_lines();
  REQUIRE(lines.size() == 2);
  CHECK(nlohmann::json::parse(lines[0])["task_id"] == high);
  CHECK(nlohmann::json::parse(lines[1])["task_id"] == low);
  CHECK(world.Run({"list", "--sort", "size"}).code == 2);
}

}  // namespace
}  // namespace kantoku::cli::testing
