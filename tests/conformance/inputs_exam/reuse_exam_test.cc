#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Results of PURE tasks that later ones take instead of running, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

v1::SpawnRequest Pure(const std::string& id, const std::string& payload, int64_t within_s = 3'600) {
  v1::SpawnRequest request = Request(id);
  taskpb::TaskSpec& spec = *request.mutable_specs(0);
  spec.set_payload(payload);
  spec.set_effect(taskpb::EFFECT_PURE);
  if (within_s > 0) spec.mutable_reuse_within()->set_seconds(within_s);
  return request;
}

v1::SpawnResult SpawnPure(User& user, const v1::SpawnRequest& request) {
  const auto response = user.Spawn(request);
  REQUIRE(response.ok());
  REQUIRE(response->results(0).status().message().empty());
  return response->results(0);
}

TEST_CASE("An equal PURE task is answered with the result that is there, also after a restart") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string id;
    {
      User user(subject);
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1));
      id = SpawnPure(user, Pure("r1", "a")).task_id();
      const v1::Dispatch task = executor.Task(1);
      CHECK_FALSE(SpawnPure(user, Pure("r2", "b")).reused());
      executor.Ack(task, executor.Put(task, "A"));
      REQUIRE(user.Becomes(id, taskpb::TASK_STATE_SUCCEEDED));
      const auto reused = SpawnPure(user, Pure("r3", "a"));
      CHECK(reused.reused());
      CHECK_FALSE(reused.created());
      CHECK(reused.task_id() == id);
      // Asked again, the same; and who does not ask for it runs.
      CHECK(SpawnPure(user, Pure("r3", "a")).reused());
      CHECK(SpawnPure(user, Pure("r4", "a", 0)).created());
    }
    if (!durable) return;
    subject.Restart();
    User user(subject);
    CHECK(SpawnPure(user, Pure("r3", "a")).task_id() == id);
    const auto reused = SpawnPure(user, Pure("r5", "a"));
    CHECK(reused.reused());
    CHECK(reused.task_id() == id);
    CHECK(SpawnPure(user, Pure("r6", "c")).created());
  });
}

TEST_CASE("Who depends on an item whose result is reused runs at once, with that result") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string id;
    std::string after;
    {
      User user(subject);
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1, 1));
      id = SpawnPure(user, Pure("r1", "a")).task_id();
      const v1::Dispatch task = executor.Task(1);
      v1::SpawnRequest batch = Pure("r2", "a");
      taskpb::TaskSpec& spec = *batch.add_specs();
      spec.set_type(Fresh("x"));
      taskpb::Dependency& dependency = *spec.add_dependencies();
      dependency.set_index(0);
      dependency.set_argument(true);
      executor.Ack(task, executor.Put(task, "A"));
      REQUIRE(user.Becomes(id, taskpb::TASK_STATE_SUCCEEDED));
      const auto response = user.Spawn(batch);
      REQUIRE(response.ok());
      CHECK(response->results(0).reused());
      REQUIRE(response->results(1).created());
      after = response->results(1).task_id();
      const v1::Dispatch dispatch = executor.Task(2);
      CHECK(dispatch.task_id() == after);
      REQUIRE(dispatch.arguments_size() == 1);
      CHECK(dispatch.arguments(0).task_id() == id);
    }
    if (!durable) return;
    subject.Restart();  // The place in the call is an id in the record.
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, 1));
    const v1::Dispatch dispatch = executor.Task(1);
    CHECK(dispatch.task_id() == after);
    REQUIRE(dispatch.arguments_size() == 1);
    CHECK(dispatch.arguments(0).task_id() == id);
  });
}

TEST_CASE("No result is reused before what the task comes after has ended") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, 2));
    const std::string id = SpawnPure(user, Pure("r1", "a")).task_id();
    const v1::Dispatch task = executor.Task(1);
    executor.Ack(task, executor.Put(task, "A"));
    REQUIRE(user.Becomes(id, taskpb::TASK_STATE_SUCCEEDED));
    const std::string other = user.Spawn(Request("r2"))->results(0).task_id();
    const auto after = [&](const std::string& request_id, const std::string& dependency) {
      v1::SpawnRequest request = Pure(request_id, "a");
      request.mutable_specs(0)->add_dependencies()->set_task_id(dependency);
      return SpawnPure(user, request);
    };
    CHECK(after("r3", other).created());
    CHECK(after("r4", id).task_id() == id);
  });
}

TEST_CASE("Reuse goes with effect PURE alone, and not with arguments") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    v1::SpawnRequest request = Pure("r", "a");
    request.mutable_specs(0)->set_effect(taskpb::EFFECT_IDEMPOTENT);
    const auto response = user.Spawn(request);
    REQUIRE(response.ok());
    CHECK(response->results(0).status().reason() == "CONTRADICTION");
    request = Pure("r2", "a");
    request.add_specs()->set_type(Fresh("x"));
    taskpb::Dependency& dependency = *request.mutable_specs(0)->add_dependencies();
    dependency.set_index(1);
    dependency.set_argument(true);
    CHECK(user.Spawn(request)->results(0).status().reason() == "CONTRADICTION");
    CHECK(user.Spawn(request)->results(1).created());
  });
}

}  // namespace
}  // namespace kantoku::inputs
