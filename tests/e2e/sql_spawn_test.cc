// Tasks that applications spawn by SQL, in transactions of their own.
#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/postgres/postgres_connection.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"
#include "tests/chaos/work.h"
#include "tests/e2e/up.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

using platform::PostgresConnection;

// The database of an application, which Kantoku shares: role `shop` may spawn, role `other` may
// call the functions, and that is all.
class Application {
 public:
  explicit Application(std::vector<std::string> settings = {})
      : settings_(StoresOnPostgres(postgres_.connection())) {
    settings_.emplace_back("inputs.database_roles=shop");
    settings_.insert(settings_.end(), settings.begin(), settings.end());
    AsAdministrator(
        "CREATE ROLE shop LOGIN; CREATE ROLE other LOGIN; CREATE TABLE booking (id text);"
        "GRANT ALL ON booking TO shop");
  }

  PrivatePostgres& postgres() { return postgres_; }
  const std::vector<std::string>& settings() const { return settings_; }

  void AsAdministrator(const std::string& sql) {
    PostgresConnection connection = Connect("");
    const auto ran = connection.Execute(sql);
    CAPTURE(ran.status().ToString());
    REQUIRE(ran.ok());
  }

  // The rights that services/inputs/README.md asks for.
  void Grant() {
    for (const char* const role : {"shop", "other"}) {
      AsAdministrator(
          absl::StrCat("GRANT USAGE ON SCHEMA kantoku TO ", role, ";",
                       "GRANT EXECUTE ON FUNCTION kantoku.spawn(text, text, jsonb),"
                       " kantoku.spawn(text, bytea, jsonb), kantoku.spawn(text, jsonb, jsonb) TO ",
                       role));
    }
  }

  // As this role; empty: as the administrator.
  PostgresConnection Connect(const std::string& role) const {
    const std::string user = role.empty() ? "" : " user=" + role;
    return PostgresConnection({.connection = postgres_.connection() + user,
                               .application_name = "application",
                               .session = "SET search_path = public;"});
  }

 private:
  PrivatePostgres postgres_{{"fsync=on"}};
  std::vector<std::string> settings_;
};

TaskId IdOf(const absl::StatusOr<platform::PostgresRows>& rows) {
  CAPTURE(rows.status().ToString());
  REQUIRE(rows.ok());
  const auto id = TaskId::Parse(std::string(rows->Text(0, 0)));
  REQUIRE(id.ok());
  return *id;
}

TaskId Spawn(PostgresConnection& connection, const std::string& arguments) {
  return IdOf(connection.Execute(absl::StrCat("SELECT kantoku.spawn(", arguments, ")")));
}

std::string Work(int index) { return absl::StrCat("'", kWorkType, "', '", PayloadOf(index), "'"); }

// How it ended, as its waiter is told.
std::string ReasonOf(const Up& up, TaskId task) {
  const auto output = up.Connect().Await(task, {.timeout = absl::Seconds(30)});
  if (!output.ok()) return output.status().ToString();
  return output->succeeded() ? "SUCCEEDED" : output->error.reason;
}

TEST_CASE("A task that is spawned by SQL runs once its transaction commits, and never without") {
  Application application;
  const Up up({.settings = application.settings()});
  application.Grant();
  const auto executor = up.StartHonestExecutor();
  PostgresConnection shop = application.Connect("shop");

  REQUIRE(shop.Execute("BEGIN; INSERT INTO booking VALUES ('one')").ok());
  const TaskId never = Spawn(shop, Work(0));
  REQUIRE(shop.Execute("ROLLBACK; BEGIN; INSERT INTO booking VALUES ('two')").ok());
  std::vector<TaskId> tasks;
  tasks.reserve(20);
  for (int i = 0; i < 20; ++i) tasks.push_back(Spawn(shop, Work(i)));
  CHECK(up.Connect().Get(tasks[0]).status().code() == absl::StatusCode::kNotFound);
  REQUIRE(shop.Execute("COMMIT").ok());
  up.CheckHonestResults(tasks);

  const auto info = up.Connect().Get(tasks[0]);
  REQUIRE(info.ok());
  CHECK(info->owner == "shop");
  CHECK(up.Connect().Get(never).status().code() == absl::StatusCode::kNotFound);
  CHECK(up.Connect().Await(never, {.timeout = absl::Seconds(10)}).status().code() ==
        absl::StatusCode::kNotFound);
}

