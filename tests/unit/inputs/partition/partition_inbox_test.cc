#include <algorithm>
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
  REQUIRE(fixture.TakeInbox({id.key(), id.key(), 12'345}).ok());
  CHECK(IsReady(fixture, id));
  CHECK(fixture.InboxKeys().empty());
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  fixture.Restart();
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
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
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  CHECK(executor.tasks() == 1);
}

TEST_CASE("What a crash left in the inbox is taken after it, and what was durable is not again") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id)});
  fixture.faults.FailCommit(absl::UnavailableError("away"));
  fixture.faults.FailAllCommits(absl::UnavailableError("away"));
  CHECK_FALSE(fixture.TakeInbox({id.key()}).ok());
  fixture.Crash();
  CHECK(fixture.InboxKeys() == std::vector<TaskKey>{id.key()});
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
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
  const int before = fixture.faults.commits();
  absl::Notification first, second;
  fixture.partition().TakeInbox({id.key()}, [&](const auto&) { first.Notify(); });
  fixture.faults.AwaitCommits(before + 1);
  fixture.partition().TakeInbox({id.key()}, [&](const auto&) { second.Notify(); });
  // What reads after it has seen that it is applied.
  const int reads = fixture.faults.reads();
  fixture.partition().TakeInbox({IdOf(fixture, 2).key()}, [](const auto&) {});
  fixture.faults.AwaitReads(reads + 1);
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
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  auto item = fixture.outputs->Asked(1);
  CHECK(item.task_id() == id.bytes());
  CHECK(item.namespace_() == "default");
  CHECK(item.owner() == "alice");
  CHECK(item.settlement().error().reason() == "OUT_OF_RANGE");
  CHECK(fixture.Get(id)->state == TaskState::kSettling);
  CHECK(ReasonOf(fixture.Cancel(id).status()) == "IN_INBOX");
  CHECK_FALSE(fixture.Get(id, "mallory").ok());

  // Until then its record says that it has to end, and of what.
  fixture.Crash();
  CHECK(fixture.InboxKeys() == std::vector<TaskKey>{id.key()});
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  item = fixture.outputs->Asked(1);
  fixture.Answer(item, TaskState::kFailed);
  fixture.Answer(item, TaskState::kFailed);
  fixture.Settle();
  CHECK(WhyFailed(fixture, id) == "OUT_OF_RANGE");
  CHECK(fixture.events->AwaitType("task.finished"));
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
  options.engine.max_keys = 0;
  options.engine.max_selectors = 0;
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
      {R"({"orderingKey": "k"})", "KEY_LIMIT"},
      {R"({"placement": {"selector": "gpu == 'true'"}})", "PLACEMENT_LIMIT"},
      {R"({})", std::string(QuotaBook::kNamespaceTasks)}};
  for (size_t i = 0; i < refused.size(); ++i) {
    const auto& [spec, reason] = refused[i];
    CAPTURE(spec);
    const TaskId id = IdOf(fixture, i + 1);
    fixture.PutInInbox({Spawned(id, spec)});
    REQUIRE(fixture.TakeInbox({id.key()}).ok());
    CHECK(fixture.outputs->Asked(1).settlement().error().reason() == reason);
    fixture.Answer(fixture.outputs->Asked(1), TaskState::kFailed);
    fixture.Settle();
    CHECK(WhyFailed(fixture, id) == reason);
  }
}

std::string DependingOn(const TaskId& task) {
  return R"({"dependencies": [{"taskId": ")" + task.ToString() + R"("}]})";
}

// One that Outputs alone may know.
TaskId LongGone(PartitionFixture& fixture) {
  return TaskId::Make(fixture.clock.Read().wall,
                      platform::SlotOfNamespace("default", platform::kSlotCount), 99, kRandom);
}

