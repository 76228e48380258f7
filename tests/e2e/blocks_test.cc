// Who is blocked is out at once, with the real programs.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "kantoku/status.h"
#include "tests/e2e/elsewhere.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

// A grace that no test waits for: what comes back sooner was taken back.
const std::vector<std::string> kLongGrace = {"inputs.grace=10m", "inputs.ping_interval=1s"};

Said Block(const Up& up, std::vector<std::string> names) {
  names.insert(names.begin(), {"blocks", "set"});
  return Administer(up, std::move(names));
}

// A task that this user's executor has begun and will not end.
TaskId BegunBy(Client& kan, const std::string& user) {
  const auto task = kan.Spawn(Task("text.echo", "hello"));
  REQUIRE(task.ok());
  REQUIRE(Becomes([&] { return kan.Get(task->id)->state == TaskState::kRunning; }));
  const auto executors = kan.ListExecutors();
  REQUIRE(executors.ok());
  CHECK(executors->front().executor_owner == user);
  return task->id;
}

TEST_CASE("What the executor of a blocked user holds goes on elsewhere at once, and he is out") {
  const Up up({.settings = kLongGrace});
  const Elsewhere laptop;
  const auto blocked =
      laptop.StartExecutor(ForExecutor(up, "bob")["join"], {}, "text.echo=sleep 600");
  Client kan = up.Connect();
  const TaskId task = BegunBy(kan, "bob");
  REQUIRE(Block(up, {"--user", "bob", "--reason", "lost laptop"}).code == 0);
  const Elsewhere lab;
  const auto honest = lab.StartExecutor(ForExecutor(up)["join"]);
  const auto output = kan.Await(task, {.timeout = kPatience});
  REQUIRE(output.ok());
  CHECK(output->data == "hello");
  CHECK(kan.Get(task)->dispatch == 2);
  CHECK(kan.Get(task)->failed_attempts == 0);
  const auto exit = blocked->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code != 0);
  CHECK(absl::StrContains(blocked->output(), "lost laptop"));
}

TEST_CASE("A revoked executor's tasks go on elsewhere at once, too") {
  const Up up({.settings = kLongGrace});
  const auto created = ForExecutor(up, "bob");
  const Elsewhere laptop;
  const auto revoked = laptop.StartExecutor(created["join"], {}, "text.echo=sleep 600");
  Client kan = up.Connect();
  const TaskId task = BegunBy(kan, "bob");
  REQUIRE(Administer(up, {"token", "revoke", created["id"]}).code == 0);
  const Elsewhere lab;
  const auto honest = lab.StartExecutor(ForExecutor(up)["join"]);
  const auto output = kan.Await(task, {.timeout = kPatience});
  REQUIRE(output.ok());
  CHECK(output->data == "hello");
}

TEST_CASE("Who is blocked is refused every call, also after a restart, until that is lifted") {
  Up up;
  const auto created = Created(up, {"--user", "anna", "--scope", "inputs:read"});
  const Elsewhere laptop;
  const std::string access =
      nlohmann::json::parse(laptop.Run({"join", created["join"], "--json"}).text)["access"];
  const auto list = [&] { return laptop.Run({"list", "--access", access}); };
  REQUIRE(list().code == 0);
  REQUIRE(Block(up, {"--user", "anna", "--app", "laptop", "--reason", "left"}).code == 0);
  const Said refused = list();
  CHECK(refused.code != 0);
  CHECK(absl::StrContains(refused.text, "BLOCKED"));
  CHECK(absl::StrContains(refused.text, "left"));
  up.process().Kill();
  up.Restart();
  CHECK(absl::StrContains(list().text, "BLOCKED"));
  const auto listed = nlohmann::json::parse(Administer(up, {"blocks", "list"}).text);
  CHECK(listed["user"] == "anna");
  CHECK(listed["set_by"] == "local");
  REQUIRE(Administer(up, {"blocks", "lift", "--user", "anna", "--app", "laptop"}).code == 0);
  CHECK(list().code == 0);
}

TEST_CASE("A block of the tokens that there are lets in who gets a new one") {
  const Up up;
  const auto created = Created(up, {"--user", "anna", "--scope", "inputs:read"});
  const Elsewhere laptop;
  const std::string access =
      nlohmann::json::parse(laptop.Run({"join", created["join"], "--json"}).text)["access"];
  REQUIRE(Block(up, {"--user", "anna", "--old-tokens"}).code == 0);
  // Each command gets a token of its own; those of this very second are old as well.
  CHECK(Becomes([&] { return laptop.Run({"list", "--access", access}).code == 0; }));
}

TEST_CASE("Nobody blocks himself, or anybody without being an administrator of everything") {
  const Up up;
  const Said self = Block(up, {"--user", "local"});
  CHECK(self.code != 0);
  CHECK(absl::StrContains(self.text, "BLOCKS_YOURSELF"));
  CHECK(
      absl::StrContains(Administer(up, {"blocks", "lift", "--user", "eve"}).text, "NO_SUCH_BLOCK"));
  const auto created = Created(up, {"--user", "anna", "--scope", "admin"});  // Of `default`.
  const Elsewhere laptop;
  const std::string access =
      nlohmann::json::parse(laptop.Run({"join", created["join"], "--json"}).text)["access"];
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"blocks", "set", "--user", "bob"}, {"blocks", "list"}}) {
    std::vector<std::string> command = words;
    command.insert(command.end(), {"--access", access});
    CHECK(absl::StrContains(laptop.Run(command).text, "NOT_ADMINISTRATOR"));
  }
}

}  // namespace
}  // namespace kantoku::test
