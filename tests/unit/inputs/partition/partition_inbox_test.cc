#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/store.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// Tasks that came by SQL: their records are in the store before the partition knows of them.
namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

constexpr uint64_t kRandom = 7;

// Of the n-th spawn by SQL, in the namespace `default`.
TaskId IdOf(PartitionFixture& fixture, uint64_t n) {
  return TaskId::Make(fixture.clock.Read().wall,
                      platform::SlotOfNamespace("default", platform::kSlotCount) + TaskId::kOutside,
                      n, kRandom);
}

// What the role that fixtures know has spawned.
StoredInbox Spawned(const TaskId& id, std::string_view options = "{}",
                    std::string_view payload = "p") {
  return {.id = id,
          .role = "shop",
          .name_space = "default",
          .owner = "alice",
          .type = "x",
          .options = options,
          .payload = payload};
}

absl::Status Take(PartitionFixture& fixture, const std::vector<TaskKey>& keys) {
  return fixture.TakeInbox(keys);
}

bool IsReady(PartitionFixture& fixture, const TaskId& id) {
  const auto view = fixture.Get(id);
  return view.ok() && view->state == TaskState::kReady;
}

std::string WhyFailed(PartitionFixture& fixture, const TaskId& id) {
  const auto view = fixture.Get(id);
  if (!view.ok()) return std::string(view.status().message());
  return view->state == TaskState::kFailed ? view->last_failure.reason : "lives";
}

TEST_CASE("What came by SQL becomes a task under its id, once, and over restarts") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id, R"({"priority": 5, "reference": "r"})", "hello")});
  REQUIRE(Take(fixture, {id.key(), id.key(), 12'345}).ok());
  CHECK(IsReady(fixture, id));
  CHECK(fixture.InboxKeys().empty());
  REQUIRE(Take(fixture, {id.key()}).ok());
  fixture.Restart();
  REQUIRE(Take(fixture, {id.key()}).ok());
  CHECK(fixture.List({.name_space = "default", .viewer = As("alice")})->tasks.size() == 1);
  const auto view = fixture.Get(id);
  REQUIRE(view.ok());
  CHECK(view->owner == "alice");
  CHECK(view->priority == 5);
  CHECK(view->reference == "r");
  CHECK(view->provenance.app == "sql:shop");

  TestExecutor executor(fixture, 1);
  executor.Connect();
  CHECK(executor.Task(1).payload() == "hello");
  executor.Ack(executor.Task(1));
  REQUIRE(executor.AwaitConfirmed(1));
  REQUIRE(Take(fixture, {id.key()}).ok());
  CHECK(executor.tasks() == 1);
}

TEST_CASE("What a crash left in the inbox is taken after it, and what was durable is not again") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id)});
  fixture.faults.FailCommit(absl::UnavailableError("away"));
  fixture.faults.FailAllCommits(absl::UnavailableError("away"));
  CHECK_FALSE(Take(fixture, {id.key()}).ok());
  fixture.Crash();
  CHECK(fixture.InboxKeys() == std::vector<TaskKey>{id.key()});
  REQUIRE(Take(fixture, {id.key()}).ok());
  CHECK(IsReady(fixture, id));
  fixture.Crash();
  CHECK(fixture.InboxKeys().empty());
  CHECK(IsReady(fixture, id));
}

TEST_CASE("What is being committed is not taken a second time") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id, R"({"reference": "r"})")});
  fixture.faults.CloseGate();
  absl::Notification first, second;
  fixture.partition().TakeInbox({id.key()}, [&](const auto&) { first.Notify(); });
  fixture.faults.AwaitCommits(fixture.faults.commits() + 1);
  fixture.partition().TakeInbox({id.key()}, [&](const auto&) { second.Notify(); });
  fixture.faults.OpenGate();
  first.WaitForNotification();
  second.WaitForNotification();
  CHECK(fixture.outputs->count() == 0);  // It was not refused for its own reference.
  CHECK(IsReady(fixture, id));
}

