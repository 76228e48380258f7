#include "services/inputs/partition/partition.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "services/platform/auth/tokens.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// The life of tasks and sessions. Restarts, failing stores and lists have files of their own.
namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

v1::SpawnRequest Request(const std::string& id, int specs = 1) {
  v1::SpawnRequest request;
  request.set_request_id(id);
  for (int i = 0; i < specs; ++i) request.add_specs()->set_type("x");
  return request;
}

TEST_CASE("A task is dispatched with its payload and finished by a genuine receipt") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne("hello");

  const v1::Dispatch task = executor.Task(1);
  CHECK(IdOf(task) == id);
  CHECK(task.dispatch() == 1);
  CHECK(task.attempt() == 1);
  CHECK(task.type() == "x");
  CHECK(task.payload() == "hello");
  CHECK(task.timeout().seconds() == 3'600);
  const auto lease =
      platform::OpenLease(*fixture.keys, task.lease_token(), fixture.clock.Read().wall);
  REQUIRE(lease.ok());
  CHECK(lease->task == id);
  CHECK(lease->dispatch == 1);
  CHECK(lease->session == MakeSession(1));
  CHECK(lease->holder == executor.caller);
  CHECK(lease->owner == "alice");
  CHECK(lease->name_space == "default");
  CHECK(lease->retention == absl::Hours(24));

  executor.Start(task);
  CHECK(fixture.Reaches(id, TaskState::kRunning));
  executor.Ack(task);
  REQUIRE(executor.AwaitConfirmed(1));
  CHECK(executor.channel->heard().all.confirmed(0).task_id() == task.task_id());
  CHECK(fixture.Get(id)->state == TaskState::kSucceeded);
  CHECK(fixture.outputs->count() == 0);
}

TEST_CASE("The welcome says what the executor has to know") {
  PartitionOptions options;
  options.engine.max_session_credit = 77;
  options.engine.grace = absl::Milliseconds(20'500);
  PartitionFixture fixture(options);
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const auto welcome = executor.channel->heard().all.welcome();
  CHECK(welcome.max_credit() == 77);
  CHECK(welcome.ping_interval().seconds() == 2);
  CHECK(welcome.grace().seconds() == 20);
  CHECK(welcome.grace().nanos() == 500'000'000);
}

TEST_CASE("A dispatch leaves only when it is durable, and a spawn is answered only then") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.Settle();
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();

  platform::Received<v1::SpawnRequest> received;
  received.message = Request("r");
  const auto checked = ReadSpawn(received, platform::Administrator("alice", "laptop"), {},
                                 fixture.clock.Read().wall);
  Watched<int> answers;
  fixture.partition().Spawn(checked->batch,
                            [&](const auto&) { answers.Update([](int& n) { ++n; }); });
  // The group that holds both is at the store, which does not let it through.
  fixture.faults.AwaitCommits(commits + 1);
  CHECK(answers.Get() == 0);
  CHECK(executor.tasks() == 0);
  CHECK(fixture.events->Types() == std::vector<std::string>{"executor.connected"});

  fixture.faults.OpenGate();
  CHECK(executor.Task(1).dispatch() == 1);
  CHECK(answers.Becomes([](int n) { return n == 1; }));
  CHECK(fixture.events->AwaitType("task.received"));
}

TEST_CASE("An ack without a genuine receipt is refused, and the task goes on without it") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.AckWith(task, GENERATE("", "made up"));
  const v1::Refused refused = executor.Refusal(1);
  CHECK(refused.task_id() == task.task_id());
  CHECK(refused.dispatch() == 1);
  CHECK(refused.status().code() == static_cast<int>(absl::StatusCode::kPermissionDenied));
  CHECK(refused.status().reason() == "INVALID_RECEIPT");
  CHECK(executor.channel->heard().all.confirmed_size() == 0);
  CHECK(fixture.Executors()[0].held == 0);
  CHECK(fixture.Get(id)->cause == WaitCause::kFence);
  CHECK(fixture.Get(id)->failed_attempts == 0);

  const auto fence = fixture.outputs->Asked(1);
  CHECK(fence.dispatch() == 1);
  SECTION("to its end, if Outputs has a result all the same") {
    fixture.Answer(fence, TaskState::kSucceeded);
    CHECK(fixture.Reaches(id, TaskState::kSucceeded));
  }
  SECTION("to another dispatch, if not") {
    fixture.Answer(fence);
    CHECK(executor.Task(2).dispatch() == 2);
  }
}

