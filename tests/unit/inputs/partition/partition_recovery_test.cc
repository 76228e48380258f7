#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/store.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// What a partition is after it was opened again.
namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

v1::SpawnRequest Request(const std::string& id, int specs = 1) {
  v1::SpawnRequest request;
  request.set_request_id(id);
  for (int i = 0; i < specs; ++i) request.add_specs()->set_type("x");
  return request;
}

// Ends all that is held by acks, and returns how many that were.
int Finish(TestExecutor& executor, int tasks) {
  for (int i = 1; i <= tasks; ++i) executor.Ack(executor.Task(i));
  return executor.AwaitConfirmed(tasks) ? tasks : -1;
}

TEST_CASE("A task that waited is dispatched after a restart, with its payload from the store") {
  PartitionFixture fixture;
  const TaskId id = fixture.SpawnOne("kept");
  fixture.Restart();
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const v1::Dispatch task = executor.Task(1);
  CHECK(IdOf(task) == id);
  CHECK(task.payload() == "kept");
}

TEST_CASE("After a kill everything that was answered is there, and goes to its end") {
  PartitionFixture fixture;
  const auto first = fixture.Spawn(Request("r1", 20));
  TestExecutor executor(fixture, 1, 5);
  executor.Connect();
  (void)executor.Task(5);
  fixture.Crash();
  const auto again = fixture.Spawn(Request("r1", 20));
  REQUIRE(again.ok());
  for (int i = 0; i < 20; ++i) CHECK(again->items[i].id == first->items[i].id);
  CHECK(fixture.List({.name_space = "default", .viewer = As("alice")})->tasks.size() == 20);
}

TEST_CASE("Nothing is due before recovery is over, whatever waits for a time") {
  PartitionFixture fixture;
  v1::SpawnRequest request = Request("r1");
  request.mutable_specs(0)->mutable_not_before()->set_seconds(
      absl::ToUnixSeconds(fixture.clock.Read().wall) + 60);
  REQUIRE(fixture.Spawn(request).ok());
  absl::Duration due = absl::ZeroDuration();
  fixture.options.start_runner = [&](platform::PartitionRunner::Options runner, auto& store,
                                     platform::PartitionMachine& machine, auto& clock) {
    due = machine.NextWake();
    return platform::PartitionRunner::Start(std::move(runner), store, machine, clock);
  };
  fixture.Crash();
  CHECK(due == absl::InfiniteDuration());
}

TEST_CASE("Ids are never given twice, whatever was lost in a kill") {
  PartitionFixture fixture;
  std::set<TaskKey> keys;
  for (int i = 0; i < 5; ++i) {
    const auto outcome = fixture.Spawn(Request("r" + std::to_string(i), 10));
    for (const auto& item : outcome->items) CHECK(keys.insert(item.id.key()).second);
    fixture.Crash();
  }
}

TEST_CASE("Leased tasks have a fresh grace after a restart, and their executors go on") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  fixture.Settle();
  fixture.Crash();
  CHECK(fixture.Get(id)->state == TaskState::kLeased);
  CHECK(fixture.Get(id)->session == MakeSession(1));

  fixture.clock.Advance(absl::Seconds(19));
  executor.Connect({HeldOf(task, true)});
  CHECK(executor.channel->heard().all.welcome().held(0).status().code() == 0);
  fixture.clock.Advance(absl::Seconds(5));
  fixture.Settle();
  CHECK(fixture.Get(id)->state == TaskState::kRunning);
  CHECK(fixture.outputs->count() == 0);
  executor.Ack(task);
  CHECK(executor.AwaitConfirmed(1));
  CHECK(fixture.Get(id)->state == TaskState::kSucceeded);
}

TEST_CASE(
    "An executor that does not come back after a restart loses its tasks when grace is over") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  (void)executor.Task(1);
  fixture.Restart();
  fixture.Settle();
  fixture.clock.Advance(absl::Seconds(20));
  const auto fence = fixture.outputs->Asked(1);
  CHECK(fence.task_id() == id.bytes());
  CHECK(fence.dispatch() == 1);
  fixture.Answer(fence);
  TestExecutor other(fixture, 2);
  other.Connect();
  CHECK(other.Task(1).dispatch() == 2);
}

TEST_CASE("Another caller cannot take a session over after a restart") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  (void)fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Restart();
  TestExecutor rogue(fixture, 1);
  rogue.caller = platform::Administrator("mallory", "laptop");
  rogue.Connect({HeldOf(task)});
  CHECK(rogue.channel->heard().closed.has_value());
  executor.Connect({HeldOf(task)});
  CHECK(executor.channel->heard().all.welcome().held(0).status().code() == 0);
}

