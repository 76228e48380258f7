// Restarts of dead tasks: what is recorded, sent, and answered again.
#include <catch2/catch.hpp>
#include <set>

#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

RestartCommand Of(std::vector<TaskId> tasks) {
  return {.name_space = "default", .owner = "alice", .tasks = std::move(tasks)};
}

RestartCommand Matching(std::string type = "") {
  return {.name_space = "default", .owner = "alice", .matching = true, .type = std::move(type)};
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
  foreign.owner = "bob";
  CHECK(ReasonOf(fixture.Restart(foreign)->tasks[0].successor.status()) == "NO_SUCH_TASK");
  auto all_of_bob = Matching();
  all_of_bob.owner = "bob";
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
  CHECK(fixture.List({.name_space = "default", .owner = "alice", .states = {TaskState::kReady}})
            ->tasks.size() == 9);
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