TEST_CASE("A hello whose receipt proves nothing is told so, and the task goes on without it") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Disconnect();
  executor.Connect({HeldOf(task, true, "made up")});
  const auto welcome = executor.channel->heard().all.welcome();
  REQUIRE(welcome.held_size() == 1);
  CHECK(welcome.held(0).status().code() == static_cast<int>(absl::StatusCode::kPermissionDenied));
  CHECK(welcome.held(0).status().reason() == "INVALID_RECEIPT");
  CHECK(welcome.held(0).lease_token().empty());
  CHECK(fixture.outputs->Asked(1).task_id() == id.bytes());
  CHECK(fixture.Get(id)->cause == WaitCause::kFence);
}

TEST_CASE("An ack without a genuine receipt of what others hold changes nothing") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  TestExecutor rogue(fixture, 2, 1, {"other"});
  rogue.Connect();
  rogue.AckWith(task, "made up");
  CHECK(rogue.Refusal(1).status().reason() == "INVALID_RECEIPT");
  CHECK(fixture.Get(id)->session == MakeSession(1));
}

TEST_CASE("A task that comes back goes out again only when Outputs has closed its dispatch") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne("again");
  executor.Nack(executor.Task(1), v1::NACK_KIND_RETURNED);
  const auto fence = fixture.outputs->Asked(1);
  CHECK(fence.task_id() == id.bytes());
  CHECK(fence.dispatch() == 1);
  CHECK(fence.owner() == "alice");
  CHECK(fence.namespace_() == "default");
  CHECK_FALSE(fence.has_settlement());
  fixture.Settle();
  CHECK(executor.tasks() == 1);
  CHECK(fixture.Get(id)->cause == WaitCause::kFence);

  // Of another dispatch: no answer to this question.
  auto other = fence;
  other.set_dispatch(0);
  fixture.Answer(other);
  fixture.Settle();
  CHECK(executor.tasks() == 1);

  fixture.Answer(fence);
  const v1::Dispatch second = executor.Task(2);
  CHECK(second.dispatch() == 2);
  CHECK(second.attempt() == 1);
  CHECK(second.payload() == "again");  // From the store by now.
  fixture.Answer(fence);               // Twice is harmless.
  fixture.Settle();
  CHECK(executor.tasks() == 2);
}

TEST_CASE("A failed attempt waits for its backoff, the last one is settled through Outputs") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  auto request = Request("r");
  request.mutable_specs(0)->mutable_retry()->set_max_attempts(2);
  request.mutable_specs(0)->mutable_retry()->set_jitter(0);
  const TaskId id = fixture.Spawn(request)->items[0].id;
  executor.Nack(executor.Task(1), v1::NACK_KIND_FAILED, "no such file");
  fixture.Answer(fixture.outputs->Asked(1));
  fixture.Settle();
  CHECK(fixture.Get(id)->state == TaskState::kScheduled);
  CHECK(fixture.Get(id)->last_failure.message == "no such file");
  fixture.clock.Advance(absl::Seconds(1));
  const v1::Dispatch second = executor.Task(2);
  CHECK(second.attempt() == 2);

  executor.Nack(second, v1::NACK_KIND_FAILED, "still none");
  const auto settlement = fixture.outputs->Asked(2);
  REQUIRE(settlement.has_settlement());
  CHECK(settlement.settlement().status() == outputs::v1::RESULT_STATUS_FAILED);
  CHECK(settlement.settlement().error().reason() == "HANDLER_FAILED");
  CHECK(settlement.settlement().error().message() == "still none");
  CHECK(settlement.settlement().retention().seconds() == 86'400);
  fixture.Settle();
  CHECK(fixture.Get(id)->state == TaskState::kSettling);
  fixture.Answer(settlement, TaskState::kFailed);
  CHECK(fixture.Reaches(id, TaskState::kFailed));
}

TEST_CASE("The first result in Outputs wins over what Inputs has decided") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  executor.Nack(executor.Task(1), v1::NACK_KIND_FAILED_FINALLY);
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kSucceeded);
  CHECK(fixture.Reaches(id, TaskState::kSucceeded));
}

