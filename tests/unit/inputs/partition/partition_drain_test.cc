#include <catch2/catch.hpp>
#include <memory>

#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

TEST_CASE("A drain is told to every executor") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.partition().Drain(absl::Milliseconds(1'500));
  REQUIRE(executor.channel->Await([](const auto& heard) { return heard.all.has_drain(); }));
  CHECK(executor.channel->heard().all.drain().within().seconds() == 1);
  CHECK(executor.channel->heard().all.drain().within().nanos() == 500'000'000);
}

TEST_CASE("A drain ends connections when nothing runs behind them, and dispatches nothing more") {
  PartitionFixture fixture;
  TestExecutor idle(fixture, 1, 10, {"other"});
  idle.Connect();
  TestExecutor busy(fixture, 2);
  busy.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = busy.Task(1);
  busy.Start(task);
  fixture.Settle();
  fixture.partition().Drain(absl::Seconds(10));

  const auto ended = [](const FakeChannel::Heard& heard) {
    return heard.all.has_drain() && heard.closed.has_value() &&
           ReasonOf(*heard.closed) == "DRAINING";
  };
  CHECK(idle.channel->Await(ended));
  CHECK(fixture.partition().Connect(std::make_shared<FakeChannel>()).status().code() ==
        absl::StatusCode::kUnavailable);
  (void)fixture.SpawnOne();
  fixture.Settle();
  CHECK(busy.tasks() == 1);
  CHECK_FALSE(busy.channel->heard().closed.has_value());

  SECTION("the busy one when it is done") {
    busy.Ack(task);
    CHECK(busy.channel->Await(ended));
    CHECK(busy.channel->heard().all.confirmed_size() == 1);
    CHECK(fixture.Get(id)->state == TaskState::kSucceeded);
  }
  SECTION("the busy one before the time is over, and its task stays with it") {
    fixture.clock.Advance(absl::Seconds(8));
    CHECK(busy.channel->Await(ended));
    busy.Disconnect();
    CHECK(fixture.Get(id)->state == TaskState::kRunning);
  }
}

}  // namespace
}  // namespace kantoku::inputs::testing
