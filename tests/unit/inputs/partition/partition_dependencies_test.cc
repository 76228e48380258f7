#include <catch2/catch.hpp>
#include <optional>
#include <string>
#include <vector>

#include "services/inputs/partition/partition.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

// Tasks that depend on others: what is recorded, what executors are given, what Outputs is asked.
namespace kantoku::inputs::testing {
namespace {

using platform::ReasonOf;

void DependOn(task::v1::TaskSpec& spec, const TaskId& task, bool argument = false,
              task::v1::OnFailure on_failure = task::v1::ON_FAILURE_FAIL) {
  auto& dependency = *spec.add_dependencies();
  dependency.set_task_id(std::string(task.bytes()));
  dependency.set_argument(argument);
  dependency.set_on_failure(on_failure);
}

v1::SpawnRequest After(const std::string& request_id, const std::vector<TaskId>& tasks,
                       bool argument = false) {
  v1::SpawnRequest request;
  request.set_request_id(request_id);
  auto& spec = *request.add_specs();
  spec.set_type("x");
  spec.set_payload("p");
  for (const TaskId& task : tasks) DependOn(spec, task, argument);
  return request;
}

// No task stays in the lists, so that Outputs has to be asked.
PartitionOptions WithoutHistory() {
  PartitionOptions options;
  options.engine.max_history = 0;
  options.engine.max_dead = 0;
  return options;
}

// A task that succeeded.
TaskId Succeeded(PartitionFixture& fixture) {
  TestExecutor executor(fixture, 9);
  executor.Connect();
  const TaskId id = fixture.SpawnOne();
  executor.Ack(executor.Task(1));
  REQUIRE(executor.AwaitConfirmed(1));
  executor.Disconnect();
  fixture.Settle();
  return id;
}

TEST_CASE("Items of a call that depend on later ones wait for them, over a restart too") {
  PartitionFixture fixture;
  v1::SpawnRequest request;
  request.set_request_id("r");
  for (int i = 0; i < 3; ++i) request.add_specs()->set_type("x");
  request.mutable_specs(0)->add_dependencies()->set_index(1);
  request.mutable_specs(1)->add_dependencies()->set_index(2);
  const auto outcome = fixture.Spawn(request);  // In the order of the batch: 2, 1, 0.
  REQUIRE(outcome.ok());
  const std::vector<TaskId> chain = {outcome->items[0].id, outcome->items[1].id,
                                     outcome->items[2].id};
  if (GENERATE(false, true)) fixture.Crash();
  CHECK(fixture.Get(chain[1])->open_dependency == chain[0]);
  CHECK(fixture.Get(chain[2])->open_dependency == chain[1]);
  TestExecutor executor(fixture, 1);
  executor.Connect();
  for (int i = 0; i < 3; ++i) {
    const v1::Dispatch task = executor.Task(i + 1);
    CHECK(IdOf(task) == chain[static_cast<size_t>(i)]);
    CHECK(executor.tasks() == i + 1);
    executor.Ack(task);
  }
  CHECK(fixture.Reaches(chain[2], TaskState::kSucceeded));
}

TEST_CASE("A dispatch carries a grant for each argument, over a restart too") {
  PartitionFixture fixture;
  const TaskId first = Succeeded(fixture);
  const TaskId second = Succeeded(fixture);
  const TaskId other = Succeeded(fixture);
  v1::SpawnRequest request = After("r", {second, first}, true);
  DependOn(*request.mutable_specs(0), other);
  REQUIRE(fixture.Spawn(request)->items[0].created);
  if (GENERATE(false, true)) fixture.Crash();
  TestExecutor executor(fixture, 1);
  executor.Connect();
  const v1::Dispatch task = executor.Task(1);
  CHECK(task.payload() == "p");
  REQUIRE(task.arguments_size() == 2);
  CHECK(task.arguments(0).task_id() == second.bytes());
  CHECK(task.arguments(1).task_id() == first.bytes());
  const auto grant = platform::OpenReadGrant(*fixture.keys, task.arguments(1).read_grant(),
                                             fixture.clock.Read().wall);
  REQUIRE(grant.ok());
  CHECK(grant->task == first);
  CHECK(grant->session == MakeSession(1));
  CHECK(grant->holder == executor.caller);
  CHECK(grant->owner == "alice");
  CHECK(grant->name_space == "default");
}

TEST_CASE("Tasks of the lists are depended on without asking Outputs") {
  PartitionFixture fixture;
  const TaskId good = Succeeded(fixture);
  const TaskId bad = fixture.EndInOneRow(1).front();
  const auto outcome = fixture.Spawn(After("good", {good}));
  REQUIRE(outcome.ok());
  CHECK(fixture.Get(outcome->items[0].id)->state == TaskState::kReady);
  const auto failed = fixture.Spawn(After("bad", {bad}));
  REQUIRE(failed.ok());
  CHECK(fixture.Get(failed->items[0].id)->state == TaskState::kSettling);
  CHECK(fixture.Get(failed->items[0].id)->last_failure.reason == "DEPENDENCY_FAILED");
}

TEST_CASE("What is in no list is asked of Outputs, and everything else goes on meanwhile") {
  PartitionFixture fixture(WithoutHistory());
  const TaskId ended = Succeeded(fixture);
  const auto end = GENERATE(std::optional(TaskState::kSucceeded), std::optional(TaskState::kFailed),
                            std::optional<TaskState>());
  Watched<std::optional<absl::StatusOr<SpawnOutcome>>> answer;
  fixture.Post(After("r", {ended}),
               [&](auto outcome) { answer.Update([&](auto& value) { value = outcome; }); });
  (void)fixture.SpawnOne();  // Is not held up.
  CHECK_FALSE(answer.Get().has_value());
  const EndsQuestion question =
      fixture.outputs->AnswerEnds([&](const EndsQuestion&) { return Ends{end}; });
  CHECK(question.tasks == std::vector<TaskId>{ended});
  CHECK(question.owner == "alice");
  CHECK(question.name_space == "default");
  REQUIRE(answer.Becomes([](const auto& value) { return value.has_value(); }));
  const auto outcome = *answer.Get();
  REQUIRE(outcome.ok());
  if (!end.has_value()) {
    CHECK(outcome->items[0].refusal == SpawnOutcome::kDependencyUnknown);
    return;
  }
  CHECK(fixture.Get(outcome->items[0].id)->state ==
        (end == TaskState::kSucceeded ? TaskState::kReady : TaskState::kSettling));
}

TEST_CASE("When Outputs does not answer, the call is UNAVAILABLE, and can be repeated") {
  PartitionFixture fixture(WithoutHistory());
  const TaskId ended = Succeeded(fixture);
  const v1::SpawnRequest request = After("r", {ended});
  Watched<std::vector<absl::StatusOr<SpawnOutcome>>> answers;
  const auto post = [&] {
    fixture.Post(request,
                 [&](auto outcome) { answers.Update([&](auto& all) { all.push_back(outcome); }); });
  };
  post();
  fixture.outputs->AnswerEnds([](const EndsQuestion&) {
    return platform::Error(absl::StatusCode::kUnavailable, "OUTPUTS_UNAVAILABLE", "away");
  });
  REQUIRE(answers.Becomes([](const auto& all) { return all.size() == 1; }));
  CHECK(ReasonOf(answers.Get()[0].status()) == "OUTPUTS_UNAVAILABLE");
  post();
  fixture.outputs->AnswerEnds([](const EndsQuestion&) { return Ends{TaskState::kSucceeded}; });
  REQUIRE(answers.Becomes([](const auto& all) { return all.size() == 2; }));
  REQUIRE(answers.Get()[1].ok());
  CHECK(answers.Get()[1]->items[0].created);
  // A repeat of what was accepted asks nobody.
  const auto again = fixture.Spawn(request);
  REQUIRE(again.ok());
  CHECK(again->repeated);
}

TEST_CASE("Another owner's task is unknown, whether it lives or has ended") {
  PartitionFixture fixture;
  const TaskId ended = Succeeded(fixture);
  const TaskId living = fixture.SpawnOne();
  auto checked = ReadSpawn({After("r", {living})}, platform::Administrator("mallory", "laptop"), {},
                           fixture.clock.Read().wall);
  Watched<std::vector<absl::StatusOr<SpawnOutcome>>> answers;
  const auto post = [&](const std::shared_ptr<const SpawnBatch>& batch) {
    fixture.partition().Spawn(
        batch, [&](auto outcome) { answers.Update([&](auto& all) { all.push_back(outcome); }); });
  };
  post(checked->batch);
  REQUIRE(answers.Becomes([](const auto& all) { return all.size() == 1; }));
  CHECK(answers.Get()[0]->items[0].refusal == SpawnOutcome::kDependencyUnknown);
  checked = ReadSpawn({After("s", {ended})}, platform::Administrator("mallory", "laptop"), {},
                      fixture.clock.Read().wall);
  post(checked->batch);
  const auto question =
      fixture.outputs->AnswerEnds([](const EndsQuestion&) { return Ends{std::nullopt}; });
  CHECK(question.owner == "mallory");  // So that Outputs does not tell.
  REQUIRE(answers.Becomes([](const auto& all) { return all.size() == 2; }));
  CHECK(answers.Get()[1]->items[0].refusal == SpawnOutcome::kDependencyUnknown);
}

TEST_CASE("Those that wait for a failed task end with it, over a kill too") {
  PartitionFixture fixture;
  TestExecutor executor(fixture, 1, 1);
  executor.Connect();
  const TaskId task = fixture.SpawnOne();
  const v1::Dispatch dispatch = executor.Task(1);
  const auto waiting = fixture.Spawn(After("r", {task}));
  REQUIRE(waiting.ok());
  const TaskId id = waiting->items[0].id;
  executor.Nack(dispatch, v1::NACK_KIND_FAILED_FINALLY);
  const auto settlement = fixture.outputs->Asked(1);
  fixture.Answer(settlement, TaskState::kFailed);
  REQUIRE(fixture.Reaches(task, TaskState::kFailed));
  if (GENERATE(false, true)) {
    fixture.Crash();
    CHECK(fixture.outputs->Asked(1).task_id() == id.bytes());
  }
  CHECK(fixture.Get(id)->state == TaskState::kSettling);
  CHECK(fixture.Get(id)->last_failure.reason == "DEPENDENCY_FAILED");
}

}  // namespace
}  // namespace kantoku::inputs::testing