TEST_CASE("A queued task is cancelled without an executor") {
  PartitionFixture fixture;
  const TaskId id = fixture.SpawnOne();
  CHECK(*fixture.Cancel(id) == TaskState::kSettling);
  const auto settlement = fixture.outputs->Asked(1);
  CHECK(settlement.settlement().status() == outputs::v1::RESULT_STATUS_CANCELLED);
  fixture.Answer(settlement, TaskState::kCancelled);
  CHECK(fixture.Reaches(id, TaskState::kCancelled));
  const auto again = fixture.Cancel(id);
  CHECK(again.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(again.status()) == "TASK_ENDED");

  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.Settle();
  CHECK(executor.tasks() == 0);
}

TEST_CASE("A running task is cancelled when its executor confirms") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  CHECK(*fixture.Cancel(id) == TaskState::kCancelling);
  const v1::HandlerControl control = executor.Control(1);
  CHECK(control.action() == v1::HANDLER_ACTION_CANCEL);
  CHECK(control.task_id() == task.task_id());
  CHECK(control.dispatch() == 1);
  executor.Nack(task, v1::NACK_KIND_CANCELLED);
  fixture.Answer(fixture.outputs->Asked(1), TaskState::kCancelled);
  CHECK(fixture.Reaches(id, TaskState::kCancelled));
}

TEST_CASE("A hand-back is confirmed when it is durable") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Settle();
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();
  executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
  fixture.faults.AwaitCommits(commits + 1);
  CHECK(executor.channel->heard().all.confirmed_size() == 0);
  fixture.faults.OpenGate();
  CHECK(executor.AwaitConfirmed(1));
}

TEST_CASE("A task that ended is found by a question of the same group") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Settle();
  // While a commit is under way, what comes becomes one group.
  fixture.faults.CloseGate();
  const int commits = fixture.faults.commits();
  platform::Received<v1::SpawnRequest> received;
  received.message = Request("r");
  fixture.partition().Spawn(
      ReadSpawn(received, platform::Administrator("alice", "laptop"), {}, fixture.clock.Read().wall)
          ->batch,
      [](const auto&) {});
  fixture.faults.AwaitCommits(commits + 1);
  executor.Ack(task);
  Watched<std::optional<TaskState>> state;
  fixture.partition().GetTasks({id}, {As("alice")}, false, [&](const auto& views) {
    state.Update([&](auto& s) {
      s = views.ok() && (*views)[0].ok() ? (*views)[0]->state : TaskState::kReady;
    });
  });
  fixture.faults.OpenGate();
  REQUIRE(state.Becomes([](const auto& s) { return s.has_value(); }));
  CHECK(state.Get() == TaskState::kSucceeded);
}

