// Other computers join by one string, and nobody else reaches the server.
#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "kantoku/status.h"
#include "tests/e2e/elsewhere.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

bool Echoes(const Up& up) {
  Client kan = up.Connect();
  const auto task = kan.Spawn(Task("text.echo", "hello"));
  if (!task.ok()) return false;
  const auto output = kan.Await(task->id, {.timeout = kPatience});
  return output.ok() && output->data == "hello";
}

TEST_CASE("A laptop elsewhere joins by one string, and works as long as that is not revoked") {
  const Up up({.settings = {"inputs.ping_interval=200ms", "inputs.grace=1s"}});
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  const auto executor = laptop.StartExecutor(created["join"]);
  REQUIRE(Echoes(up));
  const auto executors = up.Connect().ListExecutors();
  REQUIRE(executors.ok());
  CHECK(executors->front().executor_owner == "local");

  const Said revoked = Administer(up, {"token", "revoke", created["id"]});
  CHECK(revoked.code == 0);
  CHECK(Becomes([&] {
    const auto left = up.Connect().ListExecutors();
    return left.ok() && (left->empty() || !left->front().connected);
  }));
  const auto exit = executor->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code != 0);
  CHECK(absl::StrContains(executor->output(), "revoked"));
}

TEST_CASE("A command of an executor elsewhere spawns children of its task with nothing set up") {
  const Up up;
  const Elsewhere laptop;
  const std::string spawns = absl::StrCat(
      "text.parent=", Binary("kantoku"),
      " spawn text.echo hello --reference once; "
      "test -z \"$KANTOKU_TOKEN\"; ls $KANTOKU_TASK_ACCESS >&2; cat $KANTOKU_TASK_ACCESS >&2");
  const auto executor = laptop.StartExecutor(ForExecutor(up)["join"], {"--shell", spawns});
  Client kan = up.Connect();
  const auto parent = kan.Spawn(Task("text.parent"));
  REQUIRE(parent.ok());
  const auto output = kan.Await(parent->id, {.timeout = kPatience});
  REQUIRE(output.ok());
  INFO(executor->output());
  REQUIRE(output->succeeded());
  const auto id = TaskId::Parse(output->data.substr(0, output->data.find('\n')));
  REQUIRE(id.ok());
  const auto child = kan.Get(*id);
  REQUIRE(child.ok());
  CHECK(child->parent == parent->id);
  CHECK(child->provenance.spawner_app == "laptop");
  CHECK(child->provenance.app != "laptop");
  CHECK(child->provenance.spawner_executor_owner == "local");
  CHECK(kan.Await(*id, {.timeout = kPatience})->data == "hello");
  // What it is told of the server is no secret, and goes with the executor.
  CHECK(executor->AwaitLine("authorities").ok());
  CHECK_FALSE(absl::StrContains(executor->output(), "secret"));
  const std::string line = *executor->AwaitLine("kantoku-server-");
  const size_t name = line.find("kantoku-server-");
  const size_t begin = line.find_last_of(" \"", name) + 1;
  const std::string file = line.substr(begin, line.find_first_of(" \"", name) - begin);
  CHECK(std::filesystem::exists(file));
  executor->Signal(SIGTERM);
  REQUIRE(executor->AwaitExit().ok());
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("A join string is worthless once somebody has joined by it") {
  const Up up;
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  auto executor = laptop.StartExecutor(created["join"]);
  REQUIRE(Echoes(up));
  const Elsewhere thief;
  const auto second = thief.StartExecutor(created["join"]);
  const auto exit = second->AwaitExit();
  REQUIRE(exit.ok());
  CHECK(exit->code == 1);
  CHECK(absl::StrContains(second->output(), "somebody else has taken the grant"));
  // Its owner comes back with it as often as he likes.
  executor = nullptr;
  executor = laptop.StartExecutor(created["join"]);
  CHECK(Echoes(up));
}

TEST_CASE("A string that is taken twice at once on one computer is one holder's") {
  const Up up;
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  const auto one = laptop.StartExecutor(created["join"]);
  const auto other = laptop.StartExecutor(created["join"]);
  CHECK(one->AwaitLine("connected").ok());
  CHECK(other->AwaitLine("connected").ok());
}

TEST_CASE("The file of who has joined is never replaced, whatever is wrong with it") {
  const Up up;
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  const std::string path =
      nlohmann::json::parse(laptop.Run({"join", created["join"], "--json"}).text)["access"];
  std::filesystem::permissions(path, std::filesystem::perms(0644));
  CHECK(absl::StrContains(laptop.Run({"join", created["join"]}).text, "FILE_EXPOSED"));
  std::filesystem::permissions(path, std::filesystem::perms(0600));
  CHECK(laptop.Run({"executors", "--access", path}).code == 1);  // Its scope is another.
  CHECK(laptop.Run({"join", created["join"]}).code == 0);
}

TEST_CASE("An executor that has joined waits for a server that is away") {
  Up up;
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  REQUIRE(laptop.Run({"join", created["join"]}).code == 0);
  up.process().Kill();
  const auto executor = laptop.StartExecutor(created["join"]);
  CHECK(executor->AwaitLine("connection to inputs").ok());
  up.Restart();
  CHECK(executor->AwaitLine("connected").ok());
  CHECK(Echoes(up));
}

TEST_CASE("A server that is refused its data directory leaves the other's certificate alone") {
  const Up up;
  REQUIRE(up.Connect().List({}).ok());
  std::ifstream before(up.data() + "/tls/live.pem");
  const std::string live((std::istreambuf_iterator<char>(before)), {});
  CHECK(Elsewhere().Run({"up", "--data", up.data(), "--listen", "127.0.0.1:0"}).code == 1);
  std::ifstream after(up.data() + "/tls/live.pem");
  CHECK(std::string((std::istreambuf_iterator<char>(after)), {}) == live);
}

TEST_CASE("A string that was changed on its way, or leads to another server, joins nothing") {
  const Up up;
  const Up other;
  const std::string join = ForExecutor(up)["join"];
  const std::string elsewhere =
      join.substr(0, join.find('@') + 1) + other.address();  // Who claims to be the server.
  const Elsewhere laptop;
  const Said said = laptop.Run({"join", elsewhere});
  CHECK(said.code == 1);
  CHECK(absl::StrContains(said.text, "PIN_MISMATCH"));
  CHECK_FALSE(absl::StrContains(said.text, join.substr(30, 20)));
  CHECK(laptop.Run({"join", join + "x"}).code != 0);
}

TEST_CASE("A user elsewhere spawns and awaits with what he has joined by, and no more") {
  const Up up;
  const Elsewhere lab;
  const auto executor = lab.StartExecutor(ForExecutor(up)["join"]);
  const auto created = Created(up, {"--user", "anna", "--scope", "inputs:spawn", "--scope",
                                    "inputs:read", "--scope", "outputs:read"});
  const Elsewhere laptop;
  const Said joined = laptop.Run({"join", created["join"], "--json"});
  INFO(joined.text);
  REQUIRE(joined.code == 0);
  const std::string access = nlohmann::json::parse(joined.text)["access"];
  struct stat info;
  REQUIRE(::stat(access.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  const Said spawned = laptop.Run({"spawn", "text.echo", "hello", "--await", "--access", access});
  INFO(spawned.text);
  CHECK(spawned.code == 0);
  CHECK(absl::StrContains(spawned.text, "hello"));
  CHECK(absl::StrContains(laptop.Run({"token", "list", "--access", access}).text, "SCOPE_MISSING"));
  CHECK(absl::StrContains(laptop.Run({"events", "--access", access}).text, "SCOPE_MISSING"));
}

TEST_CASE("Who does not know the server's authority does not get through to it") {
  const Up up;
  const auto plain = Client::Connect(up.address(), {.retry_for = absl::ZeroDuration()});
  REQUIRE(plain.ok());
  Client kan = *plain;
  CHECK(absl::IsUnavailable(kan.Spawn(Task("work"), {.timeout = absl::Seconds(5)}).status()));
  const Up other;
  ClientOptions strange;
  strange.access_file = other.access();
  strange.retry_for = absl::ZeroDuration();
  Client wrong = *Client::Connect(up.address(), strange);
  CHECK(absl::IsUnavailable(wrong.Spawn(Task("work"), {.timeout = absl::Seconds(5)}).status()));
}

// The details of the events of the audit trail in a namespace, by their types.
std::multimap<std::string, nlohmann::json> AuditIn(const Up& up, const std::string& name_space) {
  const Said said =
      Administer(up, {"events", "--type", "audit.*", "--limit", "0", "--namespace", name_space});
  INFO(said.text);
  REQUIRE(said.code == 0);
  std::multimap<std::string, nlohmann::json> events;
  std::istringstream lines(said.text);
  for (std::string line; std::getline(lines, line);) {
    const auto event = nlohmann::json::parse(line);
    events.emplace(event["type"], event["details"]);
  }
  return events;
}

// Joins, and asks for what the join string does not allow.
void TryToListExecutors(const Elsewhere& elsewhere, const std::string& join) {
  const Said joined = elsewhere.Run({"join", join, "--json"});
  INFO(joined.text);
  REQUIRE(joined.code == 0);
  const std::string access = nlohmann::json::parse(joined.text)["access"];
  CHECK(elsewhere.Run({"executors", "--access", access}).code == 1);
}

TEST_CASE("Grants and refusals are in the audit trail, each where its administrators look") {
  const Up up;
  const auto created = ForExecutor(up);
  const std::string id = created["id"];
  const Elsewhere laptop;
  TryToListExecutors(laptop, created["join"]);  // SCOPE_MISSING.
  const Elsewhere thief;
  TryToListExecutors(thief, created["join"]);  // GRANT_TAKEN.
  REQUIRE(Administer(up, {"token", "revoke", id}).code == 0);

  REQUIRE(Becomes([&] { return AuditIn(up, "default").size() == 3; }));
  for (const auto& [type, details] : AuditIn(up, "default")) {
    CHECK(details["grant"] == id);
    CHECK(details["peer"] == "127.0.0.1");
  }
  CHECK(AuditIn(up, "default").count("audit.grant_created") == 1);
  CHECK(AuditIn(up, "default").count("audit.grant_taken") == 1);
  CHECK(AuditIn(up, "default").find("audit.grant_revoked")->second["by"] == "local");
  const auto installation = AuditIn(up, "*");
  REQUIRE(installation.count("audit.refused") == 1);
  const auto refused = installation.find("audit.refused")->second;
  CHECK(refused["reason"] == "SCOPE_MISSING");
  CHECK(refused["method"] == "InputsService/ListExecutors");
  CHECK(refused["user"] == "local");
  CHECK(refused["app"] == "laptop");
  REQUIRE(installation.count("audit.grant_refused") == 1);
  CHECK(installation.find("audit.grant_refused")->second["reason"] == "GRANT_TAKEN");
  CHECK(installation.find("audit.grant_refused")->second["grant"] == id);
}

TEST_CASE("Tokens, secrets and keys stand in no log, list or configuration") {
  Up up;
  const auto created = ForExecutor(up);
  const Elsewhere laptop;
  const auto executor = laptop.StartExecutor(created["join"]);
  REQUIRE(Echoes(up));
  std::ifstream file(up.access());
  const auto access = nlohmann::json::parse(file);
  const std::string join = created["join"];
  const std::string all = absl::StrCat(
      up.process().output(), executor->output(), Administer(up, {"token", "list"}).text,
      Administer(up, {"events", "--limit", "1000"}).text,
      Administer(up, {"events", "--limit", "1000", "--namespace", "*"}).text,
      Elsewhere().Run({"up", "--data", up.data(), "--print-config"}).text);
  CHECK(absl::StrContains(all, "listening on"));
  CHECK_FALSE(absl::StrContains(all, access["token"].get<std::string>()));
  CHECK_FALSE(absl::StrContains(all, join.substr(join.find('.', 10) + 1, 43)));
  CHECK_FALSE(absl::StrContains(all, "eyJ"));  // As every token begins.
  CHECK_FALSE(absl::StrContains(all, "Bearer"));
  CHECK_FALSE(absl::StrContains(all, "PRIVATE KEY"));
}

}  // namespace
}  // namespace kantoku::test
