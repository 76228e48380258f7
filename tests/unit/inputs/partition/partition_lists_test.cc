#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "services/inputs/partition/partition.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// Pages of tasks.
namespace kantoku::inputs::testing {
namespace {

ListCommand Command(size_t limit = 100, std::string token = "") {
  ListCommand command;
  command.name_space = "default";
  command.viewer = As("alice");
  command.limit = limit;
  command.page_token = std::move(token);
  return command;
}

// All ids, page by page; each page has at most `limit`.
std::vector<TaskId> ReadAll(PartitionFixture& fixture, ListCommand command) {
  std::vector<TaskId> ids;
  for (int pages = 0; pages < 1'000; ++pages) {
    const auto page = fixture.List(command);
    REQUIRE(page.ok());
    CHECK(page->tasks.size() <= command.limit);
    for (const TaskView& task : page->tasks) ids.push_back(task.id);
    if (page->next.empty()) return ids;
    command.page_token = page->next;
  }
  FAIL("the list does not end");
  return ids;
}

std::set<TaskId> AsSet(const std::vector<TaskId>& ids) { return {ids.begin(), ids.end()}; }

// Tasks that live, that succeeded and that failed, the ends in turn and in rows of several tasks.
struct Mixture {
  explicit Mixture(PartitionFixture& fixture) : executor(fixture, 1, 100) {
    executor.Connect();
    v1::SpawnRequest request;
    for (int i = 0; i < 12; ++i) request.add_specs()->set_type("x");
    for (int round = 0; round < 4; ++round) {
      request.set_request_id(std::to_string(round));
      const auto outcome = fixture.Spawn(request);
      REQUIRE(outcome.ok());
      (void)executor.Task(12 * (round + 1));
      for (int i = 0; i < 12; ++i) {
        const v1::Dispatch task = executor.Task(12 * round + i + 1);
        all.push_back(IdOf(task));
        if (i % 3 == 0) {
          executor.Ack(task);
          succeeded.push_back(IdOf(task));
        } else if (i % 3 == 1) {
          executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
          const auto settlement = fixture.outputs->Asked(failed.size() + 1);
          fixture.Answer(settlement, TaskState::kFailed);
          REQUIRE(fixture.Reaches(IdOf(task), TaskState::kFailed));
          failed.push_back(IdOf(task));
        } else {
          living.push_back(IdOf(task));
        }
        fixture.clock.Advance(absl::Milliseconds(10));
      }
    }
    fixture.Settle();
  }

