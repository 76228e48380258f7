// Restarts of dead tasks: what is recorded, sent, and answered again.
#include <catch2/catch.hpp>
#include <set>

#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

RestartCommand Of(std::vector<TaskId> tasks) {
  return {.name_space = "default", .viewer = As("alice"), .tasks = std::move(tasks)};
}

RestartCommand Matching(std::string type = "") {
  return {
      .name_space = "default", .viewer = As("alice"), .matching = true, .type = std::move(type)};
}

// One that waited, with the payload "p".
TaskId KillOne(PartitionFixture& fixture) {
  const TaskId task = fixture.SpawnOne();
  const size_t asked = fixture.outputs->count();
  REQUIRE(fixture.Cancel(task).ok());
  fixture.Answer(fixture.outputs->Asked(asked + 1), TaskState::kCancelled);
  REQUIRE(fixture.Reaches(task, TaskState::kCancelled));
  return task;
}

TEST_CASE("A restarted task is dispatched with the payload of the dead one, after a crash too") {
  PartitionFixture fixture;
  const TaskId dead = KillOne(fixture);
  const auto page = fixture.Restart(Of({dead}));
  REQUIRE(page.ok());
  REQUIRE(page->tasks.size() == 1);
  REQUIRE(page->tasks[0].successor.ok());
  const TaskId id = *page->tasks[0].successor;
  CHECK(page->tasks[0].created);
  CHECK(id != dead);
  if (GENERATE(false, true)) fixture.Crash();
  CHECK(fixture.Get(id)->restarted_from == dead);
  CHECK(fixture.Get(dead)->restarted_as == id);
  CHECK(fixture.Get(dead)->state == TaskState::kCancelled);
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const auto task = executor.Task(1);
  CHECK(IdOf(task) == id);
  CHECK(task.payload() == "p");
  CHECK(task.attempt() == 1);
  // The same call again, and of the same task alone, has the same answer.
  const auto again = fixture.Restart(Of({dead, dead}));
  CHECK(*again->tasks[0].successor == id);
  CHECK(*again->tasks[1].successor == id);
  CHECK(!again->tasks[0].created);
}

TEST_CASE("Only dead tasks of one's own are restarted") {
  PartitionFixture fixture;
  const TaskId living = fixture.SpawnOne();
  const TaskId dead = fixture.EndInOneRow(1).front();
  const auto page = fixture.Restart(Of({living, dead, TaskId()}));
  CHECK(ReasonOf(page->tasks[0].successor.status()) == "TASK_LIVES");
  CHECK(page->tasks[1].successor.ok());
  CHECK(ReasonOf(page->tasks[2].successor.status()) == "NO_SUCH_TASK");
  auto foreign = Of({dead});
  foreign.viewer = As("bob");
  CHECK(ReasonOf(fixture.Restart(foreign)->tasks[0].successor.status()) == "NO_SUCH_TASK");
  auto all_of_bob = Matching();
  all_of_bob.viewer = As("bob");
  CHECK(fixture.Restart(all_of_bob)->tasks.empty());
  TestExecutor executor(fixture, 1);
  executor.Connect();
  executor.Ack(executor.Task(1));
  REQUIRE(executor.AwaitConfirmed(1));
  const TaskId done = IdOf(executor.Task(1));
  CHECK(ReasonOf(fixture.Restart(Of({done}))->tasks[0].successor.status()) == "TASK_SUCCEEDED");
}

TEST_CASE("All that match are restarted page by page, each once") {
  PartitionFixture fixture;
  const auto first = fixture.EndInOneRow(5);
  const auto second = fixture.EndInOneRow(4);
  auto command = Matching("in.a.row");
  command.limit = 2;
  std::set<TaskId> dead;
  std::set<TaskId> successors;
  do {
    const auto page = fixture.Restart(command);
    REQUIRE(page.ok());
    CHECK(page->tasks.size() <= 2);
    // A page that is asked for again is the same.
    const auto again = fixture.Restart(command);
    for (size_t i = 0; i < page->tasks.size(); ++i) {
      CHECK(page->tasks[i].created);
      CHECK(!again->tasks[i].created);
      CHECK(*again->tasks[i].successor == *page->tasks[i].successor);
      CHECK(dead.insert(page->tasks[i].dead).second);
      CHECK(successors.insert(*page->tasks[i].successor).second);
    }
    command.page_token = page->next;
  } while (!command.page_token.empty());
  CHECK(dead.size() == 9);
  CHECK(successors.size() == 9);
  CHECK(
      fixture.List({.name_space = "default", .viewer = As("alice"), .states = {TaskState::kReady}})
          ->tasks.size() == 9);
}

