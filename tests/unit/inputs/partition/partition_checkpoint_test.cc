// What dispatches keep for later ones.
#include <catch2/catch.hpp>
#include <string>

#include "services/inputs/partition/record_codec.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

void Say(TestExecutor& executor, const v1::Dispatch& task, const std::string& data,
         uint64_t number = 1) {
  v1::PullRequest request;
  v1::Checkpoint& checkpoint = *request.add_checkpoints();
  checkpoint.set_task_id(task.task_id());
  checkpoint.set_dispatch(task.dispatch());
  checkpoint.set_number(number);
  checkpoint.set_data(data);
  executor.Say(request);
}

bool AwaitKept(const TestExecutor& executor, int count = 1) {
  return executor.channel->Await([count](const FakeChannel::Heard& heard) {
    return heard.all.checkpoints_confirmed_size() >= count;
  });
}

// Says it, and lets the moment pass that it waits for others.
void Keep(PartitionFixture& fixture, TestExecutor& executor, const v1::Dispatch& task,
          const std::string& data, int count = 1) {
  Say(executor, task, data, static_cast<uint64_t>(count));
  fixture.Settle();
  fixture.clock.Advance(CheckpointBook::kPatience);
  REQUIRE(AwaitKept(executor, count));
}

// Takes the task from whoever holds it and gives it out again.
void TakeBack(PartitionFixture& fixture, TestExecutor& executor, const v1::Dispatch& task) {
  const size_t asked = fixture.outputs->count();
  executor.Nack(task, v1::NACK_KIND_RETURNED);
  const auto fence = fixture.outputs->Asked(asked + 1);
  fixture.clock.Advance(absl::Seconds(30));  // The pause of tasks that come back.
  fixture.Answer(fence);
  fixture.Settle();
}

TEST_CASE("The next dispatch begins with what the one before has kept last") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId task = fixture.SpawnOne("payload");
  CHECK(executor.Task(1).checkpoint().empty());
  Keep(fixture, executor, executor.Task(1), "first");
  Keep(fixture, executor, executor.Task(1), "second", 2);
  TakeBack(fixture, executor, executor.Task(1));
  const auto next = executor.Task(2);
  CHECK(IdOf(next) == task);
  CHECK(next.checkpoint() == "second");
  CHECK(next.payload() == "payload");
  // And the one after it, unless that has kept something else, or nothing.
  TakeBack(fixture, executor, next);
  CHECK(executor.Task(3).checkpoint() == "second");
  Keep(fixture, executor, executor.Task(3), "", 3);
  TakeBack(fixture, executor, executor.Task(3));
  CHECK(executor.Task(4).checkpoint().empty());
}

TEST_CASE("A checkpoint is confirmed only when it is durable") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  const auto task = executor.Task(1);
  Say(executor, task, "kept", 7);
  fixture.Settle();
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();
  fixture.clock.Advance(CheckpointBook::kPatience);
  fixture.faults.AwaitCommits(commits + 1);
  CHECK(executor.channel->heard().all.checkpoints_confirmed_size() == 0);
  fixture.faults.OpenGate();
  REQUIRE(AwaitKept(executor));
  const auto confirmed = executor.channel->heard().all.checkpoints_confirmed(0);
  CHECK(confirmed.task_id() == task.task_id());
  CHECK(confirmed.dispatch() == 1);
  CHECK(confirmed.number() == 7);
  CHECK(confirmed.status().code() == 0);
}

TEST_CASE("Of checkpoints that come one after the other the newest is recorded and confirmed") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  const auto task = executor.Task(1);
  Say(executor, task, "first", 1);
  Say(executor, task, "second", 2);
  Say(executor, task, "third", 3);
  fixture.Settle();
  fixture.clock.Advance(CheckpointBook::kPatience);
  REQUIRE(AwaitKept(executor));
  const auto all = executor.channel->heard().all;
  REQUIRE(all.checkpoints_confirmed_size() == 1);
  CHECK(all.checkpoints_confirmed(0).number() == 3);
  TakeBack(fixture, executor, task);
  CHECK(executor.Task(2).checkpoint() == "third");
}

TEST_CASE("What a handler leaves in its last frame is what the next dispatch begins with") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  const auto task = executor.Task(1);
  v1::PullRequest request;
  v1::Nack& nack = *request.add_nacks();
  nack.set_task_id(task.task_id());
  nack.set_dispatch(1);
  nack.set_kind(v1::NACK_KIND_RETURNED);
  v1::Checkpoint& checkpoint = *request.add_checkpoints();
  checkpoint.set_task_id(task.task_id());
  checkpoint.set_dispatch(1);
  checkpoint.set_number(1);
  checkpoint.set_data("last");
  executor.Say(request);
  const auto fence = fixture.outputs->Asked(1);
  // Recorded with the hand-back, so that a crash now takes nothing.
  fixture.Crash();
  TestExecutor again(fixture, 2);
  again.Connect();
  fixture.Answer(fence);
  CHECK(again.Task(1).dispatch() == 2);
  CHECK(again.Task(1).checkpoint() == "last");
}

