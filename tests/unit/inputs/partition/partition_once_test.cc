// Tasks of effect ONCE: what is recorded of their start, and when it is told.
#include <catch2/catch.hpp>

#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

TaskId SpawnOnce(PartitionFixture& fixture) {
  v1::SpawnRequest request;
  request.set_request_id("once");
  request.add_specs()->set_type("x");
  request.mutable_specs(0)->set_effect(task::v1::EFFECT_ONCE);
  const auto outcome = fixture.Spawn(request);
  REQUIRE(outcome.ok());
  return outcome->items[0].id;
}

bool AwaitStart(const TestExecutor& executor) {
  return executor.channel->Await(
      [](const FakeChannel::Heard& heard) { return heard.all.starts_confirmed_size() == 1; });
}

TEST_CASE("The start of a ONCE task is confirmed only when it is durable") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  SpawnOnce(fixture);
  const auto task = executor.Task(1);
  CHECK(task.confirm_start());
  fixture.Settle();
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();
  executor.Start(task);
  fixture.faults.AwaitCommits(commits + 1);
  CHECK(executor.channel->heard().all.starts_confirmed_size() == 0);
  fixture.faults.OpenGate();
  REQUIRE(AwaitStart(executor));
  const auto start = executor.channel->heard().all.starts_confirmed(0);
  CHECK(start.task_id() == task.task_id());
  CHECK(start.dispatch() == 1);
}

TEST_CASE("A ONCE task is one after a crash, too") {
  PartitionFixture fixture;
  SpawnOnce(fixture);
  fixture.Crash();
  TestExecutor executor(fixture, 1);
  executor.Connect();
  CHECK(executor.Task(1).confirm_start());
}

TEST_CASE("A start that was confirmed is not forgotten in a crash") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId task = SpawnOnce(fixture);
  executor.Start(executor.Task(1));
  REQUIRE(AwaitStart(executor));
  fixture.Crash();
  fixture.Settle();
  fixture.clock.Advance(absl::Seconds(20));  // The grace.
  const auto settlement = fixture.outputs->Asked(1);
  CHECK(settlement.task_id() == task.bytes());
  CHECK(settlement.settlement().error().reason() == "UNKNOWN_OUTCOME");
}

}  // namespace
}  // namespace kantoku::inputs::testing