TEST_CASE("What is wrong with a task from SQL it ends with, once Outputs has taken that") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id, R"({"priority": 5000})")});
  REQUIRE(Take(fixture, {id.key()}).ok());
  auto item = fixture.outputs->Asked(1);
  CHECK(item.task_id() == id.bytes());
  CHECK(item.namespace_() == "default");
  CHECK(item.owner() == "alice");
  CHECK(item.settlement().error().reason() == "OUT_OF_RANGE");
  CHECK(fixture.Get(id)->state == TaskState::kSettling);
  CHECK(ReasonOf(fixture.Cancel(id).status()) == "IN_INBOX");
  CHECK_FALSE(fixture.Get(id, "mallory").ok());

  // Until then its record says that it has to end.
  fixture.Crash();
  CHECK(fixture.InboxKeys() == std::vector<TaskKey>{id.key()});
  REQUIRE(Take(fixture, {id.key()}).ok());
  item = fixture.outputs->Asked(1);
  fixture.Answer(item, TaskState::kFailed);
  fixture.Answer(item, TaskState::kFailed);
  fixture.Settle();
  CHECK(WhyFailed(fixture, id) == "OUT_OF_RANGE");
  fixture.Restart();
  CHECK(fixture.InboxKeys().empty());
  CHECK(WhyFailed(fixture, id) == "OUT_OF_RANGE");
  const auto restarted = fixture.Restart({.viewer = As("alice"), .tasks = {id}});
  REQUIRE(restarted.ok());
  CHECK(ReasonOf(restarted->tasks[0].successor.status()) == "REFUSED_TASK");
}

TEST_CASE("A task from SQL that a call could not have is refused with the same reason") {
  PartitionOptions options;
  options.engine.quotas = {{.name_space = "default", .type = "", .max_tasks = 1}};
  PartitionFixture fixture(options);
  v1::SpawnRequest holder;
  holder.set_request_id("holder");
  holder.add_specs()->set_type("x");
  holder.mutable_specs(0)->set_reference("r");
  REQUIRE(fixture.Spawn(holder).ok());
  const std::vector<std::pair<std::string, std::string>> refused = {
      {R"({"unknown": 1})", "BAD_OPTIONS"},
      {R"(no JSON)", "BAD_OPTIONS"},
      {R"({"type": "y"})", "BAD_OPTIONS"},
      {R"({"reuseWithin": "5s"})", "NOT_FROM_SQL"},
      {R"({"dependencies": [{"index": 0}]})", "NOT_FROM_SQL"},
      {R"({"reference": "r"})", "REFERENCE_TAKEN"},
      {R"({"reference": "r", "priority": 1})", "REFERENCE_TAKEN"},
      {R"({"parentId": "01a22e28-a910-7811-8000-0000000400f0"})", "PARENT_UNKNOWN"},
      {R"({})", std::string(QuotaBook::kNamespaceTasks)}};
  for (size_t i = 0; i < refused.size(); ++i) {
    const auto& [spec, reason] = refused[i];
    CAPTURE(spec);
    const TaskId id = IdOf(fixture, i + 1);
    fixture.PutInInbox({Spawned(id, spec)});
    REQUIRE(Take(fixture, {id.key()}).ok());
    CHECK(fixture.outputs->Asked(1).settlement().error().reason() == reason);
    fixture.Answer(fixture.outputs->Asked(1), TaskState::kFailed);
    fixture.Settle();
    CHECK(WhyFailed(fixture, id) == reason);
  }
}

