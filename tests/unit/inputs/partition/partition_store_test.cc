#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <string>
#include <thread>

#include "absl/time/clock.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// A store that fails, and payloads that are only in the store.
namespace kantoku::inputs::testing {
namespace {

using platform::Error;
using platform::ReasonOf;

v1::SpawnRequest Request(const std::string& id) {
  v1::SpawnRequest request;
  request.set_request_id(id);
  request.add_specs()->set_type("x");
  return request;
}

absl::Status DiskFull() {
  return Error(absl::StatusCode::kResourceExhausted, "DISK_FULL", "sqlite: disk is full");
}

// Lets the partition repeat the commit that failed, with success.
void Recover(PartitionFixture& fixture) {
  REQUIRE(fixture.clock.AwaitWaiter(absl::Milliseconds(100)));  // It pauses, and so stands still.
  fixture.faults.FailAllCommits(absl::OkStatus());
  fixture.clock.Advance(absl::Milliseconds(100));
  const absl::Time give_up = absl::Now() + absl::Seconds(30);
  while (!fixture.partition().health().ok() && absl::Now() < give_up) std::this_thread::yield();
  REQUIRE(fixture.partition().health().ok());
}

TEST_CASE("A full disk refuses spawns with its reason, loses nothing, and is survived") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId before = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Settle();

  fixture.faults.FailAllCommits(DiskFull());
  const absl::Status first = fixture.Spawn(Request("r")).status();
  CHECK(first.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(first) == "DISK_FULL");
  const absl::Status second = fixture.Spawn(Request("r2")).status();
  CHECK(second.code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(second) == "DISK_FULL");
  CHECK_FALSE(fixture.partition().health().ok());
  executor.Ack(task);  // Waits.
  CHECK(executor.tasks() == 1);

  Recover(fixture);
  CHECK(executor.AwaitConfirmed(1));
  CHECK(fixture.Get(before)->state == TaskState::kSucceeded);
  // The first spawn's outcome was open: its repeat tells it, and there is one task of it.
  const auto again = fixture.Spawn(Request("r"));
  REQUIRE(again.ok());
  CHECK(fixture.Get(again->items[0].id).ok());
  CHECK(IdOf(executor.Task(2)) == again->items[0].id);
  // The second never began.
  CHECK(fixture.List({.name_space = "default", .viewer = As("alice")})->tasks.size() == 2);
  CHECK(fixture.Spawn(Request("r2")).ok());
}

TEST_CASE("A commit whose outcome was lost is repeated, and nothing happens twice") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.Settle();
  fixture.faults.LoseOutcome(absl::UnavailableError("connection lost"));
  CHECK(fixture.Spawn(Request("r")).status().code() == absl::StatusCode::kUnavailable);
  CHECK(executor.tasks() == 0);
  Recover(fixture);
  (void)executor.Task(1);
  fixture.Settle();
  CHECK(executor.tasks() == 1);
  size_t created = 0;
  for (const std::string& type : fixture.events->Types()) created += type == "task.created";
  CHECK(created == 1);
}

TEST_CASE("A full disk while executors come and go confirms nothing that is not durable") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Settle();
  fixture.faults.FailAllCommits(DiskFull());
  CHECK_FALSE(fixture.Spawn(Request("r")).ok());  // The store is known to fail from here on.
  executor.Ack(task);
  fixture.Crash();  // Before the ack was durable.
  CHECK(fixture.Get(id)->state == TaskState::kLeased);
  executor.Connect({HeldOf(task, true, executor.ReceiptFor(task))});
  CHECK(executor.channel->heard().all.welcome().held(0).confirmed());
  CHECK(fixture.Get(id)->state == TaskState::kSucceeded);
}

