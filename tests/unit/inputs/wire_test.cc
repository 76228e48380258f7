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

}  // namespace
}  // namespace kantoku::inputs