TEST_CASE("A task from SQL that was refused fails, although a crash later there is room for it") {
  PartitionOptions options;
  options.engine.quotas = {{.name_space = "default", .type = "", .max_tasks = 1}};
  PartitionFixture fixture(options);
  fixture.SpawnOne("p", "another");
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id)});
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  // Outputs tells its waiter so, and then its record cannot be erased.
  const auto told = fixture.outputs->Asked(1);
  fixture.faults.FailAllCommits(absl::UnavailableError("away"));
  fixture.Answer(told, TaskState::kFailed);
  fixture.options.engine.quotas.clear();
  fixture.Crash();

  TestExecutor executor(fixture, 1);
  executor.Connect();
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  const auto again = fixture.outputs->Asked(1);
  CHECK(again.task_id() == id.bytes());
  CHECK(again.settlement().error().reason() == QuotaBook::kNamespaceTasks);
  CHECK(again.settlement().error().message() == told.settlement().error().message());
  fixture.Answer(again, TaskState::kFailed);
  fixture.Settle();
  CHECK(WhyFailed(fixture, id) == QuotaBook::kNamespaceTasks);
  CHECK(executor.tasks() == 0);
  CHECK(fixture.InboxKeys().empty());
}

TEST_CASE("Outputs is told of a refusal when that is durable, and not before") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id, R"({"priority": 5000})")});
  fixture.faults.FailAllCommits(absl::UnavailableError("away"));
  CHECK_FALSE(fixture.TakeInbox({id.key()}).ok());
  CHECK(fixture.outputs->count() == 0);
}

TEST_CASE("A call that names many large tasks from SQL takes them in batches that can be written") {
  PartitionFixture fixture;
  std::vector<StoredInbox> records;
  std::vector<TaskId> tasks;
  const std::string payload(size_t{1} << 20, 'x');
  for (uint64_t n = 1; n <= 40; ++n) {
    tasks.push_back(IdOf(fixture, n));
    records.push_back(Spawned(tasks.back(), "{}", payload));
  }
  fixture.PutInInbox(records);
  absl::StatusOr<std::vector<absl::StatusOr<TaskView>>> views = absl::UnavailableError("");
  int calls = 0;
  for (; !views.ok() && calls < 40; ++calls) {
    absl::Notification answered;
    fixture.partition().GetTasks(tasks, {As("alice")}, false, [&](auto answer) {
      views = std::move(answer);
      answered.Notify();
    });
    answered.WaitForNotification();
    if (!views.ok()) CHECK(ReasonOf(views.status()) == "IN_INBOX");
  }
  REQUIRE(views.ok());
  for (const auto& view : *views) CHECK(view.ok());
  CHECK(calls > 1);
  CHECK(fixture.faults.most_bytes() < size_t{16} << 20);
}

TEST_CASE("However large those are that a task from SQL waits for, a step takes some of them") {
  PartitionFixture fixture;
  std::vector<StoredInbox> records;
  std::vector<std::string> options = {"{}"};
  constexpr uint64_t kTasks = 40;
  for (uint64_t n = 1; n < kTasks; ++n) options.push_back(DependingOn(IdOf(fixture, n)));
  const std::string payload(size_t{1} << 20, 'x');
  for (uint64_t n = 1; n <= kTasks; ++n) {
    records.push_back(Spawned(IdOf(fixture, n), options[n - 1], payload));
  }
  const TaskId last = records.back().id;
  fixture.PutInInbox(records);
  CHECK(fixture.Cancel(last).status().code() == absl::StatusCode::kUnavailable);
  // The last ones come by themselves, each behind the one before it.
  for (size_t i = 0; i + 8 < kTasks; ++i) {
    REQUIRE(fixture.TakeInbox({records[i].id.key()}).ok());
  }
  CHECK(fixture.Reaches(last, TaskState::kBlocked));
  CHECK(fixture.faults.most_bytes() < size_t{16} << 20);
}