TEST_CASE(
    "A fence that was not answered is asked again after a restart, and a settlement as well") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId returned = fixture.SpawnOne();
  executor.Nack(executor.Task(1), v1::NACK_KIND_RETURNED);
  const TaskId failed = fixture.SpawnOne();
  executor.Nack(executor.Task(2), v1::NACK_KIND_FAILED_FINALLY, "broken for good");
  (void)fixture.outputs->Asked(2);
  executor.Disconnect();
  fixture.Settle();
  fixture.Crash();

  outputs::v1::FenceItem fence = fixture.outputs->Asked(1);
  outputs::v1::FenceItem settlement = fixture.outputs->Asked(2);
  if (fence.has_settlement()) std::swap(fence, settlement);
  CHECK(fence.task_id() == returned.bytes());
  CHECK(fence.dispatch() == 1);
  CHECK(settlement.task_id() == failed.bytes());
  REQUIRE(settlement.has_settlement());
  CHECK(settlement.settlement().error().message() == "broken for good");
  executor.Connect();
  fixture.Settle();
  CHECK(executor.tasks() == 0);
  fixture.Answer(fence);
  CHECK(executor.Task(1).dispatch() == 2);
  fixture.Answer(settlement, TaskState::kFailed);
  CHECK(fixture.Reaches(failed, TaskState::kFailed));
}

TEST_CASE("A cancel that was answered is not forgotten by a kill") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  REQUIRE(fixture.Cancel(id).ok());
  fixture.Crash();
  CHECK(fixture.Get(id)->state == TaskState::kCancelling);
  executor.Connect({HeldOf(task, true)});
  CHECK(executor.Control(1).action() == v1::HANDLER_ACTION_CANCEL);
}

TEST_CASE("Ended tasks, references and repeats outlive a restart") {
  PartitionFixture fixture;
  auto request = Request("r1");
  request.mutable_specs(0)->set_reference("mine");
  const TaskId id = fixture.Spawn(request)->items[0].id;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  REQUIRE(Finish(executor, 1) == 1);
  fixture.Crash();
  CHECK(fixture.Get(id)->state == TaskState::kSucceeded);
  CHECK(fixture.Get(id)->reference == "mine");
  CHECK(fixture.Get(id)->ended_at.has_value());
  CHECK(fixture.Spawn(request)->items[0].id == id);
  request.set_request_id("r2");
  const auto equal = fixture.Spawn(request);
  CHECK(equal->items[0].id == id);
  CHECK_FALSE(equal->items[0].created);
}

TEST_CASE("A backoff goes on where it was") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  auto request = Request("r");
  request.mutable_specs(0)->mutable_retry()->mutable_initial_backoff()->set_seconds(10);
  request.mutable_specs(0)->mutable_retry()->set_jitter(0);
  const TaskId id = fixture.Spawn(request)->items[0].id;
  executor.Nack(executor.Task(1), v1::NACK_KIND_FAILED, "no such file");
  (void)fixture.outputs->Asked(1);
  fixture.Crash();
  fixture.Answer(fixture.outputs->Asked(1));
  fixture.Settle();
  const auto view = fixture.Get(id);
  CHECK(view->state == TaskState::kScheduled);
  CHECK(view->cause == WaitCause::kBackoff);
  CHECK(view->failed_attempts == 1);
  CHECK(view->last_failure == Failure{"HANDLER_FAILED", "no such file"});
  executor.Connect();
  fixture.Settle();
  CHECK(executor.tasks() == 0);
  fixture.clock.Advance(absl::Seconds(10));
  CHECK(executor.Task(1).attempt() == 2);
}

// ---- Events ----

TEST_CASE(
    "Lines that Events has not confirmed are sent again after a restart, under their numbers") {
  PartitionFixture fixture;
  (void)fixture.SpawnOne();
  (void)fixture.SpawnOne();
  fixture.Settle();
  const auto before = fixture.events->sent();
  REQUIRE(before.size() == 2);
  const std::string source = fixture.partition().event_source();
  fixture.Crash();
  CHECK(fixture.events->sent() == before);
  CHECK(fixture.partition().event_source() == source);
}

TEST_CASE("Confirmed lines leave with the next commit, and numbers go on upwards without them") {
  PartitionFixture fixture;
  (void)fixture.SpawnOne();
  fixture.Settle();
  uint64_t last = fixture.events->sent().back().first;
  for (int i = 0; i < 3; ++i) {
    fixture.partition().ConfirmEvents(last);
    (void)fixture.SpawnOne();
    fixture.Settle();
    fixture.partition().ConfirmEvents(fixture.events->sent().back().first);
    (void)fixture.SpawnOne();
    fixture.Settle();
    last = fixture.events->sent().back().first;
    fixture.Crash();
    // The two before are confirmed; the last was not.
    REQUIRE(fixture.events->sent().size() == 1);
    CHECK(fixture.events->sent()[0].first == last);
  }
}

TEST_CASE("With an empty outbox a restart still numbers upwards") {
  PartitionFixture fixture;
  (void)fixture.SpawnOne();
  fixture.Settle();
  const uint64_t last = fixture.events->sent().back().first;
  fixture.partition().ConfirmEvents(last);
  TestExecutor executor(fixture, 1);
  fixture.options.events = false;  // A commit that adds no line.
  (void)fixture.SpawnOne();
  fixture.Settle();
  fixture.partition().ConfirmEvents(fixture.events->sent().back().first);
  executor.Connect();
  fixture.Settle();
  const uint64_t newest = fixture.events->sent().back().first;
  fixture.options.events = true;
  fixture.Restart();
  for (const auto& [number, bytes] : fixture.events->sent()) CHECK(number <= newest);
  const size_t resent = fixture.events->sent().size();
  (void)fixture.SpawnOne();
  fixture.Settle();
  REQUIRE(fixture.events->sent().size() == resent + 1);
  CHECK(fixture.events->sent().back().first > newest);
}

