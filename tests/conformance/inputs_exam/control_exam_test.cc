#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Control of tasks and trees, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

TEST_CASE("A tree is paused, resumed, and stopped, by its root") {
  ForEveryService([](ServiceSubject& subject, bool durable) {
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
    CHECK(user.Spawn(late)->results(0).status().reason() == "TREE_STOPPING");
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

}  // namespace
}  // namespace kantoku::inputs
