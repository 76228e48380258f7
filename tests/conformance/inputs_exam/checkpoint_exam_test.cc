#include <catch2/catch.hpp>
#include <string>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// What dispatches leave to the next ones, over gRPC.
namespace kantoku::inputs {
namespace {

void Leave(ExamExecutor& executor, const v1::Dispatch& task, const std::string& data,
           uint64_t number = 1) {
  v1::PullRequest request;
  v1::Checkpoint& checkpoint = *request.add_checkpoints();
  checkpoint.set_task_id(task.task_id());
  checkpoint.set_dispatch(task.dispatch());
  checkpoint.set_number(number);
  checkpoint.set_data(data);
  executor.Say(request);
}

v1::CheckpointConfirmed Answer(ExamExecutor& executor, int n) {
  REQUIRE(
      executor.Hear([n](const auto& heard) { return heard.checkpoints_confirmed_size() >= n; }));
  return executor.heard().checkpoints_confirmed(n - 1);
}

TEST_CASE("A checkpoint is confirmed and handed to the next dispatch, also after a restart") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string id;
    {
      User user(subject);
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1));
      id = user.SpawnOne("r", "payload");
      const v1::Dispatch task = executor.Task(1);
      CHECK(task.checkpoint().empty());
      const std::string large(size_t{1} << 20, 'x');
      Leave(executor, task, large, 7);
      const auto confirmed = Answer(executor, 1);
      CHECK(confirmed.task_id() == id);
      CHECK(confirmed.dispatch() == 1);
      CHECK(confirmed.number() == 7);
      CHECK(confirmed.status().code() == 0);
      executor.Nack(task, v1::NACK_KIND_RETURNED);
      const v1::Dispatch next = executor.Task(2);
      CHECK(next.dispatch() == 2);
      CHECK(next.checkpoint() == large);
      CHECK(next.payload() == "payload");
      Leave(executor, next, "half", 1);
      CHECK(Answer(executor, 2).status().code() == 0);
    }
    if (!durable) return;
    subject.Restart();
    ExamExecutor again(subject.channel());
    again.Say(ExamExecutor::HelloOf(1));  // Holds nothing any more.
    const v1::Dispatch last = again.Task(1);
    CHECK(last.task_id() == id);
    CHECK(last.checkpoint() == "half");
  });
}

TEST_CASE("A checkpoint that is too large, or of a dispatch that is not held, changes nothing") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    user.SpawnOne("r");
    const v1::Dispatch task = executor.Task(1);
    ExamExecutor other(subject.channel());
    other.Say(ExamExecutor::HelloOf(2, 0));
    REQUIRE(other.Hear([](const auto& heard) { return heard.has_welcome(); }));
    Leave(other, task, "stolen");
    CHECK(other.Refusal(1).status().reason() == "NOT_HELD");
    Leave(executor, task, std::string((size_t{1} << 20) + 1, 'x'));
    CHECK(Answer(executor, 1).status().reason() == "CHECKPOINT_TOO_LARGE");
    executor.Nack(task, v1::NACK_KIND_RETURNED);
    CHECK(executor.Task(2).checkpoint().empty());
  });
}

}  // namespace
}  // namespace kantoku::inputs