TEST_CASE("A task from SQL of a role that is not configured here waits until it is") {
  PartitionFixture fixture;
  std::vector<StoredInbox> records(3, Spawned(IdOf(fixture, 1)));
  records[0].role = "stranger";
  records[1].owner = "bob";
  records[2].name_space = "lab";
  std::vector<TaskKey> keys;
  for (size_t i = 0; i < records.size(); ++i) {
    records[i].id = IdOf(fixture, i + 1);
    keys.push_back(records[i].id.key());
  }
  fixture.PutInInbox(records);
  const auto step = fixture.TakeInbox(keys);
  REQUIRE(step.ok());
  CHECK(step->left == keys);
  CHECK(fixture.outputs->count() == 0);
  // To its owner it is there.
  CHECK(fixture.Get(records[0].id)->state == TaskState::kScheduled);
  CHECK(ReasonOf(fixture.Cancel(records[0].id).status()) == "IN_INBOX");
  CHECK_FALSE(fixture.Get(records[0].id, "mallory").ok());

  fixture.roles.push_back({"stranger", "default", "alice", "inputs:spawn"});
  fixture.Restart();
  REQUIRE(fixture.TakeInbox(keys).ok());
  CHECK(IsReady(fixture, records[0].id));
  CHECK(fixture.InboxKeys() == std::vector<TaskKey>{keys[1], keys[2]});
}

TEST_CASE("Where nobody may spawn by SQL no call looks for it in the store") {
  PartitionFixture fixture;
  fixture.roles.clear();
  fixture.Restart();
  fixture.faults.FailRead(absl::UnavailableError("away"));
  CHECK(absl::IsNotFound(fixture.Get(IdOf(fixture, 1)).status()));
}

TEST_CASE("A record that cannot be read stays in the inbox, and holds up none behind it") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 2);
  const TaskKey damaged = IdOf(fixture, 1).key();
  fixture.PutInInbox({Spawned(id)});
  (void)fixture.ReopenAfter([&](platform::WriteBatch& batch) {
    batch.Put(ToKind(RecordKind::kInbox), damaged, "\x01nonsense");
  });
  fixture.Restart();
  const auto step = fixture.TakeInbox({damaged, id.key()});
  REQUIRE(step.ok());
  CHECK(step->left == std::vector<TaskKey>{damaged});
  CHECK(IsReady(fixture, id));
}

TEST_CASE("A task from SQL waits for room that the whole server does not have") {
  PartitionOptions options;
  options.engine.max_pending = 1;
  PartitionFixture fixture(options);
  const TaskId holder = fixture.SpawnOne();
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id)});
  CHECK(fixture.TakeInbox({id.key()})->left == std::vector<TaskKey>{id.key()});
  CHECK(fixture.outputs->count() == 0);
  REQUIRE(fixture.Cancel(holder).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(holder, TaskState::kCancelled));
  CHECK(fixture.TakeInbox({id.key()})->left.empty());
  CHECK(IsReady(fixture, id));
}

TEST_CASE("What names a task from SQL that waits for Outputs is taken after it, by itself") {
  PartitionOptions options;
  options.engine.max_history = 0;
  PartitionFixture fixture(options);
  const TaskId first = IdOf(fixture, 1), child = IdOf(fixture, 2), dependent = IdOf(fixture, 3);
  fixture.PutInInbox({Spawned(first, DependingOn(LongGone(fixture))),
                      Spawned(child, R"({"parentId": ")" + first.ToString() + R"("})"),
                      Spawned(dependent, DependingOn(child))});
  const std::vector<TaskKey> keys = {first.key(), child.key(), dependent.key()};
  CHECK(fixture.TakeInbox(keys)->left == keys);
  v1::SpawnRequest request;
  request.set_request_id("child by a call");
  request.add_specs()->set_type("x");
  request.mutable_specs(0)->set_parent_id(std::string(first.bytes()));
  CHECK(ReasonOf(fixture.Spawn(request).status()) == "IN_INBOX");
  (void)fixture.outputs->AnswerEnds(
      [](const EndsQuestion&) { return Ends{TaskState::kSucceeded}; });
  // Each step begins the next one.
  for (int i = 0; i < 3; ++i) fixture.Settle();
  CHECK(fixture.outputs->count() == 0);
  CHECK(fixture.InboxKeys().empty());
  CHECK(IsReady(fixture, child));
  CHECK(fixture.Get(dependent)->state == TaskState::kBlocked);
}