// Each depends on the one before.
std::vector<TaskId> SpawnChain(PartitionFixture& fixture, int count) {
  v1::SpawnRequest request;
  request.set_request_id("chain");
  for (int i = 0; i < count; ++i) {
    auto& spec = *request.add_specs();
    spec.set_type("x");
    if (i > 0) spec.add_dependencies()->set_index(i - 1);
  }
  const auto outcome = fixture.Spawn(request);
  REQUIRE(outcome.ok());
  std::vector<TaskId> chain;
  for (const auto& item : outcome->items) chain.push_back(item.id);
  return chain;
}

// One that waits.
void Kill(PartitionFixture& fixture, const TaskId& task) {
  REQUIRE(fixture.Cancel(task).ok());
  fixture.partition().AnswerFences({{task, 0, TaskState::kCancelled}});
  REQUIRE(fixture.Reaches(task, TaskState::kCancelled));
}

void CheckChain(PartitionFixture& fixture, const std::vector<TaskId>& successors) {
  CHECK(fixture.Get(successors[0])->state == TaskState::kReady);
  for (size_t i = 1; i < successors.size(); ++i) {
    CHECK(fixture.Get(successors[i])->state == TaskState::kBlocked);
    CHECK(fixture.Get(successors[i])->open_dependency == successors[i - 1]);
  }
}

TEST_CASE("A page restarts what a task depends on before it, in whatever order they have ended") {
  PartitionFixture fixture;
  const std::vector<TaskId> chain = SpawnChain(fixture, 3);
  for (const int i : {2, 0, 1}) {
    if (i != 1) {
      Kill(fixture, chain[static_cast<size_t>(i)]);
      continue;
    }
    fixture.partition().AnswerFences({{chain[1], 0, TaskState::kFailed}});
    REQUIRE(fixture.Reaches(chain[1], TaskState::kFailed));
  }
  const auto page = fixture.Restart(Matching());
  REQUIRE(page->tasks.size() == 3);
  std::vector<TaskId> successors;
  for (size_t i = 0; i < 3; ++i) {
    CHECK(page->tasks[i].dead == chain[i]);
    REQUIRE(page->tasks[i].successor.ok());
    successors.push_back(*page->tasks[i].successor);
  }
  CheckChain(fixture, successors);
  if (GENERATE(false, true)) {
    fixture.Crash();
    CheckChain(fixture, successors);
  }
}

// The first was cancelled, and the others failed because of that, one after the other.
std::vector<TaskId> SpawnDeadChain(PartitionFixture& fixture, int count) {
  std::vector<TaskId> chain = SpawnChain(fixture, count);
  Kill(fixture, chain[0]);
  for (size_t i = 1; i < chain.size(); ++i) {
    fixture.partition().AnswerFences({{chain[i], 0, TaskState::kFailed}});
    REQUIRE(fixture.Reaches(chain[i], TaskState::kFailed));
  }
  return chain;
}

TEST_CASE("Ids are restarted in the order of their spawn, and answered in that of the call") {
  PartitionFixture fixture;
  const std::vector<TaskId> chain = SpawnDeadChain(fixture, 3);
  const auto page = fixture.Restart(Of({chain[2], TaskId(), chain[0], chain[1]}));
  REQUIRE(page->tasks.size() == 4);
  CHECK(page->tasks[0].dead == chain[2]);
  CHECK(ReasonOf(page->tasks[1].successor.status()) == "NO_SUCH_TASK");
  CHECK(page->tasks[2].dead == chain[0]);
  CHECK(page->tasks[3].dead == chain[1]);
  CheckChain(fixture,
             {*page->tasks[2].successor, *page->tasks[3].successor, *page->tasks[0].successor});
}

