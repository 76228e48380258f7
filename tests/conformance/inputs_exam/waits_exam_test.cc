#include <catch2/catch.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "services/platform/proto_time.h"
#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// What `why` tells of where the time of a waiting task went, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

// Between a task's times and this process's clock: both are in whole milliseconds, one of wall time
// and one of steady time.
constexpr absl::Duration kRounding = absl::Milliseconds(20);

// One task, as it was at the moment of an answer.
struct Waited {
  std::map<taskpb::WaitCause, absl::Duration> times;
  absl::Duration sum;
  absl::Duration age_before;  // Its age when it was asked for, …
  absl::Duration age_after;   // … and when the answer was there.
  taskpb::WaitCause now;

  absl::Duration For(taskpb::WaitCause cause) const {
    const auto time = times.find(cause);
    return time == times.end() ? absl::ZeroDuration() : time->second;
  }
};

// All of them in one call, so at one moment.
std::vector<Waited> Why(User& user, const std::vector<std::string>& tasks) {
  v1::GetTasksRequest request;
  for (const std::string& task : tasks) request.add_task_ids(task);
  request.set_explain(true);
  const absl::Time asked = absl::Now();
  const auto response = user.Get(request);
  const absl::Time answered = absl::Now();
  REQUIRE(response.ok());
  std::vector<Waited> all;
  for (const v1::GetTaskResult& result : response->results()) {
    REQUIRE(result.status().code() == 0);
    const absl::Time created = platform::FromProto(result.info().created_at());
    Waited waited{.sum = absl::ZeroDuration(),
                  .age_before = asked - created,
                  .age_after = answered - created,
                  .now = result.info().wait_cause()};
    for (const taskpb::Wait& wait : result.info().waits()) {
      CHECK_FALSE(waited.times.contains(wait.cause()));
      waited.times[wait.cause()] = platform::FromProto(wait.time());
      waited.sum += platform::FromProto(wait.time());
    }
    all.push_back(waited);
  }
  return all;
}

// Asks until it is so.
Waited WhyOnce(User& user, const std::string& task, const std::function<bool(const Waited&)>& so) {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (std::chrono::steady_clock::now() < give_up) {
    Waited waited = Why(user, {task}).front();
    if (so(waited)) return waited;
  }
  FAIL("it does not come to be so");
  return {};
}

void CheckSum(const Waited& waited) {
  CHECK(waited.sum >= waited.age_before - kRounding);
  CHECK(waited.sum <= waited.age_after + kRounding);
}

// Waits until the task has waited for it, and for a moment longer.
Waited AwaitCause(User& user, const std::string& task, taskpb::WaitCause cause) {
  const absl::Duration before = Why(user, {task}).front().For(cause);
  return WhyOnce(user, task, [&](const Waited& waited) {
    return waited.now == cause && waited.For(cause) >= before + 2 * kRounding;
  });
}

void Control(User& user, const std::string& task, v1::ControlVerb verb) {
  v1::ControlRequest request;
  request.add_task_ids(task);
  request.set_verb(verb);
  const auto response = user.Control(request);
  REQUIRE(response.ok());
  REQUIRE(response->results(0).status().code() == 0);
}

TEST_CASE("What a task has waited for is named, each cause with its time, and sums to its waiting",
          "[clock]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string task;
    std::string sibling;
    absl::Duration delay;
    {
      User user(subject);
      auto request = Request("r", 2);
      const absl::Time not_before = absl::Now() + absl::Seconds(1);
      *request.mutable_specs(0)->mutable_not_before() = platform::ToProto(not_before);
      const auto spawned = user.Spawn(request);
      REQUIRE(spawned.ok());
      task = spawned->results(0).task_id();
      sibling = spawned->results(1).task_id();
      delay = not_before - platform::FromProto(user.Look(task).created_at());
      CheckSum(AwaitCause(user, task, taskpb::WAIT_CAUSE_NO_IMPLEMENTATION));
      Control(user, task, v1::CONTROL_VERB_PAUSE);
      CheckSum(AwaitCause(user, task, taskpb::WAIT_CAUSE_PAUSED));
      Control(user, task, v1::CONTROL_VERB_RESUME);
    }
    if (durable) subject.Restart();
    User user(subject);
    const Waited waited = AwaitCause(user, task, taskpb::WAIT_CAUSE_NO_IMPLEMENTATION);
    CheckSum(waited);
    CHECK(absl::AbsDuration(waited.For(taskpb::WAIT_CAUSE_DELAY) - delay) <= kRounding);
    CHECK(waited.For(taskpb::WAIT_CAUSE_NO_IMPLEMENTATION) >= 2 * kRounding);
    CHECK(waited.For(taskpb::WAIT_CAUSE_PAUSED) >= 2 * kRounding);
    CHECK((waited.For(taskpb::WAIT_CAUSE_RECOVERING) > absl::ZeroDuration()) == durable);
    CHECK(waited.times.size() == (durable ? 4U : 3U));
    // Two of one call that wait for different things have waited equally long.
    const auto both = Why(user, {task, sibling});
    CHECK(absl::AbsDuration(both[0].sum - both[1].sum) <= absl::Milliseconds(durable ? 2 : 0));
  });
}

TEST_CASE("While its handler runs a task waits for nothing, and what it has waited stays",
          "[clock]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string task = user.SpawnOne("r");
    AwaitCause(user, task, taskpb::WAIT_CAUSE_NO_IMPLEMENTATION);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    const v1::Dispatch dispatch = executor.Task(1);
    CheckSum(AwaitCause(user, task, taskpb::WAIT_CAUSE_EXECUTOR_QUEUE));
    v1::PullRequest request;
    v1::Started& started = *request.add_started();
    started.set_task_id(dispatch.task_id());
    started.set_dispatch(dispatch.dispatch());
    executor.Say(request);
    REQUIRE(user.Becomes(task, taskpb::TASK_STATE_RUNNING));
    const Waited begun = Why(user, {task}).front();
    CHECK(begun.now == taskpb::WAIT_CAUSE_UNSPECIFIED);
    CHECK(begun.sum <= begun.age_after + kRounding);
    const Waited later = WhyOnce(user, task, [&](const Waited& waited) {
      return waited.age_before > begun.age_after + 2 * kRounding;
    });
    CHECK(later.times == begun.times);
  });
}

}  // namespace
}  // namespace kantoku::inputs