TEST_CASE("A checkpoint outlives a crash") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  const auto task = executor.Task(1);
  Keep(fixture, executor, task, "kept");
  fixture.Crash();
  TestExecutor again(fixture, 1);
  again.Connect({HeldOf(task, true)});
  TakeBack(fixture, again, task);
  CHECK(again.Task(1).checkpoint() == "kept");
}

TEST_CASE("A dispatch that is not held keeps nothing") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  TestExecutor other(fixture, 2, 0);
  executor.Connect();
  other.Connect();
  fixture.SpawnOne();
  const auto task = executor.Task(1);
  Say(other, task, "foreign");
  CHECK(other.Refusal(1).status().reason() == "NOT_HELD");
  auto stale = task;
  stale.set_dispatch(2);
  Say(executor, stale, "stale");
  CHECK(executor.Refusal(1).status().reason() == "STALE_DISPATCH");
  TakeBack(fixture, executor, task);
  CHECK(executor.Task(2).checkpoint().empty());
}

TEST_CASE("A checkpoint goes with its task, however that ends") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const auto end = GENERATE(0, 1, 2);
  const TaskId id = fixture.SpawnOne();
  const auto task = executor.Task(1);
  Keep(fixture, executor, task, "kept");
  if (end == 0) {
    executor.Ack(task);
    REQUIRE(executor.AwaitConfirmed(1));
  } else {
    if (end == 1) {
      executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
    } else {
      REQUIRE(fixture.Cancel(id).ok());
      executor.Nack(task, v1::NACK_KIND_CANCELLED);
    }
    const auto settlement = fixture.outputs->Asked(1);
    fixture.Answer(settlement, end == 1 ? TaskState::kFailed : TaskState::kCancelled);
  }
  const TaskState state = end == 0   ? TaskState::kSucceeded
                          : end == 1 ? TaskState::kFailed
                                     : TaskState::kCancelled;
  REQUIRE(fixture.Reaches(id, state));
  // Recovery counts what is there.
  fixture.options.max_checkpoint_bytes = 4;
  fixture.Restart();
  TestExecutor again(fixture, 2);
  again.Connect();
  fixture.SpawnOne();
  Keep(fixture, again, again.Task(1), "full");
}

TEST_CASE("Checkpoints of all tasks are bounded, and one that is replaced gives back its bytes") {
  PartitionOptions options;
  options.max_checkpoint_bytes = 10;
  PartitionFixture fixture(options);
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  fixture.SpawnOne();
  const auto one = executor.Task(1);
  const auto two = executor.Task(2);
  Keep(fixture, executor, one, "12345678");
  Say(executor, two, "123");
  REQUIRE(AwaitKept(executor, 2));
  const auto refused = executor.channel->heard().all.checkpoints_confirmed(1);
  CHECK(refused.status().reason() == "CHECKPOINTS_FULL");
  CHECK(refused.status().code() == static_cast<int>(absl::StatusCode::kResourceExhausted));
  Keep(fixture, executor, one, "1234567", 3);
  Keep(fixture, executor, two, "123", 4);
  CHECK(executor.channel->heard().all.checkpoints_confirmed(3).status().code() == 0);
}

TEST_CASE("A task whose checkpoint cannot be read goes back, and others do not") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const auto task = executor.Task(1);
  Keep(fixture, executor, task, "kept");
  REQUIRE(fixture
              .ReopenAfter([&](platform::WriteBatch& batch) {
                std::string other;
                Encode(StoredCheckpoint{TaskId(), 1, "another's"}, other);
                batch.Put(ToKind(RecordKind::kCheckpoint), id.key(), other);
              })
              .ok());
  fixture.Restart();
  TestExecutor again(fixture, 1);
  again.Connect({HeldOf(task, true)});
  TakeBack(fixture, again, task);
  // Its next dispatch is asked to be closed without having been sent.
  CHECK(fixture.outputs->Asked(2).dispatch() == 2);
  CHECK(again.tasks() == 0);
  fixture.SpawnOne("other");
  CHECK(again.Task(1).payload() == "other");
}

}  // namespace
}  // namespace kantoku::inputs::testing
