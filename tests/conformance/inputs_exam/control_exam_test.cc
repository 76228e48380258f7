#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Control of tasks and trees, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

void CheckTreeStopping(User& user, const v1::SpawnRequest& request) {
  const auto answer = user.Spawn(request);
  REQUIRE(answer.ok());
  for (const v1::SpawnResult& result : answer->results()) {
    CHECK(result.status().code() == static_cast<int>(absl::StatusCode::kFailedPrecondition));
    CHECK(result.status().reason() == "TREE_STOPPING");
    CHECK(result.status().message() == "parent_id: the parent or its tree is being stopped");
    CHECK(result.task_id().empty());
  }
}

// Below the root and below the child, both with the root as their tree.
v1::SpawnRequest Below(const std::string& id, const std::string& root, const std::string& child) {
  v1::SpawnRequest request = Request(id, 2);
  request.mutable_specs(0)->set_parent_id(root);
  request.mutable_specs(1)->set_parent_id(child);
  for (auto& spec : *request.mutable_specs()) spec.set_root_id(root);
  return request;
}

TEST_CASE("A tree is paused, resumed, and stopped, by its root") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string root;
    std::string child;
    {
      User user(subject);
      root = user.SpawnOne("root");
      auto request = Request("children", 3);
      request.mutable_specs(0)->set_parent_id(root);
      request.mutable_specs(1)->set_parent_id(std::string(16, 'x'));
      request.mutable_specs(2)->set_root_id(root);
      const auto spawned = user.Spawn(request);
      REQUIRE(spawned.ok());
      child = spawned->results(0).task_id();
      CHECK(spawned->results(1).status().reason() == "INVALID_ID");
      CHECK(spawned->results(2).status().reason() == "CONTRADICTION");
      CHECK(user.Control(root, v1::CONTROL_VERB_PAUSE)->results(0).state() ==
            taskpb::TASK_STATE_PAUSED);
      CHECK(user.Becomes(child, taskpb::TASK_STATE_PAUSED));
    }
    if (durable) subject.Restart();
    User user(subject);
    CHECK(user.Becomes(child, taskpb::TASK_STATE_PAUSED));
    v1::ListTasksRequest list;
    list.set_root_id(root);
    CHECK(user.List(list)->tasks_size() == 2);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, 10));
    CHECK(user.Control(root, v1::CONTROL_VERB_RESUME)->results(0).status().code() == 0);
    REQUIRE(executor.Hear([](const v1::PullResponse& heard) { return heard.tasks_size() == 2; }));
    for (const auto& task : executor.heard().tasks()) CHECK(task.root_id() == root);
    CHECK(user.Control(root, v1::CONTROL_VERB_INTERRUPT)->results(0).state() ==
          taskpb::TASK_STATE_INTERRUPTING);
    REQUIRE(
        executor.Hear([](const v1::PullResponse& heard) { return heard.controls_size() == 2; }));
    auto late = Request("late");
    late.mutable_specs(0)->set_parent_id(root);
    CheckTreeStopping(user, late);
    for (const int i : {1, 2}) executor.Nack(executor.Task(i), v1::NACK_KIND_CANCELLED);
    CHECK(user.Becomes(child, taskpb::TASK_STATE_CANCELLED));
    CHECK(user.Becomes(root, taskpb::TASK_STATE_CANCELLED));
    v1::GetTasksRequest get;
    get.add_task_ids(child);
    const auto info = user.Get(get)->results(0).info();
    CHECK(info.last_error().reason() == "INTERRUPTED");
    CHECK(info.parent_id() == root);
  });
}

TEST_CASE(
    "A spawn under a cancelling root is FAILED_PRECONDITION until all of its tree has ended") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string root;
    v1::Dispatch child;
    {
      User user(subject);
      root = user.SpawnOne("root");
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1));
      const v1::Dispatch first = executor.Task(1);
      auto request = Request("child");
      request.mutable_specs(0)->set_parent_id(root);
      REQUIRE(user.Spawn(request)->results(0).status().code() == 0);
      child = executor.Task(2);
      CHECK(user.Control(root, v1::CONTROL_VERB_CANCEL)->results(0).state() ==
            taskpb::TASK_STATE_CANCELLING);
      CheckTreeStopping(user, Below("while it stops", root, child.task_id()));
      executor.Nack(first, v1::NACK_KIND_CANCELLED);
      REQUIRE(user.Becomes(root, taskpb::TASK_STATE_CANCELLED));
      REQUIRE(user.Look(child.task_id()).state() == taskpb::TASK_STATE_CANCELLING);
      CheckTreeStopping(user, Below("its root has ended", root, child.task_id()));
    }
    if (durable) subject.Restart();
    User user(subject);
    CheckTreeStopping(user, Below("after a restart", root, child.task_id()));
    ExamExecutor executor(subject.channel());
    v1::Held held;
    held.set_task_id(child.task_id());
    held.set_dispatch(child.dispatch());
    executor.Say(ExamExecutor::HelloOf(1, 10, {held}));
    executor.Nack(child, v1::NACK_KIND_CANCELLED);
    REQUIRE(user.Becomes(child.task_id(), taskpb::TASK_STATE_CANCELLED));
    const auto late = user.Spawn(Below("nobody is left", root, child.task_id()));
    for (const v1::SpawnResult& result : late->results()) {
      CHECK(result.status().code() == static_cast<int>(absl::StatusCode::kFailedPrecondition));
      CHECK(result.status().reason() == "PARENT_UNKNOWN");
    }
    CHECK(user.List()->tasks_size() == 2);
  });
}

}  // namespace
}  // namespace kantoku::inputs