TEST_CASE("Another owner of the store ends this one") {
  PartitionFixture fixture;
  fixture.faults.FailCommit(absl::AbortedError("fenced"));
  // Who repeats finds the other owner.
  CHECK(fixture.Spawn(Request("r")).status().code() == absl::StatusCode::kUnavailable);
  CHECK(fixture.partition().health().code() == absl::StatusCode::kAborted);
  const absl::Status again = fixture.Spawn(Request("r")).status();
  CHECK(again.code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(again) == "PARTITION_LOST");
  const auto connection = fixture.partition().Connect(std::make_shared<FakeChannel>());
  CHECK(connection.status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("Whoever waits when the partition is lost is told so, also what was not begun") {
  PartitionFixture fixture;
  Watched<std::map<std::string, int>> answers;  // By reason.
  const auto answer = [&answers](const absl::Status& status) {
    answers.Update([&](auto& all) { ++all[std::string(ReasonOf(status))]; });
  };
  const int commits = fixture.faults.commits();
  fixture.faults.CloseGate();
  fixture.faults.FailCommit(Error(absl::StatusCode::kDataLoss, "DAMAGED", "as the test says"));
  fixture.Post(Request("r"), [answer](const auto& outcome) { answer(outcome.status()); });
  fixture.faults.AwaitCommits(commits + 1);
  constexpr int kFillsAGroup = 100'000;
  for (int i = 0; i < kFillsAGroup; ++i) {
    fixture.partition().ListExecutors(
        "default", [answer](const auto& sessions) { answer(sessions.status()); });
  }
  // Waits in the mailbox, as soon as that has room.
  for (bool taken = false; !taken; std::this_thread::yield()) {
    taken = true;
    fixture.partition().GetTasks({}, {As("alice")}, false, [&taken, answer](const auto& views) {
      if (views.status().code() != absl::StatusCode::kResourceExhausted)
        return answer(views.status());
      taken = false;  // At once.
    });
  }
  fixture.faults.OpenGate();
  CHECK(answers.Becomes([](const auto& all) {
    return all == std::map<std::string, int>{{"PARTITION_LOST", kFillsAGroup + 2}};
  }));
}

// ---- Payloads ----

PartitionOptions TinyCache() {
  PartitionOptions options;
  options.payload_cache_bytes = 10;
  return options;
}

TEST_CASE("Payloads beyond the memory budget come back from the store") {
  PartitionFixture fixture(TinyCache());
  std::vector<std::pair<TaskId, std::string>> spawned;
  for (int i = 0; i < 20; ++i) {
    const std::string payload = "payload " + std::to_string(i) + std::string(100, 'p');
    spawned.emplace_back(fixture.SpawnOne(payload), payload);
  }
  TestExecutor executor(fixture, 1, 100);
  executor.Connect();
  (void)executor.Task(20);
  const auto heard = executor.channel->heard();
  REQUIRE(heard.all.tasks_size() == 20);
  for (const auto& task : heard.all.tasks()) {
    const auto expected =
        std::ranges::find(spawned, IdOf(task), &std::pair<TaskId, std::string>::first);
    REQUIRE(expected != spawned.end());
    CHECK(task.payload() == expected->second);
    CHECK_FALSE(task.lease_token().empty());
  }
}

TEST_CASE("Tasks that are cancelled in the queue make room in the cache") {
  PartitionOptions options;
  options.payload_cache_bytes = 1'000;
  PartitionFixture fixture(options);
  for (int i = 0; i < 10; ++i) {
    const TaskId id = fixture.SpawnOne(std::string(900, 'p'));
    REQUIRE(fixture.Cancel(id).ok());
    fixture.Answer(fixture.outputs->Asked(static_cast<size_t>(i) + 1), TaskState::kCancelled);
    REQUIRE(fixture.Reaches(id, TaskState::kCancelled));
  }
  fixture.Settle();
  // From memory: a store that cannot be read does not matter.
  const std::string payload(200, 'q');
  (void)fixture.SpawnOne(payload);
  fixture.Settle();
  fixture.faults.FailRead(absl::UnavailableError("no reads"));
  TestExecutor executor(fixture, 1);
  executor.Connect();
  CHECK(executor.Task(1).payload() == payload);
}

TEST_CASE(
    "A payload that cannot be read now goes back at once, and is sent with a later dispatch") {
  PartitionFixture fixture(TinyCache());
  const TaskId id = fixture.SpawnOne(std::string(100, 'p'));
  fixture.Settle();
  fixture.faults.FailRead(absl::UnavailableError("no reads"));
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.Settle();
  fixture.Settle();
  CHECK(executor.tasks() == 0);
  fixture.Answer(fixture.outputs->Asked(1));
  CHECK(executor.Task(1).dispatch() == 2);
  CHECK(fixture.Get(id)->failed_attempts == 0);
}

TEST_CASE("Payloads that cannot be read go back in the order of their tasks") {
  constexpr size_t kTasks = 20;
  PartitionFixture fixture(TinyCache());
  std::vector<TaskId> spawned;
  for (size_t i = 0; i < kTasks; ++i) spawned.push_back(fixture.SpawnOne(std::string(100, 'p')));
  fixture.Settle();
  fixture.faults.FailRead(absl::UnavailableError("no reads"));
  TestExecutor executor(fixture, 1, kTasks);
  executor.Connect();
  std::vector<TaskId> returned;
  for (size_t i = 1; i <= kTasks; ++i) {
    returned.push_back(*TaskId::FromBytes(fixture.outputs->Asked(i).task_id()));
  }
  CHECK(returned == spawned);
}

TEST_CASE("A store that fails and recovers says so, once each") {
  Watched<std::vector<absl::StatusCode>> said;
  PartitionOptions options;
  options.on_health = [&said](const absl::Status& health) {
    said.Update([&](auto& all) { all.push_back(health.code()); });
  };
  PartitionFixture fixture(options);
  fixture.faults.FailAllCommits(DiskFull());
  CHECK_FALSE(fixture.Spawn(Request("r")).ok());
  CHECK_FALSE(fixture.Spawn(Request("r")).ok());
  Recover(fixture);
  CHECK(said.Becomes([](const auto& all) { return all.size() >= 2; }));
  CHECK(said.Get() == std::vector{absl::StatusCode::kResourceExhausted, absl::StatusCode::kOk});
}

// ---- Executors that read slowly ----

TEST_CASE("An executor that does not read is sent no more than the bound, and then the rest") {
  PartitionOptions options;
  options.max_unsent_bytes = 20'000;
  options.payload_cache_bytes = GENERATE(size_t{0}, size_t{1} << 20);
  PartitionFixture fixture(options);
  TestExecutor executor(fixture, 1, /*credit=*/50);
  executor.Connect();
  executor.channel->StopReading();
  std::map<TaskId, std::string> payloads;
  TaskId last;
  for (int i = 0; i < 50; ++i) {
    const std::string payload(4'000, static_cast<char>('a' + i % 26));
    last = fixture.SpawnOne(payload);
    payloads[last] = payload;
  }
  fixture.Settle();
  CHECK(executor.tasks() == 5);
  CHECK(executor.channel->most_unsent() < 30'000);
  // What waits for it is not tied to it.
  CHECK(fixture.Get(last)->state == TaskState::kReady);

  executor.channel->Read();
  REQUIRE(executor.channel->Await([](const auto& heard) { return heard.all.tasks_size() == 50; }));
  CHECK(executor.channel->most_unsent() < 30'000);
  for (int i = 1; i <= 50; ++i) {
    const v1::Dispatch task = executor.Task(i);
    REQUIRE(payloads.contains(IdOf(task)));
    CHECK((task.payload() == payloads[IdOf(task)]));
    payloads.erase(IdOf(task));
  }
}

TEST_CASE("Dispatches of one group that are too much for their executor wait in the store") {
  PartitionOptions options;
  options.max_unsent_bytes = 20'000;
  PartitionFixture fixture(options);
  v1::SpawnRequest request;
  for (int i = 0; i < 200; ++i) {
    request.add_specs()->set_type("x");
    request.mutable_specs(i)->set_payload(std::string(4'000, 'x'));
  }
  request.set_request_id("r");
  REQUIRE(fixture.Spawn(request).ok());
  TestExecutor executor(fixture, 1, /*credit=*/0);
  executor.Connect();
  executor.channel->StopReading();
  v1::PullRequest credit;
  credit.mutable_credit()->set_max_held(200);
  executor.Say(credit);
  REQUIRE(executor.channel->Await([](const auto& heard) { return heard.all.tasks_size() == 5; }));
  fixture.Settle();
  CHECK(executor.tasks() == 5);

  const bool leaves = GENERATE(false, true);
  if (leaves) executor.Disconnect();
  executor.channel->Read();
  if (leaves) {
    fixture.Settle();
    CHECK(executor.tasks() == 5);
    return;
  }
  REQUIRE(executor.channel->Await([](const auto& heard) { return heard.all.tasks_size() == 200; }));
  CHECK(executor.channel->most_unsent() < 30'000);
  std::set<std::string> seen;
  for (int i = 1; i <= executor.tasks(); ++i) seen.insert(executor.Task(i).task_id());
  CHECK(seen.size() == 200);
}

}  // namespace
}  // namespace kantoku::inputs::testing