uint64_t PreviousOf(const std::string& line) {
  events::v1::EventBatch batch;
  REQUIRE(batch.ParseFromString(line));
  return batch.previous();
}

TEST_CASE("A spawn may need several lines, and numbers stay above them after a restart") {
  PartitionFixture fixture;
  v1::SpawnRequest request;
  request.set_request_id("many");
  constexpr size_t kTasks = 50'000;  // Each with a run of its own, as each type is another one.
  for (size_t i = 0; i < kTasks; ++i) {
    request.add_specs()->set_type(absl::StrCat(i) + std::string(100, 't'));
  }
  REQUIRE(fixture.Spawn(request).ok());
  fixture.Settle();
  const auto lines = fixture.events->sent();
  REQUIRE(lines.size() > 1);
  for (size_t i = 1; i < lines.size(); ++i)
    CHECK(PreviousOf(lines[i].second) == lines[i - 1].first);
  CHECK(fixture.events->Types() == std::vector<std::string>(kTasks, "task.created"));
  fixture.partition().ConfirmEvents(lines.back().first);
  (void)fixture.SpawnOne();  // The confirmed ones leave.
  fixture.Restart();
  for (const auto& line : fixture.events->sent()) CHECK(line.first > lines.back().first);
  (void)fixture.SpawnOne();
  fixture.Settle();
  CHECK(fixture.events->sent().back().first > lines.back().first + 1);
}

TEST_CASE("While Events is away its lines are kept up to a bound, then the oldest leave") {
  PartitionOptions options;
  options.max_event_backlog_bytes = 1'000;
  PartitionFixture fixture(options);
  for (int i = 0; i < 50; ++i) (void)fixture.SpawnOne();
  fixture.Settle();
  const auto all = fixture.events->sent();
  fixture.Restart();
  const auto kept = fixture.events->sent();
  REQUIRE_FALSE(kept.empty());
  CHECK(kept.size() < all.size());
  CHECK(kept.back() == all.back());
  size_t bytes = 0;
  for (const auto& line : kept) bytes += line.second.size();
  // Every line names the one before it: so Events notices what has left.
  uint64_t previous = 0;
  for (const auto& [number, line] : all) {
    CHECK(PreviousOf(line) == previous);
    previous = number;
  }
  CHECK(PreviousOf(kept.front().second) > 0);
  (void)fixture.SpawnOne();
  fixture.Settle();
  CHECK(PreviousOf(fixture.events->sent().back().second) == previous);
  CHECK(bytes <= 1'200);  // A trim goes with a commit: the last line may be over.
}

// ---- Damage ----

TEST_CASE("A damaged record is DATA_LOSS, and what is there stays") {
  const std::vector<RecordKind> kinds = {
      RecordKind::kSpec,    RecordKind::kState,     RecordKind::kGroup,   RecordKind::kSession,
      RecordKind::kRequest, RecordKind::kReference, RecordKind::kHistory, RecordKind::kDead,
      RecordKind::kMeta,    RecordKind::kHighWater};
  for (const RecordKind kind : kinds) {
    INFO(static_cast<int>(kind));
    PartitionFixture fixture;
    (void)fixture.SpawnOne();
    const absl::Status status = fixture.ReopenAfter(
        [&](platform::WriteBatch& batch) { batch.Put(ToKind(kind), 5, "\x01\xFF damaged"); });
    CHECK(status.code() == absl::StatusCode::kDataLoss);
    CHECK(ReasonOf(status) == "DAMAGED_RECORD");
    CHECK(std::string(status.message()).find("key 5") != std::string::npos);
  }
}

TEST_CASE("A store that was made with another number of slots is not opened") {
  PartitionFixture fixture;
  (void)fixture.SpawnOne();
  fixture.options.engine.slot_count = 64;
  const absl::Status status = fixture.ReopenAfter(
      [](platform::WriteBatch& batch) { batch.Erase(ToKind(RecordKind::kState), 1); });
  CAPTURE(status.ToString());
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "SLOT_COUNT_DIFFERS");
  CHECK_THAT(std::string(status.message()), Catch::Contains("made with 256 slots"));
}

TEST_CASE("A spec under the key of another task is damage") {
  PartitionFixture fixture;
  std::string body;
  TaskSpec spec;
  spec.type = "x";
  EncodeSpecBody("default", "alice", spec, "", "", body);
  std::string bytes;
  EncodeSpec(TaskId::Make(absl::UnixEpoch(), 1, 9, 0), {}, {}, {}, body, bytes);
  CHECK(fixture
            .ReopenAfter([&](platform::WriteBatch& batch) {
              batch.Put(ToKind(RecordKind::kSpec), 77, bytes);
            })
            .code() == absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace kantoku::inputs::testing
