#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/inputs/partition/partition.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// Task tokens: what handlers are given, and what comes of it. The executor is of another user than
// the tasks.
namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

// An executor of mallory's, connected.
struct Worker : TestExecutor {
  explicit Worker(PartitionFixture& fixture, uint8_t session = 1, uint32_t credit = 10,
                  std::vector<std::string> types = {"x"})
      : TestExecutor(fixture, session, credit, std::move(types)) {
    caller = platform::Administrator("mallory", "worker");
    Connect();
  }
};

// What the task token says that is made of this lease token.
platform::Lease Open(PartitionFixture& fixture, const std::string& lease_token) {
  const auto opened = platform::OpenTaskToken(*fixture.keys, platform::TaskTokenOf(lease_token),
                                              fixture.clock.Read().wall);
  REQUIRE(opened.ok());
  return *opened;
}

// Who shows the task token of this dispatch.
platform::Identity BearerOf(PartitionFixture& fixture, const v1::Dispatch& task) {
  return platform::HandlerOf(Open(fixture, task.lease_token()));
}

v1::SpawnRequest Child(const std::string& request_id, const std::string& type = "child") {
  v1::SpawnRequest request;
  request.set_request_id(request_id);
  request.add_specs()->set_type(type);
  return request;
}

void DependOn(v1::SpawnRequest& request, const TaskId& task, bool argument) {
  auto& dependency = *request.mutable_specs(0)->add_dependencies();
  dependency.set_task_id(std::string(task.bytes()));
  dependency.set_argument(argument);
  dependency.set_on_failure(task::v1::ON_FAILURE_RUN);
}

TaskId Succeeded(PartitionFixture& fixture) {
  Worker worker(fixture, 9);
  const TaskId id = fixture.SpawnOne();
  worker.Ack(worker.Task(1));
  REQUIRE(worker.AwaitConfirmed(1));
  worker.Disconnect();
  fixture.Settle();
  return id;
}

TEST_CASE("A dispatch makes a task token, and says who caused the task, over a restart too") {
  PartitionFixture fixture;
  const TaskId id = fixture.SpawnOne();
  if (GENERATE(false, true)) fixture.Crash();
  Worker worker(fixture);
  const v1::Dispatch task = worker.Task(1);
  const platform::Lease token = Open(fixture, task.lease_token());
  CHECK(token.task == id);
  CHECK(token.dispatch == 1);
  CHECK(token.holder == worker.caller);
  CHECK(token.owner == "alice");
  CHECK(token.name_space == "default");
  CHECK(token.expires == fixture.clock.Read().wall + fixture.options.lease_lifetime);
  CHECK(task.provenance().user() == "alice");
  CHECK(task.provenance().app() == "laptop");
  CHECK(task.provenance().spawner_app() == "laptop");
  CHECK(task.provenance().spawner_executor_owner().empty());
  CHECK(task.provenance().ancestors().empty());
}

TEST_CASE("What a handler spawns belongs to the owner of its task, and says who caused it") {
  PartitionFixture fixture;
  const TaskId root = fixture.SpawnOne();
  Worker worker(fixture, 1, 10, {"x", "child"});
  const v1::Dispatch task = worker.Task(1);
  const auto outcome = fixture.Spawn(Child("r"), BearerOf(fixture, task));
  REQUIRE(outcome.ok());
  REQUIRE(outcome->items[0].created);
  const TaskId child = outcome->items[0].id;
  CHECK_FALSE(fixture.Get(child, "mallory").ok());
  const v1::Dispatch of_child = worker.Task(2);
  CHECK(of_child.provenance().user() == "alice");
  CHECK(of_child.provenance().app() == "laptop");
  CHECK(of_child.provenance().spawner_app() == "worker");
  CHECK(of_child.provenance().spawner_executor_owner() == "mallory");
  REQUIRE(of_child.provenance().ancestors_size() == 1);
  CHECK(of_child.provenance().ancestors(0) == root.bytes());
  worker.Ack(of_child);
  REQUIRE(worker.AwaitConfirmed(1));
  const int how = GENERATE(0, 1, 2);
  if (how == 1) fixture.Restart();
  if (how == 2) fixture.Crash();
  const auto view = fixture.Get(child);
  REQUIRE(view.ok());
  CHECK(view->owner == "alice");
  CHECK(view->parent == root);
  CHECK(view->state == TaskState::kSucceeded);
  CHECK(view->provenance.app == "worker");
  CHECK(view->provenance.executor_owner == "mallory");
  CHECK(view->provenance.root_app == "laptop");
  REQUIRE(view->provenance.ancestors != nullptr);
  CHECK(*view->provenance.ancestors == Ancestors{root});
}

