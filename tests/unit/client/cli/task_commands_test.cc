#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/unit/client/cli/cli_world.h"

// get, list and control, over the fake.
namespace kantoku::cli::testing {
namespace {

constexpr char kUnknownId[] = "01900000-0000-7000-8000-000000000001";
constexpr char kInfoFields[] =
    "task_id namespace type state wait_cause wait_detail open_dependencies placement keys "
    "reference priority owner failed_attempts dispatch session_id progress parent_id root_id "
    "info info_revision context_id restarted_from restarted_as provenance created_at ended_at "
    "last_error attempts";

TEST_CASE("get shows all that is known, a field a line, and nothing that is not there") {
  CliWorld world;
  const std::string id = world.Spawn({"t", "--reference", "mine", "--priority", "5"});
  world.later = absl::Minutes(3);
  const Said said = world.Run({"get", id});
  CHECK(said.code == 0);
  CHECK(said.out == absl::StrCat("task       ", id,
                                 "\n"
                                 "type       t\n"
                                 "state      ready, waits for an executor of its type\n"
                                 "reference  mine\n"
                                 "priority   5\n"
                                 "namespace  default\n"
                                 "owner      local\n"
                                 "created    2026-01-01T00:00:00.000Z, 3m ago\n"));
}

TEST_CASE("why shows what a task waits for, and where the time went that it has waited") {
  CliWorld world;
  const std::string id = world.Spawn({"t"});
  world.fake.AdvanceTime(absl::Seconds(3));
  const Said said = world.Run({"why", id});
  CHECK(said.code == 0);
  CHECK(said.out == absl::StrCat(id,
                                 "  ready, waits for an executor of its type\n"
                                 "WAITED FOR         TIME     SHARE\n"
                                 "no_implementation  3000 ms  100%\n"
                                 "together           3000 ms  100%\n"));
  const auto json = nlohmann::json::parse(world.Run({"why", id, "--json"}).out);
  CHECK(json["wait_cause"] == "no_implementation");
  CHECK(json["waits_ms"] == nlohmann::json{{"no_implementation", 3000}});
  CHECK(world.Run({"why", kUnknownId}).code == 3);
}

TEST_CASE("get tells when and why a task failed") {
  CliWorld world;
  const std::string id = world.Spawn({"fail"});
  world.fake.AdvanceTime(absl::Seconds(2));
  world.fake.Handle("fail", [](const TaskSpec&) -> absl::StatusOr<std::string> {
    return FakeKantoku::FailFinally("HANDLER_FAILED", "bad\ninput");
  });
  const Said said = world.Run({"get", id});
  CHECK(said.code == 0);
  CHECK(said.out.find("state      failed\nerror      HANDLER_FAILED: bad input\n") !=
        std::string::npos);
  CHECK(said.out.find("attempts   1 failed\n") != std::string::npos);
  CHECK(said.out.find("ended      2026-01-01T00:00:02.000Z, after 2.00s\n") != std::string::npos);
}

TEST_CASE("get shows where a task may run") {
  CliWorld world;
  const std::string id = world.Spawn({"t", "--on", "has(gpu)", "--on-owner", "anna"});
  CHECK(world.Run({"get", id}).out.find("placement  has(gpu), owner anna\n") != std::string::npos);
  const auto json = nlohmann::json::parse(world.Run({"get", id, "--json"}).out);
  CHECK(
      json["placement"] ==
      nlohmann::json(
          {{"selector", "has(gpu)"}, {"executor", nullptr}, {"app", nullptr}, {"owner", "anna"}}));
  CHECK(json["wait_detail"].is_null());
}

TEST_CASE("get shows the tasks that there are, and exits with 3 for one that is not") {
  CliWorld world;
  const std::string first = world.Spawn({"a"});
  const std::string second = world.Spawn({"b"});
  const Said said = world.Run({"get", first, kUnknownId, second});
  CHECK(said.code == 3);
  CHECK(said.out.find(first) != std::string::npos);
  CHECK(said.out.find("\n\ntask       " + second) != std::string::npos);
  CHECK(said.err ==
        absl::StrCat("kantoku: task ", kUnknownId, " is unknown (NOT_FOUND, UNKNOWN_TASK)\n"));
}

TEST_CASE("get --json prints all fields of a task, null where there is nothing to say") {
  CliWorld world;
  const std::string id = world.Spawn({"t"});
  const Said said = world.Run({"get", id, "--json"});
  CHECK(said.out_fields() == kInfoFields);
  const auto json = nlohmann::json::parse(said.out);
  CHECK(json["state"] == "ready");
  CHECK(json["wait_cause"] == "no_implementation");
  CHECK(json["ended_at"].is_null());
  CHECK(json["last_error"].is_null());
  CHECK(json["reference"].is_null());
}

TEST_CASE("list is a table that says what each task waits for") {
  CliWorld world;
  world.fake.Handle("done", [](const TaskSpec& spec) { return spec.payload; });
  const std::string done = world.Spawn({"done"});
  world.fake.Pause();
  const std::string delayed = world.Spawn({"a.long.type", "--delay", "1h"});
  const std::string full = world.Spawn({"done"});
  const std::string lonely = world.Spawn({"t"});
  world.later = absl::Hours(2);
  const Said said = world.Run({"list"});
  CHECK(said.code == 0);
  const std::string gap(32, ' ');
  CHECK(said.out_lines() ==
        std::vector<std::string>{
            "TASK" + gap + "  TYPE         STATE      WAITS FOR                FAILED  AGE  TOOK",
            delayed + "  a.long.type  scheduled  its time                 0       2h   -",
            full + "  done         ready      a free executor          0       2h   -",
            lonely + "  t            ready      an executor of its type  0       2h   -",
            done + "  done         succeeded  -                        0       2h   0.0ms"});
}

TEST_CASE("list --json prints an object a line") {
  CliWorld world;
  world.Spawn({"a"});
  CHECK(world.Run({"list", "--json"}).out_fields() == kInfoFields);
  world.Spawn({"b"});
  CHECK(world.Run({"list", "--json"}).out_lines().size() == 2);
}

TEST_CASE("list stops at its limit and says so, and --limit 0 goes through all pages") {
  CliWorld world;
  const std::vector<Task> tasks(1'203, Task("t"));
  REQUIRE(world.fake.Connect().SpawnBatch(tasks).size() == 1'203);
  const Said first = world.Run({"list"});
  CHECK(first.out_lines().size() == 101);
  CHECK(first.err == "these are the first 100; --limit 0 lists all\n");
  CHECK(world.Run({"list", "--limit", "1100"}).out_lines().size() == 1'101);
  const Said all = world.Run({"list", "--limit", "0"});
  CHECK(all.out_lines().size() == 1'204);
  CHECK(all.err.empty());
  const Said json = world.Run({"list", "--limit", "1200", "--json"});
  CHECK(json.out_lines().size() == 1'200);
  CHECK(json.err.empty());
}

TEST_CASE("list filters by type and by states, and knows which states there are") {
  CliWorld world;
  world.fake.Handle("done", [](const TaskSpec& spec) { return spec.payload; });
  world.Spawn({"done"});
  world.Spawn({"a"});
  world.Spawn({"b", "--delay", "1h"});
  CHECK(world.Run({"list", "--type", "a"}).out_lines().size() == 2);
  CHECK(world.Run({"list", "--state", "ready,scheduled"}).out_lines().size() == 3);
  CHECK(world.Run({"list", "--state", "ready", "--state", "succeeded"}).out_lines().size() == 3);
  const Said none = world.Run({"list", "--state", "running"});
  CHECK(none.code == 0);
  CHECK(none.out.empty());
  CHECK(none.err == "no tasks\n");
  const Said wrong = world.Run({"list", "--state", "tired"});
  CHECK(wrong.code == 2);
  CHECK(
      wrong.err ==
      "kantoku: --state: \"tired\" is no state of a task; there are scheduled, ready, leased, "
      "running, cancelling, interrupting, pausing, paused, resuming, settling, succeeded, failed, "
      "cancelled "
      "(INVALID_ARGUMENT, INVALID_STATE)\n");
}

TEST_CASE("cancel prints the state of each task, and exits with 1 for one that has ended") {
  CliWorld world;
  const std::string first = world.Spawn({"t"});
  const std::string second = world.Spawn({"t"});
  const Said said = world.Run({"cancel", first});
  CHECK(said.code == 0);
  CHECK(said.out == first + "  cancelled\n");
  const Said again = world.Run({"cancel", first, second, "--json"});
  CHECK(again.code == 1);
  CHECK(again.out_fields() == "task_id state");
  CHECK(nlohmann::json::parse(again.out)["task_id"] == second);
  const auto error = nlohmann::json::parse(again.err);
  CHECK(error["error"] == "FAILED_PRECONDITION");
  CHECK(error["reason"] == "TASK_ENDED");
  CHECK(world.Run({"cancel", kUnknownId}).code == 3);
}

TEST_CASE("pause holds a task back until resume lets it go on") {
  CliWorld world;
  world.fake.Pause();
  world.fake.Handle("t", [](const TaskSpec& spec) { return spec.payload; });
  const std::string id = world.Spawn({"t"});
  CHECK(world.Run({"pause", id}).out == id + "  paused\n");
  world.fake.Resume();
  CHECK(world.Run({"get", id}).out.find("state      paused, waits for somebody to resume it\n") !=
        std::string::npos);
  CHECK(world.Run({"resume", id}).code == 0);
  CHECK(world.Run({"list", "--state", "succeeded"}).out_lines().size() == 2);
  const Said late = world.Run({"step", id});
  CHECK(late.code == 1);
  CHECK(late.err.find("TASK_ENDED") != std::string::npos);
}

TEST_CASE("step lets a paused task go on, and nothing else") {
  CliWorld world;
  const std::string id = world.Spawn({"t"});
  CHECK(world.Run({"step", id}).err.find("NOT_PAUSED") != std::string::npos);
  world.Run({"pause", id});
  CHECK(world.Run({"step", id}).code == 0);
}

TEST_CASE("interrupt gives handlers the time that it is told") {
  CliWorld world;
  const std::string id = world.Spawn({"t"});
  CHECK(world.Run({"interrupt", id, "--after", "x"}).code == 2);
  CHECK(world.Run({"interrupt", id, "--after", "2s"}).out == id + "  cancelled\n");
  CHECK(world.Run({"await", id}).err.find("INTERRUPTED") != std::string::npos);
}

TEST_CASE("The option --tree reaches what was spawned below a task, and list --root shows it") {
  CliWorld world;
  const std::string root = world.Spawn({"t"});
  Client kan = world.fake.Connect();
  const TaskId parent = TaskId::Parse(root).value();
  const auto child = kan.Spawn(Task("t").With(ChildOf(parent, parent)));
  world.Spawn({"t"});
  CHECK(world.Run({"list", "--root", root}).out_lines().size() == 3);
  CHECK(world.Run({"list", "--root", "x"}).code == 2);
  CHECK(world.Run({"get", child->id.ToString()}).out.find("parent     " + root) !=
        std::string::npos);
  CHECK(world.Run({"cancel", "--tree", root}).code == 0);
  CHECK(kan.Get(child->id)->state == TaskState::kCancelled);
  CHECK(world.Run({"list", "--state", "ready"}).out_lines().size() == 2);
}

TEST_CASE("What a command of an executor spawns is a child of its task") {
  CliWorld world;
  const std::string parent = world.Spawn({"t"});
  setenv("KANTOKU_TASK_ID", parent.c_str(), 1);
  setenv("KANTOKU_ROOT_ID", parent.c_str(), 1);
  setenv("KANTOKU_SERVER", "here:1", 1);
  setenv("KANTOKU_NAMESPACE", "default", 1);
  const std::string child = world.Spawn({"t"});
  const std::vector<std::string> others = {world.Spawn({"t", "--no-parent"}),
                                           world.Spawn({"t", "--server", "there:1"})};
  for (const char* name :
       {"KANTOKU_TASK_ID", "KANTOKU_ROOT_ID", "KANTOKU_SERVER", "KANTOKU_NAMESPACE"}) {
    unsetenv(name);
  }
  const auto json = nlohmann::json::parse(world.Run({"get", child, "--json"}).out);
  CHECK(json["parent_id"] == parent);
  CHECK(json["root_id"] == parent);
  for (const std::string& other : others) {
    CHECK(nlohmann::json::parse(world.Run({"get", other, "--json"}).out)["parent_id"].is_null());
  }
}

// What the environment says, for as long as it lasts.
class Surrounded {
 public:
  explicit Surrounded(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) setenv(name.c_str(), value.c_str(), 1);
  }
  ~Surrounded() {
    for (const auto& [name, value] : variables_) unsetenv(name.c_str());
  }
  Surrounded(const Surrounded&) = delete;
  Surrounded& operator=(const Surrounded&) = delete;

 private:
  const std::map<std::string, std::string> variables_;
};

TEST_CASE("What spawns in a command of an executor shows the task token, and nothing else does") {
  CliWorld world;
  const Surrounded command({{"KANTOKU_SERVER", "here:1"},
                            {"KANTOKU_NAMESPACE", "default"},
                            {"KANTOKU_TASK_TOKEN", "kantoku-task.abc"},
                            {"KANTOKU_TASK_ACCESS", "/run/server.json"}});
  const auto shows = [&](const std::vector<std::string>& arguments) {
    world.options = {};
    CHECK(world.Run(arguments).code == 0);
    const bool shown = world.options.token == "kantoku-task.abc";
    CHECK((world.options.access_file == "/run/server.json") == shown);
    return shown;
  };
  CHECK(shows({"spawn", "t"}));
  CHECK_FALSE(shows({"list"}));
  CHECK_FALSE(shows({"spawn", "t", "--no-parent"}));
  CHECK_FALSE(shows({"spawn", "t", "--server", "there:1"}));
  CHECK_FALSE(shows({"spawn", "t", "--namespace", "lab"}));
  CHECK_FALSE(shows({"spawn", "t", "--access", "mine.json"}));
  CHECK_FALSE(shows({"spawn", "t", "--token-file", "mine"}));
  for (const char* const name : {"KANTOKU_TOKEN", "KANTOKU_TOKEN_FILE", "KANTOKU_ACCESS"}) {
    CAPTURE(name);
    const std::map<std::string, std::string> variable = {{name, "mine"}};
    const Surrounded configured(variable);
    CHECK_FALSE(shows({"spawn", "t"}));
  }
}

}  // namespace
}  // namespace kantoku::cli::testing
