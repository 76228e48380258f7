#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/unit/client/cli/cli_world.h"

// executors and route, over the fake.
namespace kantoku::cli::testing {
namespace {

constexpr char kUnknownId[] = "01900000-0000-7000-8000-000000000001";

TEST_CASE("executors is a table, and says when there are none") {
  CliWorld world;
  const Said none = world.Run({"executors"});
  CHECK(none.code == 0);
  CHECK(none.out.empty());
  CHECK(none.err == "no executors\n");
  world.fake.Handle("b", [](const TaskSpec& spec) { return spec.payload; });
  world.fake.Handle("a", [](const TaskSpec& spec) { return spec.payload; });
  world.later = absl::Seconds(5);
  const Said said = world.Run({"executors"});
  CHECK(said.code == 0);
  CHECK(said.out ==
        "SESSION  NAME  STATE      HOLDS  SINCE  VERSION  TYPES  LABELS\n"
        "         fake  connected  0/1    5s     -        a, b   -\n");
}

TEST_CASE("executors --json prints an object for each") {
  CliWorld world;
  CHECK(world.Run({"executors", "--json"}).out.empty());
  world.fake.Handle("a", [](const TaskSpec& spec) { return spec.payload; });
  const Said said = world.Run({"executors", "--json"});
  CHECK(said.code == 0);
  CHECK(said.out_fields() ==
        "session_id name executor_owner client_id types labels version connected max_held held "
        "leaving connected_at");
  CHECK(nlohmann::json::parse(said.out)["types"] == nlohmann::json({"a"}));
}

// Takes whatever executors are asked.
class ObedientConnection final : public RefusingConnection {
 public:
  ObedientConnection() : RefusingConnection(absl::UnavailableError("away")) {}
  std::vector<absl::Status> ControlExecutors(ControlExecutorsRequest request) override {
    asked.push_back(request);
    return std::vector<absl::Status>(request.session_ids.size());
  }
  std::vector<ControlExecutorsRequest> asked;
};

TEST_CASE("executors drain, bounce and kick ask the sessions that are named") {
  CliWorld world;
  const auto connection = std::make_shared<ObedientConnection>();
  world.connection = connection;
  const Said said = world.Run({"executors", "drain", kUnknownId, "other", "--namespace", "lab"});
  CHECK(said.code == 0);
  CHECK(said.out == std::string(kUnknownId) + "  asked to drain\nother  asked to drain\n");
  CHECK(world.Run({"executors", "bounce", kUnknownId, "--delay", "30s"}).code == 0);
  CHECK(world.Run({"executors", "kick", kUnknownId, "--json"}).out_fields() == "session_id asked");
  REQUIRE(connection->asked.size() == 3);
  CHECK(connection->asked[0].namespace_name == "lab");
  CHECK(connection->asked[0].session_ids == std::vector<std::string>{kUnknownId, "other"});
  CHECK(connection->asked[0].verb == ExecutorVerb::kDrain);
  CHECK(connection->asked[1].verb == ExecutorVerb::kBounce);
  CHECK(connection->asked[1].what.delay == absl::Seconds(30));
  CHECK(connection->asked[2].verb == ExecutorVerb::kKick);
}

TEST_CASE("An executor that is not there is told, with exit code 3") {
  CliWorld world;
  const Said said = world.Run({"executors", "drain", kUnknownId});
  CHECK(said.code == 3);
  CHECK(said.err.ends_with("(NOT_FOUND, NO_SUCH_SESSION)\n"));
}

TEST_CASE("Routes are set, listed and removed") {
  CliWorld world;
  CHECK(world.Run({"route", "list"}).err == "no routes\n");
  CHECK(world.Run({"route", "set", "resize", "version == '2'"}).code == 0);
  CHECK(world.Run({"route", "set", "blur", "has(gpu)", "--json"}).out_fields() == "type selector");
  CHECK(world.Run({"route", "list"}).out ==
        "TYPE    EXECUTORS\nblur    has(gpu)\nresize  version == '2'\n");
  CHECK(world.Run({"route", "list", "--namespace", "lab"}).out.empty());
  const Said removed = world.Run({"route", "remove", "resize", "--json"});
  CHECK(removed.code == 0);
  CHECK(nlohmann::json::parse(removed.out)["selector"].is_null());
  CHECK(world.Run({"route", "remove", "resize"}).code == 3);
}

TEST_CASE("Limits are set, listed and removed") {
  CliWorld world;
  CHECK(world.Run({"limits", "list"}).err == "no limits\n");
  CHECK(world.Run({"limits", "set", "concurrency", "db", "5"}).code == 0);
  CHECK(world.Run({"limits", "set", "rate", "api", "600/m:50", "--of-type", "fetch"}).code == 0);
  CHECK(world.Run({"limits", "set", "weight", "anna", "3", "--json"}).out_fields() ==
        "kind key scope of weight");
  CHECK(world.Run({"limits", "list"}).out ==
        "KIND         KEY   OF          LIMIT     USED         WAIT  TASKS  SET BY\n"
        "concurrency  db    namespace   5         0 running    0     0      an operator\n"
        "rate         api   type fetch  600/m:50  0.00 tokens  0     0      an operator\n"
        "weight       anna  namespace   3         -            0     0      an operator\n");
  CHECK(world.Run({"limits", "remove", "rate", "api"}).code == 3);
  CHECK(world.Run({"limits", "remove", "rate", "api", "--of-type", "fetch"}).code == 0);
}

TEST_CASE("Types are paused, listed and resumed") {
  CliWorld world;
  CHECK(world.Run({"pauses"}).err == "no type is paused\n");
  CHECK(world.Run({"pause", "--type", "fetch", "--reason", "disk"}).code == 0);
  CHECK(world.Run({"pause", "--all-types"}).code == 0);
  CHECK(world.Run({"pauses"}).out == "TYPE   REASON\n(all)\nfetch  disk\n");
  CHECK(world.Run({"resume", "--type", "fetch"}).code == 0);
  CHECK(world.Run({"resume", "--type", "fetch"}).code == 3);
  CHECK(world.Run({"resume", "--all-types"}).code == 0);
}

TEST_CASE("What is wrong with a command about limits or pauses is one line, and exit code 2") {
  CliWorld world;
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"limits"},
                                             {"limits", "list", "rate"},
                                             {"limits", "list", "--of-type", "x"},
                                             {"limits", "list", "--of-owner", "x"},
                                             {"limits", "set", "rate", "api"},
                                             {"limits", "set", "rate", "api", "5"},
                                             {"limits", "set", "rate", "api", "x/s"},
                                             {"limits", "set", "rate", "api", "5/soon"},
                                             {"limits", "set", "concurrency", "db", "many"},
                                             {"limits", "remove", "concurrency", "db", "5"},
                                             {"pause"},
                                             {"pause", "--type", "t", "--all-types"},
                                             {"spawn", "t", "--concurrency-key", "db=many"},
                                             {"spawn", "t", "--rate-key", "api=5"}}) {
    const Said said = world.Run(arguments);
    INFO(said.err);
    CHECK(said.code == 2);
    CHECK(said.err.starts_with("kantoku"));
    CHECK(said.err.find('\n') == said.err.size() - 1);
  }
}