TEST_CASE("Tasks of others are not there, whoever asks for them") {
  PartitionFixture fixture;
  const TaskId id = fixture.SpawnOne();
  for (const char* stranger : {"bob", ""}) {
    CHECK(ReasonOf(fixture.Get(id, stranger).status()) == "NO_SUCH_TASK");
    CHECK(fixture.List({.name_space = "default", .viewer = As(stranger)})->tasks.empty());
  }
  Watched<std::vector<std::string>> answers;
  fixture.partition().GetTasks({id, id}, {As("bob"), As("alice")}, false, [&](const auto& views) {
    answers.Update([&](std::vector<std::string>& all) {
      for (const auto& view : *views) all.push_back(ReasonOf(view.status()));
    });
  });
  REQUIRE(answers.Becomes([](const auto& all) { return all.size() == 2; }));
  CHECK(answers.Get() == std::vector<std::string>{"NO_SUCH_TASK", ""});
  // The same place, another id: ids cannot be guessed.
  const TaskId guess = TaskId::Make(id.time(), id.slot(), id.sequence(), 12'345);
  CHECK(ReasonOf(fixture.Get(guess).status()) == "NO_SUCH_TASK");
  CHECK(fixture.Cancel(guess).status().code() == absl::StatusCode::kNotFound);
}

// ---- Batches ----

TEST_CASE("A repeated call gets the same ids and creates nothing") {
  PartitionFixture fixture;
  const auto first = fixture.Spawn(Request("r", 3));
  const auto again = fixture.Spawn(Request("r", 3));
  REQUIRE(first.ok());
  REQUIRE(again.ok());
  for (int i = 0; i < 3; ++i) {
    CHECK(first->items[i].id == again->items[i].id);
    CHECK(again->items[i].created);
  }
  CHECK(fixture.List({.name_space = "default", .viewer = As("alice")})->tasks.size() == 3);

  const absl::Status other = fixture.Spawn(Request("r", 4)).status();
  CHECK(other.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(other) == "REQUEST_ID_REUSED");
}

TEST_CASE("A reference is one task, and an equal spec gets its id, another one is refused") {
  PartitionFixture fixture;
  auto request = Request("r1");
  request.mutable_specs(0)->set_reference("mine");
  const auto first = fixture.Spawn(request);
  request.set_request_id("r2");
  request.add_specs()->set_type("x");
  const auto equal = fixture.Spawn(request);
  REQUIRE(equal.ok());
  CHECK(equal->items[0].id == first->items[0].id);
  CHECK_FALSE(equal->items[0].created);
  CHECK(equal->items[0].conflict.empty());
  CHECK(equal->items[1].created);

  request.set_request_id("r3");
  request.mutable_specs(0)->set_payload("other");
  const auto conflict = fixture.Spawn(request);
  REQUIRE(conflict.ok());
  CHECK(conflict->items[0].conflict == "payload");
  CHECK(conflict->items[0].id == first->items[0].id);
  CHECK(conflict->items[1].created);
}

TEST_CASE("Specs that created nothing have no payload of others") {
  PartitionFixture fixture;
  auto request = Request("r1");
  request.mutable_specs(0)->set_reference("mine");
  const TaskId mine = fixture.Spawn(request)->items[0].id;
  request = Request("r2", 3);
  request.mutable_specs(0)->set_payload("first");
  request.mutable_specs(1)->set_reference("mine");
  request.mutable_specs(2)->set_payload("third");
  const auto outcome = fixture.Spawn(request);
  REQUIRE_FALSE(outcome->items[1].created);
  TestExecutor executor(fixture, 1);
  executor.Connect();
  (void)executor.Task(3);
  const auto heard = executor.channel->heard();
  for (const auto& task : heard.all.tasks()) {
    const TaskId id = IdOf(task);
    if (id == outcome->items[0].id) CHECK(task.payload() == "first");
    if (id == outcome->items[2].id) CHECK(task.payload() == "third");
    if (id == mine) CHECK(task.payload().empty());
  }
}

// ---- Sessions ----

TEST_CASE("A session that comes back keeps what it presents, and the rest is taken back") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId kept = fixture.SpawnOne();
  const TaskId lost = fixture.SpawnOne();
  const TaskId done = fixture.SpawnOne();
  const v1::Dispatch first = executor.Task(1);
  const v1::Dispatch third = executor.Task(3);
  executor.Disconnect();
  v1::Held foreign = HeldOf(first);
  foreign.set_dispatch(9);
  executor.Connect({HeldOf(first, true), HeldOf(third, true, executor.ReceiptFor(third)), foreign});

  const auto welcome = executor.channel->heard().all.welcome();
  REQUIRE(welcome.held_size() == 3);
  CHECK(welcome.held(0).status().code() == 0);
  CHECK_FALSE(welcome.held(0).confirmed());
  const auto lease =
      platform::OpenLease(*fixture.keys, welcome.held(0).lease_token(), fixture.clock.Read().wall);
  REQUIRE(lease.ok());
  CHECK(lease->task == kept);
  CHECK(welcome.held(1).confirmed());
  CHECK(welcome.held(2).status().reason() == "NOT_HELD");
  CHECK(welcome.held(2).lease_token().empty());

  CHECK(fixture.Get(kept)->state == TaskState::kRunning);
  CHECK(fixture.Get(done)->state == TaskState::kSucceeded);
  CHECK(fixture.outputs->Asked(1).task_id() == lost.bytes());
  CHECK(fixture.Get(lost)->cause == WaitCause::kFence);
}

TEST_CASE("A session that does not come back within the grace loses its tasks") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  executor.Start(executor.Task(1));
  executor.Disconnect();
  fixture.Settle();
  fixture.clock.Advance(absl::Seconds(19));
  fixture.Settle();
  CHECK(fixture.Get(id)->state == TaskState::kRunning);
  fixture.clock.Advance(absl::Seconds(1));
  CHECK(fixture.outputs->Asked(1).task_id() == id.bytes());
  CHECK(fixture.events->AwaitType("executor.lost"));
  CHECK(fixture.Executors().empty());
}