TEST_CASE(
    "Each task that is spawned by SQL is taken once while the server is killed again and again") {
  Application application;
  Up up({.settings = application.settings()});
  application.Grant();
  PostgresConnection shop = application.Connect("shop");
  std::vector<TaskId> tasks;
  for (int round = 0; round < 5; ++round) {
    REQUIRE(shop.Execute("BEGIN").ok());
    for (int i = 0; i < 400; ++i) {
      tasks.push_back(Spawn(shop, Work(static_cast<int>(tasks.size()))));
    }
    REQUIRE(shop.Execute("COMMIT").ok());
    const auto page = up.Connect().List({.page_size = 1});  // It is in the middle of it.
    up.process().Signal(SIGKILL);
    REQUIRE(up.process().AwaitExit().ok());
    up.Restart();
  }
  const auto all_are_there = [&] {
    PostgresConnection owner = application.Connect("");
    const auto left = owner.Execute("SELECT count(*) FROM kantoku.inputs_record WHERE kind = 21");
    return left.ok() && left->Integer(0, 0) == 0;
  };
  REQUIRE(Becomes(all_are_there));
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(tasks);
  const auto succeeded = [&] {
    size_t count = 0;
    TaskQuery options{.states = {TaskState::kSucceeded}, .page_size = 1'000};
    do {
      const auto page = up.Connect().List(options);
      if (!page.ok()) return size_t{0};
      count += page->tasks.size();
      options.page_token = page->next_page_token;
    } while (!options.page_token.empty());
    return count;
  };
  CHECK(Becomes([&] { return succeeded() == tasks.size(); }));
}

TEST_CASE("Of what is wrong with a task that was spawned by SQL its waiter is told") {
  Application application({"inputs.max_payload_bytes=1000"});
  const Up up({.settings = application.settings()});
  application.Grant();
  PostgresConnection shop = application.Connect("shop");
  const std::vector<std::pair<std::string, std::string>> faults = {
      {"'bad type', 'x'", "BAD_TYPE"},
      {"'t', 'x', '{\"unknown\": 1}'", "BAD_OPTIONS"},
      {"'t', 'x', '{\"priority\": \"high\"}'", "BAD_OPTIONS"},
      {"'t', 'x', '{\"priority\": 1001}'", "OUT_OF_RANGE"},
      {"'t', 'x', '{\"timeout\": \"-1s\"}'", "OUT_OF_RANGE"},
      {"'t', 'x', '{\"retry\": {\"maxAttempts\": 100000}}'", "OUT_OF_RANGE"},
      {"'t', 'x', '{\"parentId\": \"nonsense\"}'", "INVALID_ID"},
      {"'t', 'x', '{\"reuseWithin\": \"60s\"}'", "NOT_FROM_SQL"},
      {"'t', 'x', '{\"dependencies\": [{\"index\": 0}]}'", "NOT_FROM_SQL"},
      {"'t', 'x', '{\"dependencies\": [{\"taskId\": \"01a22e28-a910-7811-8000-0000000400f0\"}]}'",
       "DEPENDENCY_UNKNOWN"},
      {"'t', 'x', '{\"concurrencyKeys\": [{\"name\": \"k\"}]}'", "NO_SUCH_LIMIT"}};
  for (const auto& [arguments, reason] : faults) {
    CAPTURE(arguments);
    const TaskId task = Spawn(shop, arguments);
    CHECK(ReasonOf(up, task) == reason);
    const auto info = up.Connect().Get(task);
    CHECK(info.ok());
    if (info.ok()) CHECK(info->state == TaskState::kFailed);
  }
  // What the function can see by itself it says to who calls it.
  const std::vector<std::pair<std::string, std::string>> refused = {
      {"'t', repeat('x', 1001)", "payload: 1001 bytes exceed the limit of 1000"},
      {"'', 'x'", "type: is empty"},
      {"'t', 'x', '[]'", "options: have to be an object"},
      {"'t', 'x', '{\"payload\": \"\"}'",
       "options: have to be an object, without type and payload"},
      {"'t', 'x', jsonb_build_object('o', repeat('x', 1100000))", "options: more than 1 MiB"}};
  for (const auto& [arguments, words] : refused) {
    CAPTURE(arguments);
    const auto spawned = shop.Execute(absl::StrCat("SELECT kantoku.spawn(", arguments, ")"));
    CHECK_THAT(spawned.status().ToString(), Catch::Contains(words));
  }
}

TEST_CASE("A task that is spawned by SQL has its payload whatever type and session it has") {
  Application application;
  const Up up({.settings = application.settings()});
  application.Grant();
  PostgresConnection shop = application.Connect("shop");
  REQUIRE(shop.Execute("SET standard_conforming_strings = off; SET bytea_output = 'escape'").ok());
  const auto executor = up.StartHonestExecutor();
  up.CheckHonestResults(
      {Spawn(shop, Work(0)),
       Spawn(shop, absl::StrCat("'", kWorkType, "', convert_to('", PayloadOf(1), "', 'UTF8')"))});
}

TEST_CASE("A role that spawns by SQL can do nothing else, and others cannot do that") {
  Application application;
  const Up up({.settings = application.settings()});
  application.Grant();
  PostgresConnection shop = application.Connect("shop");
  const TaskId own = Spawn(shop, "'t', 'x'");
  for (const char* const sql :
       {"SELECT * FROM kantoku.inputs_record", "SELECT * FROM kantoku.inputs_role",
        "INSERT INTO kantoku.inputs_record VALUES (1, 0, 0, 21, '')",
        "DELETE FROM kantoku.inputs_record", "SELECT nextval('kantoku.inputs_spawned')",
        "INSERT INTO kantoku.inputs_role VALUES ('other', 'default', 'x', 0, 2048, 1)",
        "SELECT kantoku.inputs_inbox_put('t', '', '', '{}')",
        "SELECT kantoku.inputs_commit(0,0,0,0,'{}','{}','{}','{}','{}','{}','{}','{}','')",
        "CREATE TABLE kantoku.inputs_shadow ()", "SET SESSION AUTHORIZATION other"}) {
    CAPTURE(sql);
    CHECK(platform::ReasonOf(shop.Execute(sql).status()) == "STORE_DENIED");
  }
  // Names of one's own mislead nobody.
  REQUIRE(shop.Execute("CREATE TEMP TABLE inputs_role (role text);"
                       "CREATE FUNCTION pg_temp.octet_length(bytea) RETURNS int LANGUAGE sql"
                       " AS 'SELECT 0'; SET search_path = pg_temp, public, pg_catalog")
              .ok());
  CHECK(up.Connect().Get(Spawn(shop, "'t', 'x'"))->owner == "shop");

  PostgresConnection other = application.Connect("other");
  const auto refused = other.Execute("SELECT kantoku.spawn('t', 'x')");
  CHECK_THAT(std::string(refused.status().message()),
             Catch::Contains("role \"other\" may not spawn tasks"));
  // Nor does who may become it: whose session it is counts.
  application.AsAdministrator("GRANT shop TO other");
  PostgresConnection becoming = application.Connect("other");
  REQUIRE(becoming.Execute("SET ROLE shop").ok());
  CHECK_THAT(becoming.Execute("SELECT kantoku.spawn('t', 'x')").status().ToString(),
             Catch::Contains("role \"other\" may not spawn tasks"));
  CHECK(up.Connect().Get(own).ok());
}

std::string Example(const std::string& file) {
  const auto text = platform::ReadWholeFile(std::string(KANTOKU_EXAMPLE_DIR "/") + file);
  REQUIRE(text.ok());
  return *text;
}

TEST_CASE("The example books a room and spawns the mail, and the second time neither") {
  Application application;
  application.AsAdministrator("DROP TABLE booking; DROP ROLE shop");
  std::vector<std::string> settings = application.settings();
  std::erase(settings, "inputs.database_roles=shop");  // As the example's configuration has it.
  const Up up({.settings = settings, .config = KANTOKU_EXAMPLE_DIR "/kantoku.yaml"});
  application.AsAdministrator(Example("setup.sql"));
  PostgresConnection shop = application.Connect("shop");
  REQUIRE(shop.Execute(Example("book.sql")).ok());
  const TaskId mail = IdOf(shop.Execute("SELECT mail FROM booking"));
  const auto info = up.Connect().Get(mail);
  REQUIRE(info.ok());
  CHECK(info->type == "mail.confirm");
  CHECK(info->priority == 5);

  CHECK_THAT(shop.Execute(Example("book.sql")).status().ToString(),
             Catch::Contains("duplicate key"));
  const auto bookings = shop.Execute("SELECT count(*) FROM booking");
  REQUIRE(bookings.ok());
  CHECK(bookings->Integer(0, 0) == 1);
  CHECK(up.Connect().List({.type = "mail.confirm"})->tasks.size() == 1);
  REQUIRE(shop.Execute("ROLLBACK").ok());
  CHECK(ReasonOf(up, Spawn(shop, "'invoice', 'x'")) == "SCOPE_MISSING");
}

TEST_CASE("Tasks that were spawned by SQL can be named in any call once they are committed") {
  Application application;
  const Up up({.settings = application.settings()});
  application.Grant();
  PostgresConnection shop = application.Connect("shop");
  for (int i = 0; i < 20; ++i) {
    const TaskId first = Spawn(shop, "'t', 'x'");
    CHECK(up.Connect().Cancel(first).ok());
    REQUIRE(shop.Execute("BEGIN").ok());
    const TaskId second = Spawn(shop, "'t', 'x'");
    const TaskId third = Spawn(shop, absl::StrCat("'t', 'x', '{\"dependencies\": [{\"taskId\": \"",
                                                  second.ToString(), "\"}]}'"));
    REQUIRE(shop.Execute("COMMIT").ok());
    const auto info = up.Connect().Get(third);
    REQUIRE(info.ok());
    CHECK(info->state == TaskState::kBlocked);
  }
}

}  // namespace
}  // namespace kantoku::test
