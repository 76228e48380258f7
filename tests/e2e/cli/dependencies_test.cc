#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/cli/system.h"
#include "tests/e2e/up.h"

// Tasks that depend on others as a user has them, with commands that read their arguments.
namespace kantoku::test {
namespace {

nlohmann::json Info(const System& system, const std::string& id) {
  return nlohmann::json::parse(system.Ask("kantoku get --json " + id));
}

TEST_CASE("A command runs after others, with their results in files") {
  System system;
  system.StartExecutor(
      {"--shell", "say=cat", "--shell", "join=cat $KANTOKU_ARGUMENTS/0 - $KANTOKU_ARGUMENTS/1"});
  const std::string first = system.Ask("kantoku spawn say one");
  const std::string second = system.Ask("kantoku spawn say three");
  const std::string joined =
      system.Ask("kantoku spawn join ' two ' --argument " + first + "," + second + " --await");
  CHECK(joined == "one two three");
}

TEST_CASE("A task is blocked until what it waits for has ended, and fails or is skipped with it") {
  System system;
  const std::string first = system.Ask("kantoku spawn fail");
  const std::string failed = system.Ask("kantoku spawn fail --after " + first);
  const std::string skipped = system.Ask("kantoku spawn fail --on-failure skip --after " + first);
  // Arguments come after what is waited for alone: 0 is still the first argument.
  const std::string run =
      system.Ask("kantoku spawn look --on-failure run --argument " + first + " --after " + failed);
  CHECK(Info(system, failed)["state"] == "blocked");
  CHECK(Info(system, failed)["wait_cause"] == "dependency");
  CHECK(Info(system, run)["open_dependencies"] == 2);
  CHECK_THAT(system.Ask("kantoku get " + run), Catch::Contains("have not ended"));
  system.Ask("kantoku cancel " + first);
  system.StartExecutor(
      {"--shell", "fail=exit 1", "--shell", "look=cat $KANTOKU_ARGUMENTS/0.status"});
  const std::string how = system.Ask("kantoku await " + run);
  CHECK(how.starts_with("cancelled\nCANCELLED"));
  CHECK(Info(system, failed)["last_error"]["reason"] == "DEPENDENCY_FAILED");
  CHECK(Info(system, skipped)["state"] == "cancelled");
  CHECK(Info(system, skipped)["last_error"]["reason"] == "SKIPPED");
}

TEST_CASE(
    "A wish about failures goes with something that can fail, and an id that is none is said") {
  System system;
  const Said alone = system.Sh("kantoku spawn x --on-failure run");
  CHECK(alone.code == 2);
  CHECK_THAT(alone.err, Catch::Contains("--on-failure goes with --after or --argument"));
  const Said unknown = system.Sh("kantoku spawn x --after 01900000-0000-7000-8000-000000000000");
  CHECK(unknown.code == 1);
  CHECK_THAT(unknown.err, Catch::Contains("DEPENDENCY_UNKNOWN"));
}

}  // namespace
}  // namespace kantoku::test
