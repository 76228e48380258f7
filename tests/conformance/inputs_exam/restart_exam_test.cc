#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Restarts of dead tasks, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

v1::RestartTasksRequest Of(const std::string& task) {
  v1::RestartTasksRequest request;
  request.add_task_ids(task);
  return request;
}

// So that of a server that does not refuse what it should no dead task of others is restarted.
void MatchNothing(v1::RestartTasksRequest& request) {
  request.mutable_matching()->set_type(Fresh("nothing"));
}

TEST_CASE("A failed task is restarted once, and lives on as another") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string dead;
    std::string living;
    {
      User user(subject);
      dead = user.SpawnOne("dead", "argument");
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1, 1));
      v1::PullRequest full;  // What is restarted is not for this one.
      full.mutable_credit();
      const auto task = executor.Task(1);
      executor.Say(full);
      executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
      REQUIRE(user.Becomes(dead, taskpb::TASK_STATE_FAILED));
      const auto restarted = user.Restart(Of(dead));
      REQUIRE(restarted.ok());
      CHECK(restarted->results(0).status().code() == 0);
      CHECK(restarted->results(0).task_id() == dead);
      CHECK(restarted->results(0).created());
      living = restarted->results(0).new_task_id();
    }
    if (durable) subject.Restart();
    User user(subject);
    CHECK(user.Look(dead).restarted_as() == living);
    CHECK(user.Look(dead).state() == taskpb::TASK_STATE_FAILED);
    CHECK(user.Look(living).restarted_from() == dead);
    CHECK(user.Look(living).failed_attempts() == 0);
    const auto again = user.Restart(Of(dead));
    CHECK(again->results(0).new_task_id() == living);
    CHECK(!again->results(0).created());
    CHECK(user.Restart(Of(living))->results(0).status().reason() == "TASK_LIVES");
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(2, 1));
    CHECK(executor.Task(1).task_id() == living);
    CHECK(executor.Task(1).payload() == "argument");
  });
}

TEST_CASE("A filter restarts what has died, and says before what it would") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, 3));
    for (const char* const id : {"a", "b", "c"}) user.SpawnOne(id);
    REQUIRE(executor.Hear([](const v1::PullResponse& heard) { return heard.tasks_size() == 3; }));
    for (int i = 1; i <= 3; ++i) {
      const auto task = executor.Task(i);
      executor.Nack(task, v1::NACK_KIND_FAILED_FINALLY);
      REQUIRE(user.Becomes(task.task_id(), taskpb::TASK_STATE_FAILED));
    }
    v1::RestartTasksRequest request;
    MatchNothing(request);
    CHECK(user.Restart(request)->results_size() == 0);
    request.mutable_matching()->set_type(Fresh("x"));
    request.set_dry_run(true);
    request.set_page_size(2);
    const auto dry = user.Restart(request);
    REQUIRE(dry->results_size() == 2);
    CHECK(dry->results(0).new_task_id().empty());
    request.set_dry_run(false);
    const auto first = user.Restart(request);
    REQUIRE(first->results_size() == 2);
    CHECK(first->results(0).task_id() == dry->results(0).task_id());
    CHECK(first->results(0).created());
    request.set_page_token(first->next_page_token());
    CHECK(user.Restart(request)->results_size() == 1);
  });
}

TEST_CASE("A restart that contradicts itself, or asks for too much, is refused") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const auto refused = [&](const v1::RestartTasksRequest& request, const std::string& reason) {
      CheckRefused(user.Restart(request).status(), absl::StatusCode::kInvalidArgument, reason);
    };
    refused({}, "BAD_BATCH_SIZE");
    v1::RestartTasksRequest both = Of(std::string(16, 'x'));
    MatchNothing(both);
    refused(both, "CONTRADICTION");
    v1::RestartTasksRequest paged = Of(std::string(16, 'x'));
    paged.set_page_size(1);
    refused(paged, "CONTRADICTION");
    v1::RestartTasksRequest many;
    for (int i = 0; i <= 1'000; ++i) many.add_task_ids(std::string(16, 'x'));
    refused(many, "BAD_BATCH_SIZE");
    v1::RestartTasksRequest matching;
    MatchNothing(matching);
    matching.set_page_size(1'001);
    refused(matching, "OUT_OF_RANGE");
    matching.set_page_size(1);
    matching.set_page_token("x");
    refused(matching, "BAD_PAGE_TOKEN");
    matching.clear_page_token();
    matching.mutable_matching()->add_states(taskpb::TASK_STATE_SUCCEEDED);
    refused(matching, "BAD_STATE");
    CHECK(user.Restart(Of("short"))->results(0).status().reason() == "INVALID_ID");
  });
}

}  // namespace
}  // namespace kantoku::inputs