TEST_CASE("A task from SQL whose dependency was refused follows it once that has ended") {
  PartitionFixture fixture;
  const TaskId refused = IdOf(fixture, 1), dependent = IdOf(fixture, 2);
  fixture.PutInInbox(
      {Spawned(refused, R"({"priority": 5000})"), Spawned(dependent, DependingOn(refused))});
  REQUIRE(fixture.TakeInbox({refused.key(), dependent.key()}).ok());
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kFailed);
  for (int i = 0; i < 2; ++i) fixture.Settle();
  // It is settled for its dependency, as any other would be.
  CHECK(fixture.outputs->Asked(2).task_id() == dependent.bytes());
  CHECK(fixture.outputs->Asked(2).settlement().error().reason() != "DEPENDENCY_UNKNOWN");
}

TEST_CASE("A dead task is restarted after one from SQL that it depends on") {
  PartitionFixture fixture;
  const TaskId from_sql = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(from_sql)});
  v1::SpawnRequest request;
  request.set_request_id("depends on it");
  request.add_specs()->set_type("x");
  request.mutable_specs(0)->add_dependencies()->set_task_id(std::string(from_sql.bytes()));
  const TaskId dependent = fixture.Spawn(request)->items[0].id;
  for (const TaskId& task : {dependent, from_sql}) {
    const size_t asked = fixture.outputs->count();
    REQUIRE(fixture.Cancel(task).ok());
    fixture.Answer(fixture.outputs->Asked(asked + 1), TaskState::kCancelled);
    REQUIRE(fixture.Reaches(task, TaskState::kCancelled));
  }
  const auto page = fixture.Restart({.viewer = As("alice"), .tasks = {dependent, from_sql}});
  REQUIRE(page.ok());
  for (const auto& restarted : page->tasks) REQUIRE(restarted.successor.ok());
  CHECK(fixture.Get(*page->tasks[0].successor)->state == TaskState::kBlocked);
  CHECK(IsReady(fixture, *page->tasks[1].successor));
}

TEST_CASE("A dead task is restarted after the restart of one that it depends on") {
  PartitionFixture fixture;
  const TaskId first = fixture.SpawnOne();
  v1::SpawnRequest request;
  request.set_request_id("depends on it");
  request.add_specs()->set_type("x");
  request.mutable_specs(0)->add_dependencies()->set_task_id(std::string(first.bytes()));
  const TaskId dependent = fixture.Spawn(request)->items[0].id;
  const auto cancel = [&](const TaskId& task) {
    const size_t asked = fixture.outputs->count();
    REQUIRE(fixture.Cancel(task).ok());
    fixture.Answer(fixture.outputs->Asked(asked + 1), TaskState::kCancelled);
    REQUIRE(fixture.Reaches(task, TaskState::kCancelled));
  };
  cancel(dependent);
  cancel(first);
  const TaskId again =
      *fixture.Restart({.viewer = As("alice"), .tasks = {first}})->tasks[0].successor;
  cancel(again);
  const auto page = fixture.Restart({.viewer = As("alice"), .tasks = {again, dependent}});
  REQUIRE(page.ok());
  for (const auto& restarted : page->tasks) REQUIRE(restarted.successor.ok());
  CHECK(IsReady(fixture, *page->tasks[0].successor));
  CHECK(fixture.Get(*page->tasks[1].successor)->state == TaskState::kBlocked);
}

