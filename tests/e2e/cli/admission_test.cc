#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cli/system.h"
#include "tests/e2e/up.h"

// Keys, limits and pauses as a user has them.
namespace kantoku::test {
namespace {

using Json = nlohmann::json;

Json Get(const System& system, const std::string& id) {
  return Json::parse(system.Ask("kantoku get --json " + id));
}

TEST_CASE("Commands of one concurrency key run one at a time, and say for what they wait") {
  System system;
  system.Ask("kantoku limits set concurrency db 1");
  // Fails when another holds the lock: two would have run at once.
  system.StartExecutor(
      {"--concurrency", "8", "--shell", "job=mkdir lock && sleep 0.05 && rmdir lock"});
  system.Ask(
      "for i in 1 2 3 4 5 6; do kantoku spawn job --attempts 1 --concurrency-key db; done"
      " > ids");
  system.Ask("for id in $(cat ids); do kantoku await $id; done");
  CHECK(system.Ask("kantoku list --state succeeded --json | wc -l") == "6");
  CHECK(Json::parse(system.Ask("kantoku limits list --json"))["running"] == 0);
  CHECK(system.Sh("kantoku spawn job --concurrency-key unknown").code != 0);
}

TEST_CASE("A task waits for its ordering key behind one of a paused type until that is resumed") {
  System system;
  system.StartExecutor({"--shell", "first=true", "--shell", "second=true"});
  system.Ask("kantoku pause --type first --reason maintenance");
  const std::string head = system.Ask("kantoku spawn first --ordering-key lab");
  const std::string next = system.Ask("kantoku spawn second --ordering-key lab");
  CHECK(Get(system, head)["wait_detail"] == "type \"first\" is paused: maintenance");
  CHECK(Get(system, next)["wait_cause"] == "ordering_key");
  CHECK(Get(system, next)["wait_detail"] ==
        absl::StrCat("ordering key \"lab\": task ", head, " is before it"));
  system.Ask("kantoku resume --type first");
  system.Ask("kantoku await " + next);
  CHECK(Get(system, head)["state"] == "succeeded");
}

}  // namespace
}  // namespace kantoku::test
