#include <catch2/catch.hpp>
#include <fstream>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/e2e/up.h"

// Bounds of namespaces and types, from the configuration to the client that minds them.
namespace kantoku::test {
namespace {

TEST_CASE("A spawner waits while there is no room for its tasks, and all of them are run") {
  const TempDir directory;
  const std::string config = directory.File("kantoku.yaml");
  std::ofstream(config) << "inputs:\n"
                           "  namespaces:\n"
                           "  - name: default\n"
                           "    max_pending_tasks: 20\n"
                           "    types:\n"
                           "    - type: scarce\n"
                           "      max_pending_tasks: 1\n";
  Up up({.config = config});
  // Without an executor there is room for one, and the rest is told so in the end.
  ClientOptions impatient;
  impatient.retry_for = absl::ZeroDuration();
  impatient.access_file = up.access();
  const auto client = Client::Connect(up.address(), impatient);
  REQUIRE(client.ok());
  Client kan = *client;
  const auto spawned = kan.SpawnBatch({Task("scarce"), Task("scarce"), Task("other")});
  CHECK(spawned[0].ok());
  CHECK(ReasonOf(spawned[1].status()) == "TYPE_PENDING_LIMIT");
  CHECK(spawned[2].ok());
  // Fifty tasks go through where twenty may wait.
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(up.Spawn(50));
}

}  // namespace
}  // namespace kantoku::test