  TestExecutor executor;
  std::vector<TaskId> all;
  std::vector<TaskId> living;
  std::vector<TaskId> succeeded;
  std::vector<TaskId> failed;
};

TEST_CASE("Pages of every size show every task once: the living first, then the newest end") {
  PartitionFixture fixture;
  const Mixture tasks(fixture);
  std::vector<TaskId> reference = ReadAll(fixture, Command(1'000));
  CHECK(AsSet(reference) == AsSet(tasks.all));
  CHECK(reference.size() == tasks.all.size());
  for (size_t i = 0; i < tasks.living.size(); ++i) CHECK(reference[i] == tasks.living[i]);
  absl::Time last = absl::InfiniteFuture();
  for (size_t i = tasks.living.size(); i < reference.size(); ++i) {
    const absl::Time ended = *fixture.Get(reference[i])->ended_at;
    CHECK(ended <= last);
    last = ended;
  }
  for (const size_t limit : {1, 2, 3, 7, 48, 49}) {
    INFO(limit);
    CHECK(ReadAll(fixture, Command(limit)) == reference);
  }
}

TEST_CASE("A list shows only what was asked for") {
  PartitionFixture fixture;
  const Mixture tasks(fixture);
  ListCommand command = Command(5);
  command.states = {TaskState::kFailed};
  CHECK(AsSet(ReadAll(fixture, command)) == AsSet(tasks.failed));
  command.states = {TaskState::kSucceeded, TaskState::kLeased};
  CHECK(ReadAll(fixture, command).size() == tasks.succeeded.size() + tasks.living.size());
  command = Command(5);
  command.type = "y";
  CHECK(ReadAll(fixture, command).empty());
  command = Command(5);
  command.viewer = As("bob");
  CHECK(ReadAll(fixture, command).empty());
  command = Command(5);
  command.name_space = "other";
  CHECK(ReadAll(fixture, command).empty());
}

TEST_CASE("Lists are the same after a restart, when all rows are in the store") {
  PartitionFixture fixture;
  const Mixture tasks(fixture);
  const auto before = ReadAll(fixture, Command(7));
  fixture.Restart();
  CHECK(ReadAll(fixture, Command(7)) == before);
}

TEST_CASE("Tasks that end between two pages move nothing") {
  PartitionFixture fixture;
  Mixture tasks(fixture);
  ListCommand command = Command(3);
  command.states = {TaskState::kFailed, TaskState::kSucceeded};
  std::vector<TaskId> seen;
  size_t settled = tasks.failed.size();
  for (size_t page = 0;; ++page) {
    const auto answer = fixture.List(command);
    REQUIRE(answer.ok());
    for (const TaskView& task : answer->tasks) seen.push_back(task.id);
    if (answer->next.empty()) break;
    command.page_token = answer->next;
    if (page >= tasks.living.size()) continue;
    // One more ends, in turn this way and that.
    const auto heard = tasks.executor.channel->heard();
    for (const auto& task : heard.all.tasks()) {
      if (IdOf(task) != tasks.living[page]) continue;
      if (page % 2 == 0) {
        tasks.executor.Ack(task);
        fixture.Settle();
      } else {
        tasks.executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
        fixture.Answer(fixture.outputs->Asked(++settled), TaskState::kFailed);
        REQUIRE(fixture.Reaches(IdOf(task), TaskState::kFailed));
      }
    }
  }
  for (const auto& ended : {tasks.failed, tasks.succeeded}) {
    for (const TaskId& id : ended) CHECK(std::ranges::count(seen, id) == 1);
  }
}

// Ends four tasks in one row each: failed ones first, then succeeded ones.
struct TwoRows {
  explicit TwoRows(PartitionFixture& fixture) : executor(fixture, 1, 100) {
    executor.Connect();
    for (int i = 0; i < 9; ++i) (void)fixture.SpawnOne();
    (void)executor.Task(9);
    v1::PullRequest nacks;
    for (int i = 1; i <= 4; ++i) {
      v1::Nack& nack = *nacks.add_nacks();
      nack.set_task_id(executor.Task(i).task_id());
      nack.set_dispatch(1);
      nack.set_kind(v1::NACK_KIND_FAILED_FINALLY);
    }
    executor.Say(nacks);
    (void)fixture.outputs->Asked(4);
    std::vector<FenceAnswer> answers;
    for (size_t i = 1; i <= 4; ++i) {
      const auto id = TaskId::FromBytes(fixture.outputs->Asked(i).task_id());
      answers.push_back({*id, 1, TaskState::kFailed});
    }
    fixture.partition().AnswerFences(answers);
    fixture.Settle();
  }
  void Succeed(PartitionFixture& fixture, int first, int last) {
    fixture.clock.Advance(absl::Seconds(1));
    v1::PullRequest acks;
    for (int i = first; i <= last; ++i) {
      v1::Ack& ack = *acks.add_acks();
      ack.set_task_id(executor.Task(i).task_id());
      ack.set_dispatch(1);
      ack.set_receipt(executor.ReceiptFor(executor.Task(i)));
    }
    executor.Say(acks);
    fixture.Settle();
  }

  TestExecutor executor;
};

TEST_CASE("A page that begins within a row goes on there, though a newer end came meanwhile") {
  PartitionFixture fixture;
  TwoRows rows(fixture);
  ListCommand command = Command(2);
  command.states = {TaskState::kFailed};
  const auto first = fixture.List(command);
  REQUIRE(first->tasks.size() == 2);
  rows.Succeed(fixture, 5, 8);
  command.page_token = first->next;
  std::vector<TaskId> seen = ReadAll(fixture, command);
  for (const TaskView& task : first->tasks) seen.push_back(task.id);
  CHECK(seen.size() == 4);
  CHECK(AsSet(seen).size() == 4);
}

TEST_CASE("A page whose row was forgotten meanwhile goes on with the whole next row") {
  PartitionFixture fixture;
  TwoRows rows(fixture);
  rows.Succeed(fixture, 5, 8);
  ListCommand command = Command(2);
  command.states = {TaskState::kFailed, TaskState::kSucceeded};
  const auto first = fixture.List(command);
  REQUIRE(first->tasks.size() == 2);
  CHECK(first->tasks[0].state == TaskState::kSucceeded);
  fixture.clock.Advance(absl::Hours(1) + absl::Seconds(1));
  fixture.Settle();
  fixture.Settle();
  command.page_token = first->next;
  CHECK(ReadAll(fixture, command).size() == 4);
}

TEST_CASE("A token that came from nowhere is refused") {
  PartitionFixture fixture;
  for (const std::string token :
       {"x", "L", "Lx", "L-1", "L1x", "E", "E1", "E1.2", "E1.2.", "E1.2.x", "E1.2.3.4", "D", "D1.2",
        "E99999999999999999999.1.1", "\xFF", " L1", "L 1"}) {
    INFO(token);
    const auto page = fixture.List(Command(10, token));
    CHECK(page.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(platform::ReasonOf(page.status()) == "BAD_PAGE_TOKEN");
  }
}

TEST_CASE("A token that was thought up is harmless") {
  PartitionFixture fixture;
  const Mixture tasks(fixture);
  for (const std::string token :
       {"L18446744073709551615", "E0.0.0", "D0.0.0", "E18446744073709551615.0.5",
        "D1.18446744073709551615.18446744073709551615", "E3.3.18446744073709551615"}) {
    INFO(token);
    CHECK(ReadAll(fixture, Command(10, token)).size() <= tasks.all.size());
  }
}

TEST_CASE("Ended tasks leave when their time is over") {
  PartitionFixture fixture;
  const Mixture tasks(fixture);
  fixture.clock.Advance(absl::Hours(1) + absl::Seconds(1));
  fixture.Settle();
  fixture.Settle();
  ListCommand command = Command(100);
  command.states = {TaskState::kSucceeded};
  CHECK(ReadAll(fixture, command).empty());
  CHECK(fixture.Get(tasks.succeeded[0]).status().code() == absl::StatusCode::kNotFound);
  CHECK(fixture.Get(tasks.failed[0]).ok());
}

// ---- Many at once ----

TEST_CASE("A row is read once, however many of its tasks are asked for") {
  PartitionFixture fixture;
  const std::vector<TaskId> row = fixture.EndInOneRow(50);
  const std::vector<TaskId> others = fixture.EndInOneRow(3);
  fixture.Restart();                // Rows are only in the store now.
  std::vector<TaskId> asked = row;  // All of them twice, and others.
  asked.insert(asked.end(), row.begin(), row.end());
  asked.push_back(TaskId::Make(fixture.clock.Read().wall, 3, 99, 1));
  asked.push_back(others[1]);
  SECTION("so that each has its answer, in the order of the question") {
    const auto views = fixture.GetAll(asked);
    for (size_t i = 0; i < asked.size(); ++i) {
      if (i == 100) {
        CHECK(platform::ReasonOf(views[i].status()) == "NO_SUCH_TASK");
        continue;
      }
      REQUIRE(views[i].ok());
      CHECK(views[i]->id == asked[i]);
      CHECK(views[i]->state == TaskState::kCancelled);
    }
    CHECK_FALSE(fixture.GetAll(asked, "mallory")[0].ok());
  }
  SECTION("so that one that is damaged is the answer for all of them, and for no others") {
    fixture.faults.FailRead(absl::DataLossError("as the test says"));
    const auto views = fixture.GetAll(asked);
    for (int i = 0; i < 100; ++i) {
      CHECK(views[i].status().code() == absl::StatusCode::kDataLoss);
    }
    CHECK(views[101].ok());
  }
}

TEST_CASE("A store that cannot be read is told of a call as a whole, and not of its tasks") {
  PartitionFixture fixture;
  const std::vector<TaskId> ended = fixture.EndInOneRow(1);
  fixture.Restart();  // The row is only in the store now.
  const TaskId pending = fixture.SpawnOne();
  const std::vector<TaskId> asked = {pending, ended[0]};
  const auto refused = [&](auto call) {
    fixture.Settle();
    fixture.faults.FailRead(absl::UnavailableError("as the test says"));
    Watched<absl::StatusCode> code;
    call([&](const auto& answer) {
      code.Update([&](absl::StatusCode& now) { now = answer.status().code(); });
    });
    return code.Becomes([](absl::StatusCode now) { return now == absl::StatusCode::kUnavailable; });
  };
  Partition& partition = fixture.partition();
  CHECK(refused([&](auto done) { partition.GetTasks(asked, {As("alice")}, false, done); }));
  CHECK(refused([&](auto done) {
    partition.Control({.tasks = asked, .what = {}, .viewer = As("alice")}, done);
  }));
  CHECK(fixture.Get(pending)->state == TaskState::kReady);  // Nothing was done to the others.
  CHECK(refused([&](auto done) {
    partition.RestartTasks({.name_space = "default", .viewer = As("alice"), .tasks = asked}, done);
  }));
  CHECK(fixture.GetAll(asked)[1]->state == TaskState::kCancelled);
}

TEST_CASE("What ended a moment ago is known before its row is written") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const std::vector<TaskId> tasks = {fixture.SpawnOne(), fixture.SpawnOne()};
  (void)executor.Task(2);
  fixture.Settle();
  const int commits = fixture.faults.commits();
  fixture.faults.CloseGate();
  executor.Ack(executor.Task(1));
  fixture.faults.AwaitCommits(commits + 1);
  executor.Ack(executor.Task(2));  // In the group that is open while the other one is committed.
  Watched<std::vector<TaskState>> states;
  fixture.partition().GetTasks(tasks, {As("alice")}, false, [&](const auto& views) {
    states.Update([&](auto& all) {
      for (const auto& view : *views) all.push_back(view.ok() ? view->state : TaskState::kReady);
    });
  });
  fixture.faults.OpenGate();
  CHECK(states.Becomes([](const auto& all) {
    return all == std::vector{TaskState::kSucceeded, TaskState::kSucceeded};
  }));
}

TEST_CASE("A page looks at a bounded number of ended tasks, however large their rows are") {
  PartitionFixture fixture;
  for (int row = 0; row < 3; ++row) (void)fixture.EndInOneRow(12'000);
  ListCommand command = Command(10);
  command.type = "another";
  const auto first = fixture.List(command);
  REQUIRE(first.ok());
  CHECK(first->tasks.empty());
  CHECK_FALSE(first->next.empty());
  CHECK(ReadAll(fixture, command).empty());
}

}  // namespace
}  // namespace kantoku::inputs::testing