TEST_CASE(
    "A role that the configuration does not have, or has for another, spawns nothing by SQL") {
  PartitionFixture fixture;
  std::vector<StoredInbox> records(3, Spawned(IdOf(fixture, 1)));
  records[0].role = "stranger";
  records[1].owner = "bob";
  records[2].name_space = "lab";
  for (size_t i = 0; i < records.size(); ++i) {
    StoredInbox& record = records[i];
    record.id = IdOf(fixture, i + 1);
    fixture.PutInInbox({record});
    REQUIRE(Take(fixture, {record.id.key()}).ok());
    CHECK(fixture.outputs->Asked(1).settlement().error().reason() == "ROLE_UNKNOWN");
    fixture.Answer(fixture.outputs->Asked(1), TaskState::kFailed);
    fixture.Settle();
  }
}

TEST_CASE("Whoever names a task from SQL finds it before anybody has taken it") {
  PartitionFixture fixture;
  const TaskId shown = IdOf(fixture, 1), cancelled = IdOf(fixture, 2), patched = IdOf(fixture, 3),
               waited_for = IdOf(fixture, 4), parent = IdOf(fixture, 5);
  fixture.PutInInbox(
      {Spawned(shown), Spawned(cancelled), Spawned(patched), Spawned(waited_for), Spawned(parent)});
  CHECK(IsReady(fixture, shown));
  CHECK(fixture.Cancel(cancelled).ok());
  CHECK(fixture.Patch({{.task = patched, .set = {{"a", "b"}}}})[0].status.ok());
  v1::SpawnRequest request;
  request.set_request_id("names them");
  request.add_specs()->set_type("x");
  request.mutable_specs(0)->set_parent_id(std::string(parent.bytes()));
  request.mutable_specs(0)->add_dependencies()->set_task_id(std::string(waited_for.bytes()));
  const auto outcome = fixture.Spawn(request);
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].created);
  fixture.Settle();
  CHECK(fixture.InboxKeys().empty());
}

TEST_CASE("A task from SQL has its place in the order of spawns, over restarts too") {
  PartitionFixture fixture;
  const TaskId from_sql = IdOf(fixture, 1);
  const TaskId before = fixture.SpawnOne();
  fixture.PutInInbox({Spawned(from_sql)});
  REQUIRE(Take(fixture, {from_sql.key()}).ok());
  const TaskId after = fixture.SpawnOne();
  const auto restarts = GENERATE(0, 1, 2);
  for (int i = 0; i < restarts; ++i) fixture.Restart();
  TestExecutor executor(fixture, 1, /*credit=*/1);
  executor.Connect();
  int number = 0;
  for (const TaskId& next : {before, from_sql, after}) {
    const v1::Dispatch dispatch = executor.Task(++number);
    CHECK(testing::IdOf(dispatch).ToString() == next.ToString());
    executor.Ack(dispatch);
    REQUIRE(executor.AwaitConfirmed(number));
  }
}

TEST_CASE("A task from SQL waits in the inbox for Outputs' word on what it depends on") {
  PartitionOptions options;
  options.engine.max_history = 0;
  PartitionFixture fixture(options);
  const TaskId unknown =
      TaskId::Make(fixture.clock.Read().wall,
                   platform::SlotOfNamespace("default", platform::kSlotCount), 99, kRandom);
  const TaskId id = IdOf(fixture, 1);
  const std::string spec = R"({"dependencies": [{"taskId": ")" + unknown.ToString() + R"("}]})";
  fixture.PutInInbox({Spawned(id, spec)});
  REQUIRE(Take(fixture, {id.key()}).ok());
  CHECK(fixture.Get(id)->state == TaskState::kScheduled);
  CHECK(ReasonOf(fixture.Cancel(id).status()) == "IN_INBOX");
  // It is asked again of what could not be answered.
  (void)fixture.outputs->AnswerEnds(
      [](const EndsQuestion&) { return absl::UnavailableError("away"); });
  REQUIRE(Take(fixture, {id.key()}).ok());
  (void)fixture.outputs->AnswerEnds(
      [](const EndsQuestion&) { return Ends{TaskState::kSucceeded}; });
  fixture.Settle();
  CHECK(IsReady(fixture, id));
  CHECK(fixture.InboxKeys().empty());
}

}  // namespace
}  // namespace kantoku::inputs::testing
