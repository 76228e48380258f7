#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/e2e/cli/system.h"
#include "tests/e2e/up.h"

// Restarts as a user has them.
namespace kantoku::test {
namespace {

TEST_CASE("What failed while a file was missing is restarted when it is there") {
  System system;
  system.StartExecutor({"--run", "read=cat wanted"});
  const std::string spawn = "kantoku spawn read --attempts 1";
  const std::string one = system.Ask(spawn);
  const std::string two = system.Ask(spawn);
  CHECK(system.Sh("kantoku await " + one + " " + two).code == 5);
  system.Write("wanted", "found");
  CHECK(system.Sh("kantoku restart --all --type read --dry-run").out.find("would be") !=
        std::string::npos);
  const auto restarted = nlohmann::json::parse(system.Ask("kantoku restart --json " + one));
  const std::string new_one = restarted["new_task_id"];
  CHECK(system.Ask("kantoku await " + new_one) == "found");
  const auto info = nlohmann::json::parse(system.Ask("kantoku get --json " + one));
  CHECK(info["state"] == "failed");
  CHECK(info["restarted_as"] == new_one);
  const Said all = system.Sh("kantoku restart --all --type read --state failed");
  CHECK(all.code == 0);
  CHECK(all.err == "1 restarted, of 2 that match\n");
  CHECK(all.out.find(one + "  was restarted before, as " + new_one) != std::string::npos);
  CHECK(Becomes([&] {
    return system.Ask("kantoku list --json --type read --state succeeded | wc -l") == "2";
  }));
}

TEST_CASE("What a command spawns is in its context, and is found by its info") {
  System system;
  system.StartExecutor({"--concurrency", "2", "--shell",
                        "parent=kantoku spawn child --info part=1 >&2", "--shell",
                        "child=printf %s \"$KANTOKU_CONTEXT_ID\""});
  const std::string parent =
      system.Ask("kantoku spawn parent --info customer=acme --context 'run 7'");
  CHECK(system.Sh("kantoku await " + parent).code == 0);
  const std::string list = "kantoku list --json --context 'run 7' --where ";
  CHECK(Becomes([&] { return system.Ask(list + "'task.state == \"succeeded\"' | wc -l") == "2"; }));
  const auto child = nlohmann::json::parse(system.Ask(list + "'part == \"1\"'"));
  CHECK(child["parent_id"] == parent);
  CHECK(system.Ask("kantoku await " + child["task_id"].get<std::string>()) == "run 7");
  const auto last = nlohmann::json::parse(
      system.Ask("kantoku list --json --sort=-created --limit 1 2>/dev/null"));
  CHECK(last["task_id"] == child["task_id"]);
  const Said wrong = system.Sh("kantoku list --where 'part = 1'");
  CHECK(wrong.code == 2);
  CHECK(wrong.err.find("column") != std::string::npos);
  const std::string waits = system.Ask("kantoku spawn nobody --info a=1");
  CHECK(system.Ask("kantoku info set " + waits + " a=2") == waits + "  revision 1");
  CHECK(system.Sh("kantoku info set " + waits + " a=3 --if-revision 0").code == 1);
  CHECK(system.Ask("kantoku list --where 'a > 1' --json | wc -l") == "1");
}

}  // namespace
}  // namespace kantoku::test