TEST_CASE("To be restarted a task in the inbox is taken first") {
  PartitionFixture fixture;
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id)});
  const auto page = fixture.Restart({.viewer = As("alice"), .tasks = {id}});
  REQUIRE(page.ok());
  CHECK(ReasonOf(page->tasks[0].successor.status()) == "TASK_LIVES");
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
  REQUIRE(fixture.TakeInbox({from_sql.key()}).ok());
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

TEST_CASE("Tasks of one ordering key run in the order of their spawn, whoever made their ids") {
  PartitionFixture fixture;
  std::vector<TaskId> tasks;
  std::vector<StoredInbox> from_sql;
  for (uint64_t n = 1; n <= 4; ++n) {
    from_sql.push_back(Spawned(IdOf(fixture, n), R"({"orderingKey": "k"})"));
  }
  fixture.PutInInbox(from_sql);
  if (GENERATE(false, true)) std::ranges::reverse(from_sql);
  for (const StoredInbox& record : from_sql) {
    v1::SpawnRequest request;
    request.set_request_id("before " + record.id.ToString());
    request.add_specs()->set_type("x");
    request.mutable_specs(0)->set_ordering_key("k");
    tasks.push_back(fixture.Spawn(request)->items[0].id);
    REQUIRE(fixture.TakeInbox({record.id.key()}).ok());
    tasks.push_back(record.id);
  }
  const auto restarts = GENERATE(0, 1, 2);
  for (int i = 0; i < restarts; ++i) fixture.Restart();
  TestExecutor executor(fixture, 1);
  executor.Connect();
  int number = 0;
  for (const TaskId& next : tasks) {
    const v1::Dispatch dispatch = executor.Task(++number);
    CHECK(testing::IdOf(dispatch).ToString() == next.ToString());
    executor.Ack(dispatch);
    REQUIRE(executor.AwaitConfirmed(number));
  }
}

TEST_CASE("A call that names a task from SQL brings it before none of its ordering key") {
  PartitionFixture fixture;
  const TaskId first = IdOf(fixture, 1), second = IdOf(fixture, 2), waits = IdOf(fixture, 3);
  const std::string in_order = R"({"orderingKey": "k"})";
  const std::string depends = DependingOn(second);
  fixture.PutInInbox(
      {Spawned(first, in_order), Spawned(second, in_order), Spawned(waits, depends)});
  CHECK(fixture.Get(second)->state == TaskState::kScheduled);
  CHECK(ReasonOf(fixture.Cancel(second).status()) == "IN_INBOX");
  CHECK(fixture.Get(waits)->state == TaskState::kScheduled);  // Until it can be admitted.
  CHECK(fixture.InboxKeys().size() == 3);
  REQUIRE(fixture.TakeInbox({first.key(), second.key()}).ok());
  CHECK(fixture.Reaches(waits, TaskState::kBlocked));
  TestExecutor executor(fixture, 1);
  executor.Connect();
  CHECK(testing::IdOf(executor.Task(1)).ToString() == first.ToString());
}

TEST_CASE("A task from SQL waits in the inbox for Outputs' word on what it depends on") {
  PartitionOptions options;
  options.engine.max_history = 0;
  PartitionFixture fixture(options);
  const TaskId id = IdOf(fixture, 1);
  fixture.PutInInbox({Spawned(id, DependingOn(LongGone(fixture)))});
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  CHECK(fixture.Get(id)->state == TaskState::kScheduled);
  CHECK(ReasonOf(fixture.Cancel(id).status()) == "IN_INBOX");
  // It is asked again of what could not be answered.
  (void)fixture.outputs->AnswerEnds(
      [](const EndsQuestion&) { return absl::UnavailableError("away"); });
  REQUIRE(fixture.TakeInbox({id.key()}).ok());
  (void)fixture.outputs->AnswerEnds(
      [](const EndsQuestion&) { return Ends{TaskState::kSucceeded}; });
  fixture.Settle();
  CHECK(IsReady(fixture, id));
  CHECK(fixture.InboxKeys().empty());
}

}  // namespace
}  // namespace kantoku::inputs::testing