TEST_CASE("spawn names keys, and get shows them") {
  CliWorld world;
  const std::string id =
      world
          .Run({"spawn", "t", "--concurrency-key", "db=5", "--rate-key", "api=10/s:20",
                "--rate-cost", "2", "--ordering-key", "lab", "--fairness-key", "anna=3"})
          .out;
  const Said said = world.Run({"get", id.substr(0, id.size() - 1)});
  CHECK(said.out.find("keys       ordering lab, fairness anna (weight 3), concurrency db (5), "
                      "rate api (10/s:20)\n") != std::string::npos);
}

TEST_CASE("What is wrong with a command about executors or routes is one line, and exit code 2") {
  CliWorld world;
  for (const std::vector<std::string>& arguments :
       std::vector<std::vector<std::string>>{{"executors", "stop", kUnknownId},
                                             {"executors", "drain"},
                                             {"executors", "drain", kUnknownId, "--delay", "1s"},
                                             {"executors", "bounce", kUnknownId, "--delay", "soon"},
                                             {"route"},
                                             {"route", "move", "t"},
                                             {"route", "set", "t"},
                                             {"route", "remove"},
                                             {"route", "remove", "t", "has(gpu)"},
                                             {"route", "list", "t"}}) {
    const Said said = world.Run(arguments);
    INFO(said.err);
    CHECK(said.code == 2);
    CHECK(said.err.starts_with("kantoku"));
    CHECK(said.err.find('\n') == said.err.size() - 1);
  }
}

}  // namespace
}  // namespace kantoku::cli::testing