TEST_CASE("The newest connection of a session wins") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  const auto old_channel = executor.channel;
  const ConnectionId old_connection = executor.connection;
  executor.Connect({HeldOf(task)});
  REQUIRE(old_channel->Await([](const auto& heard) { return heard.closed.has_value(); }));
  CHECK(old_channel->heard().closed->code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(*old_channel->heard().closed) == "SUPERSEDED");

  // The end of the old one is not the end of the session.
  fixture.partition().Disconnect(old_connection);
  fixture.clock.Advance(absl::Seconds(25));
  fixture.Settle();
  CHECK(fixture.Get(id)->session == MakeSession(1));
  executor.Ack(task);
  CHECK(executor.AwaitConfirmed(1));
}

TEST_CASE("A session of another caller or namespace is refused") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  for (const bool by_name_space : {false, true}) {
    TestExecutor rogue(fixture, 1);
    if (by_name_space) {
      rogue.name_space = "other";
    } else {
      rogue.caller = platform::Administrator("mallory", "laptop");
    }
    rogue.Connect({HeldOf(task)});
    REQUIRE(rogue.channel->heard().closed.has_value());
    CHECK(rogue.channel->heard().closed->code() == absl::StatusCode::kPermissionDenied);
    CHECK(ReasonOf(*rogue.channel->heard().closed) == "FOREIGN_SESSION");
    CHECK_FALSE(rogue.channel->heard().all.has_welcome());
    rogue.Nack(task, v1::NACK_KIND_FAILED);  // Into the void.
  }
  fixture.Settle();
  CHECK(fixture.Get(id)->session == MakeSession(1));
  CHECK_FALSE(executor.channel->heard().closed.has_value());
}

TEST_CASE("Credit above the cap is capped") {
  PartitionOptions options;
  options.engine.max_session_credit = 2;
  PartitionFixture fixture(options);
  TestExecutor executor(fixture, 1, 1'000'000);
  executor.Connect();
  (void)fixture.Spawn(Request("r", 5));
  (void)executor.Task(2);
  fixture.Settle();
  CHECK(executor.tasks() == 2);
  v1::PullRequest more;
  more.mutable_credit()->set_max_held(500);
  executor.Say(more);
  fixture.Settle();
  CHECK(executor.tasks() == 2);
  CHECK(fixture.Executors()[0].max_held == 2);
  executor.Ack(executor.Task(1));
  (void)executor.Task(3);
}

TEST_CASE("Reports about what the session does not hold are refused, each with its reason") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  TestExecutor rogue(fixture, 2, 1, {"other"});
  rogue.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);

  rogue.Start(task);
  CHECK(rogue.Refusal(1).status().reason() == "NOT_HELD");
  rogue.Nack(task, v1::NACK_KIND_FAILED);
  CHECK(rogue.Refusal(2).status().reason() == "NOT_HELD");
  v1::PullRequest request;
  v1::Progress& progress = *request.add_progress();
  progress.set_task_id(task.task_id());
  progress.set_dispatch(1);
  progress.set_fraction(0.5);
  rogue.Say(request);
  CHECK(rogue.Refusal(3).status().reason() == "NOT_HELD");

  v1::Dispatch stale = task;
  stale.set_dispatch(7);
  executor.Start(stale);
  CHECK(executor.Refusal(1).status().reason() == "STALE_DISPATCH");
  v1::PullRequest beyond;
  *beyond.add_progress() = progress;
  beyond.mutable_progress(0)->set_fraction(1.5);
  executor.Say(beyond);
  CHECK(executor.Refusal(2).status().reason() == "BAD_PROGRESS");
  v1::PullRequest malformed;
  malformed.add_started()->set_task_id("no id");
  executor.Say(malformed);
  CHECK(executor.Refusal(3).status().code() ==
        static_cast<int>(absl::StatusCode::kInvalidArgument));
  CHECK(executor.Refusal(3).task_id() == "no id");

  fixture.Settle();
  const auto view = fixture.Get(id);
  CHECK(view->state == TaskState::kLeased);
  CHECK(view->session == MakeSession(1));
}

