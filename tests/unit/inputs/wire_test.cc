#include "services/inputs/wire.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::inputs {
namespace {

TEST_CASE("An answer that is full says so for the tasks that do not fit") {
  TaskView view;
  view.id = TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, 1, 1);
  view.state = TaskState::kFailed;
  view.last_failure = {"HANDLER_FAILED", std::string(4'096, 'm')};
  size_t room = 10'000;
  v1::GetTasksResponse response;
  for (int i = 0; i < 5; ++i) SetTaskResult(view, false, room, *response.add_results());
  for (int i = 0; i < 2; ++i)
    CHECK(response.results(i).info().state() == task::v1::TASK_STATE_FAILED);
  for (int i = 2; i < 5; ++i) {
    CHECK(response.results(i).status().reason() == "ANSWER_TOO_LARGE");
    CHECK_FALSE(response.results(i).has_info());
  }
  CHECK(response.ByteSizeLong() < 11'000);
  // What is small fits still.
  SetTaskResult(view, true, room, *response.add_results());
  CHECK(response.results(5).info().state() == task::v1::TASK_STATE_FAILED);
  SetTaskResult(absl::NotFoundError("none"), false, room, *response.add_results());
  CHECK(response.results(6).status().code() == static_cast<int>(absl::StatusCode::kNotFound));
}

TEST_CASE("A task shows its placement, and why it fits nobody while that is what it waits for") {
  TaskView view;
  view.place = std::make_shared<const PlacementView>(PlacementView{
      .placement = {.selector = *Selector::Parse("has( gpu )"), .pins = {"lab-3", "", ""}},
      .why_unmatched = "no gpu"});
  view.state = TaskState::kReady;
  view.cause = WaitCause::kPlacementUnmatched;
  task::v1::TaskInfo info;
  SetTaskInfo(view, info);
  CHECK(info.placement().selector() == "has(gpu)");
  CHECK(info.placement().executor() == "lab-3");
  CHECK(info.wait_cause() == task::v1::WAIT_CAUSE_PLACEMENT_UNMATCHED);
  CHECK(info.wait_detail() == "no gpu");
  view.cause = WaitCause::kFence;
  task::v1::TaskInfo fenced;
  SetTaskInfo(view, fenced);
  CHECK(fenced.wait_detail().empty());
  CHECK(fenced.has_placement());
}

TEST_CASE("An executor shows all its labels and its version") {
  SessionView view;
  view.labels = *Labels::Make({{"gpu", "true"}, {"owner", "anna"}});
  view.version = "2.1";
  v1::ExecutorInfo info;
  SetExecutorInfo(view, info);
  CHECK(info.labels().size() == 2);
  CHECK(info.labels().at("owner") == "anna");
  CHECK(info.version() == "2.1");
}

TEST_CASE("A spawn that is answered with another task's result says so") {
  const TaskId id = TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, 1, 1);
  v1::SpawnResult result;
  SetSpawnResult({.id = id, .reused = true}, result);
  CHECK(result.task_id() == id.bytes());
  CHECK(result.status().code() == 0);
  CHECK_FALSE(result.created());
  CHECK(result.reused());
}

}  // namespace
}  // namespace kantoku::inputs