TEST_CASE("What depends on a task that is not restarted is not restarted in the same call") {
  PartitionFixture fixture;
  const std::vector<TaskId> chain = SpawnDeadChain(fixture, 3);
  const TaskId other = KillOne(fixture);
  REQUIRE(fixture
              .ReopenAfter([&](platform::WriteBatch& batch) {
                batch.Erase(ToKind(RecordKind::kSpec), chain[0].key());
              })
              .ok());
  fixture.Restart();
  auto command = GENERATE(false, true) ? Matching() : Of({chain[2], chain[1], chain[0], other});
  command.dry_run = GENERATE(false, true);
  const auto page = fixture.Restart(command);
  REQUIRE(page->tasks.size() == 4);
  for (const auto& task : page->tasks) {
    if (task.dead == other) {
      CHECK(task.successor.ok());
    } else {
      CHECK(ReasonOf(task.successor.status()) ==
            (task.dead == chain[0] ? "DAMAGED_RECORD" : "DEPENDENCY_REFUSED"));
      CHECK(fixture.Get(task.dead)->restarted_as.empty());
    }
  }
  // Alone it is what somebody wants.
  CHECK(fixture.Restart(Of({chain[1]}))->tasks[0].successor.ok());
}

TEST_CASE("Pages restart what has failed before what failed because of it, and nothing newer") {
  PartitionFixture fixture;
  const std::vector<TaskId> chain = SpawnDeadChain(fixture, 3);
  auto command = Matching();
  command.limit = 1;
  std::vector<TaskId> dead;
  std::vector<TaskId> successors;
  do {
    const auto page = fixture.Restart(command);
    REQUIRE(page.ok());
    for (const auto& task : page->tasks) {
      dead.push_back(task.dead);
      REQUIRE(task.successor.ok());
      successors.push_back(*task.successor);
    }
    if (dead.size() == 1) Kill(fixture, fixture.SpawnOne());
    command.page_token = page->next;
  } while (!command.page_token.empty());
  REQUIRE(dead == chain);
  CheckChain(fixture, successors);
  for (const char* const token : {"1", "1.0", "1.0.", "1.0.2.", "1.0.2x", ".1.2", "1.0.-2"}) {
    command.page_token = token;
    CHECK(ReasonOf(fixture.Restart(command).status()) == "BAD_PAGE_TOKEN");
  }
  command.page_token = "1.0.18446744073709551615";  // No further than there is.
  CHECK(fixture.Restart(command).ok());
}

TEST_CASE("Who restarts by a filter gets what fits it, and with a dry run nothing") {
  PartitionFixture fixture;
  const auto dead = fixture.EndInOneRow(3);
  CHECK(fixture.Restart(Matching("other"))->tasks.empty());
  auto command = Matching();
  command.reason = "TIMEOUT";
  CHECK(fixture.Restart(command)->tasks.empty());
  command.reason = "CANCELLED";
  command.states = {TaskState::kFailed};
  CHECK(fixture.Restart(command)->tasks.empty());
  command.states = {TaskState::kCancelled};
  command.ended_before = fixture.clock.Read().wall - absl::Hours(1);
  CHECK(fixture.Restart(command)->tasks.empty());
  command.ended_before = absl::InfiniteFuture();
  command.dry_run = true;
  const auto dry = fixture.Restart(command);
  REQUIRE(dry->tasks.size() == 3);
  for (const auto& task : dry->tasks) {
    CHECK(task.successor.ok());
    CHECK(task.successor->empty());
    CHECK(!task.created);
  }
  CHECK(fixture.Get(dead[0])->restarted_as.empty());
  command.page_token = "nonsense";
  CHECK(ReasonOf(fixture.Restart(command).status()) == "BAD_PAGE_TOKEN");
}

}  // namespace
}  // namespace kantoku::inputs::testing