TEST_CASE("A hello that claims tasks of others gets none of them") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  TestExecutor rogue(fixture, 2);
  rogue.Connect({HeldOf(task, true), HeldOf(task, true, "made up")});
  const auto welcome = rogue.channel->heard().all.welcome();
  REQUIRE(welcome.held_size() == 2);
  for (const auto& held : welcome.held()) {
    CHECK(held.status().reason() == "NOT_HELD");
    CHECK(held.lease_token().empty());
    CHECK_FALSE(held.confirmed());
  }
  CHECK(fixture.Get(id)->session == MakeSession(1));
}

TEST_CASE("A receipt for a task that is gone is confirmed") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  v1::Dispatch task;
  task.set_task_id(std::string(TaskId::Make(fixture.clock.Read().wall, 3, 99, 1).bytes()));
  task.set_dispatch(4);
  executor.Ack(task);
  CHECK(executor.AwaitConfirmed(1));
}

TEST_CASE("Lease tokens are renewed while the session holds the task") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  (void)fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  fixture.Settle();
  fixture.clock.Advance(absl::Minutes(15));
  REQUIRE(executor.channel->Await([](const auto& heard) { return heard.all.renewals_size() > 0; }));
  const auto renewal = executor.channel->heard().all.renewals(0);
  CHECK(renewal.task_id() == task.task_id());
  CHECK(renewal.dispatch() == 1);
  const auto lease = platform::OpenLease(*fixture.keys, renewal.lease_token(),
                                         fixture.clock.Read().wall + absl::Minutes(59));
  CHECK(lease.ok());
}

// ---- Events ----

TEST_CASE("Every step has its event, and lines are numbered upwards") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  (void)fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  executor.Start(task);
  executor.Ack(task);
  REQUIRE(fixture.events->AwaitType("task.finished"));
  CHECK(fixture.events->Types() == std::vector<std::string>{"executor.connected", "task.created",
                                                            "task.received", "task.started",
                                                            "task.finished"});
  uint64_t last = 0;
  for (const auto& [number, bytes] : fixture.events->sent()) {
    CHECK(number > last);
    last = number;
  }
}

TEST_CASE("Starts alone force no commit, and are told within 50 ms all the same") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  (void)fixture.SpawnOne();
  const v1::Dispatch task = executor.Task(1);
  fixture.Settle();
  const int commits = fixture.faults.commits();
  executor.Start(task);
  fixture.Settle();
  CHECK(fixture.faults.commits() == commits);
  fixture.clock.Advance(absl::Milliseconds(49));
  fixture.Settle();
  CHECK(fixture.faults.commits() == commits);
  fixture.clock.Advance(absl::Milliseconds(1));
  CHECK(fixture.events->AwaitType("task.started"));
  CHECK(fixture.faults.commits() == commits + 1);
}

TEST_CASE("Without events nothing is kept for Events") {
  PartitionOptions options;
  options.events = false;
  PartitionFixture fixture(options);
  (void)fixture.SpawnOne();
  fixture.Settle();
  CHECK(fixture.events->sent().empty());
}

// ---- Before and after ----

TEST_CASE("What the last task has waited is told after its end, without another command") {
  Watched<int64_t> told;
  PartitionOptions options;
  options.on_waits = [&](const WaitBook::TypeTotals& totals) {
    told.Update([&](int64_t& time) {
      time = 0;
      for (const auto& [type, total] : totals) {
        for (const int64_t part : total.times) time += part;
      }
    });
  };
  PartitionFixture fixture(options);
  (void)fixture.SpawnOne();
  fixture.clock.Advance(absl::Seconds(1));
  fixture.Settle();
  TestExecutor executor(fixture, 1);
  executor.Connect();
  executor.Ack(executor.Task(1));
  REQUIRE(executor.AwaitConfirmed(1));
  CHECK(told.Get() < 1'000);
  fixture.clock.Advance(absl::Seconds(5));
  CHECK(told.Becomes([](int64_t time) { return time == 1'000; }));
}

TEST_CASE("A partition that does not run refuses executors and users with UNAVAILABLE") {
  PartitionFixture fixture;
  fixture.partition().Stop();
  const auto connection = fixture.partition().Connect(std::make_shared<FakeChannel>());
  CHECK(connection.status().code() == absl::StatusCode::kUnavailable);
  CHECK(fixture.partition().Receive(1, {}).code() == absl::StatusCode::kUnavailable);
  CHECK(fixture.Spawn(Request("r")).status().code() == absl::StatusCode::kUnavailable);
  fixture.partition().Stop();
}

}  // namespace
}  // namespace kantoku::inputs::testing