TEST_CASE("A task token dies with its dispatch, also for calls that were answered before") {
  PartitionFixture fixture;
  fixture.SpawnOne();
  Worker worker(fixture);
  const v1::Dispatch task = worker.Task(1);
  const platform::Identity bearer = BearerOf(fixture, task);
  const TaskId child = fixture.Spawn(Child("r"), bearer)->items[0].id;
  const auto again = fixture.Spawn(Child("r"), bearer);
  REQUIRE(again.ok());
  CHECK(again->repeated);
  CHECK(again->items[0].id == child);
  worker.Ack(task);
  REQUIRE(worker.AwaitConfirmed(1));
  for (const char* const request_id : {"r", "s"}) {
    const auto late = fixture.Spawn(Child(request_id), bearer);
    CHECK(late.status().code() == absl::StatusCode::kPermissionDenied);
    CHECK(ReasonOf(late.status()) == "STALE_TASK_TOKEN");
  }
}

TEST_CASE("Request ids are those of the dispatch: neither the owner's nor another task's") {
  PartitionFixture fixture;
  Worker worker(fixture);
  const auto of_owner = fixture.Spawn(Child("r", "x"));
  fixture.SpawnOne();
  const platform::Identity first = BearerOf(fixture, worker.Task(1));
  const platform::Identity second = BearerOf(fixture, worker.Task(2));
  // With other content they would be refused, were they the same.
  CHECK(fixture.Spawn(Child("r", "a"), first)->items[0].created);
  CHECK(fixture.Spawn(Child("r", "b"), second)->items[0].created);
}

TEST_CASE("A task token is no way to results that the handler was not given") {
  PartitionFixture fixture;
  const TaskId secret = Succeeded(fixture);
  const TaskId ordered = Succeeded(fixture);
  const TaskId argument = Succeeded(fixture);
  v1::SpawnRequest parent = Child("parent", "x");
  DependOn(parent, ordered, false);
  DependOn(parent, argument, true);
  REQUIRE(fixture.Spawn(parent).ok());
  Worker worker(fixture);
  const platform::Identity bearer = BearerOf(fixture, worker.Task(1));
  int calls = 0;
  const auto may = [&](const TaskId& task, bool as_argument) {
    v1::SpawnRequest request = Child("call " + std::to_string(++calls));
    DependOn(request, task, as_argument);
    const auto outcome = fixture.Spawn(request, bearer);
    REQUIRE(outcome.ok());
    CHECK((outcome->items[0].created ||
           outcome->items[0].refusal == SpawnOutcome::kDependencyUnknown));
    return outcome->items[0].created;
  };
  CHECK(may(argument, true));
  CHECK(may(ordered, false));
  CHECK_FALSE(may(ordered, true));
  CHECK_FALSE(may(secret, true));
  CHECK_FALSE(may(secret, false));
  CHECK(fixture.outputs->count() == 0);  // Nobody was asked about them.
}

TEST_CASE("A handler depends on its children when they have ended") {
  PartitionFixture fixture;
  fixture.SpawnOne();
  Worker worker(fixture, 1, 10, {"x", "child"});
  const platform::Identity bearer = BearerOf(fixture, worker.Task(1));
  const TaskId child = fixture.Spawn(Child("r"), bearer)->items[0].id;
  worker.Ack(worker.Task(2));
  REQUIRE(worker.AwaitConfirmed(1));
  v1::SpawnRequest next = Child("s");
  DependOn(next, child, true);
  const auto outcome = fixture.Spawn(next, bearer);
  REQUIRE(outcome.ok());
  CHECK(outcome->items[0].created);
  CHECK(worker.Task(3).arguments(0).task_id() == child.bytes());
}

TEST_CASE("A task token is renewed with the lease, and allows no more than the first") {
  PartitionFixture fixture;
  Worker worker(fixture);
  platform::Identity narrow = platform::Administrator("alice", "laptop");
  narrow.scopes = platform::Scopes::Parse("inputs:spawn:x");
  const auto spawned = fixture.Spawn(Child("r", "x"), narrow);
  REQUIRE(spawned.ok());
  const v1::Dispatch task = worker.Task(1);
  CHECK(Open(fixture, task.lease_token()).spawn_scope == "inputs:spawn:x");
  worker.Start(task);
  fixture.Settle();
  fixture.clock.Advance(fixture.options.engine.renew_interval);
  REQUIRE(worker.channel->Await([](const auto& heard) { return heard.all.renewals_size() > 0; }));
  const platform::Lease token =
      Open(fixture, worker.channel->heard().all.renewals(0).lease_token());
  CHECK(token.task == spawned->items[0].id);
  CHECK(token.expires == fixture.clock.Read().wall + fixture.options.lease_lifetime);
  CHECK(token.spawn_scope == "inputs:spawn:x");
}

TEST_CASE("A restart says which app restarted the task") {
  PartitionFixture fixture;
  const TaskId dead = fixture.EndInOneRow(1).front();
  const auto page = fixture.Restart({.viewer = As("alice"), .tasks = {dead}, .app = "desk"});
  REQUIRE(page.ok());
  REQUIRE(page->tasks[0].successor.ok());
  if (GENERATE(false, true)) fixture.Crash();
  CHECK(fixture.Get(*page->tasks[0].successor)->provenance.app == "desk");
  CHECK(fixture.Get(dead)->provenance.app == "laptop");
}

}  // namespace
}  // namespace kantoku::inputs::testing
