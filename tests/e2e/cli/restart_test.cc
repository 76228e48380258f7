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

}  // namespace
}  // namespace kantoku::test
