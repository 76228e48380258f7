#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Routes, and executors that are asked to leave, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;

v1::PullRequest HelloOfVersion(uint8_t session, const std::string& version) {
  v1::PullRequest request = ExamExecutor::HelloOf(session);
  request.mutable_hello()->set_version(version);
  return request;
}

v1::ControlExecutorsRequest Control(v1::ExecutorVerb verb, const std::vector<uint8_t>& sessions) {
  v1::ControlExecutorsRequest request;
  request.set_verb(verb);
  for (const uint8_t session : sessions) {
    request.add_session_ids(ExamExecutor::HelloOf(session).hello().session_id());
  }
  return request;
}

TEST_CASE("A route sends tasks of its type to executors that match, at once and after a restart",
          "[empty]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    User user(subject);
    REQUIRE(user.SetRoute("x", " version=='2' ").ok());
    REQUIRE(user.SetRoute("other", "has(gpu)").ok());
    if (durable) subject.Restart();
    User again(subject);
    const auto routes = again.Routes();
    REQUIRE(routes.ok());
    REQUIRE(routes->routes_size() == 2);
    CHECK(routes->routes(0).type() == "other");
    CHECK(routes->routes(1).selector() == R"(version == "2")");

    ExamExecutor old(subject.channel());
    old.Say(HelloOfVersion(1, "1"));
    REQUIRE(old.Hear([](const auto& heard) { return heard.has_welcome(); }));
    const std::string first = again.SpawnOne("r1");
    CHECK(again.Look(first).wait_cause() == taskpb::WAIT_CAUSE_PLACEMENT_UNMATCHED);
    CHECK(again.Look(first).wait_detail() ==
          R"(executor "exam": by the type's route version is "1", wanted == "2")");
    ExamExecutor young(subject.channel());
    young.Say(HelloOfVersion(2, "2"));
    CHECK(young.Task(1).task_id() == first);
    REQUIRE(again.SetRoute("x", "version == '1'").ok());
    const std::string second = again.SpawnOne("r2");
    CHECK(old.Task(1).task_id() == second);
    REQUIRE(again.SetRoute("x", "").ok());
    CHECK(again.Routes()->routes_size() == 1);
  });
}

TEST_CASE("A bad route is refused with its field, and one that is not there is not removed",
          "[empty]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    CheckRefused(user.SetRoute("x", "version =="), absl::StatusCode::kInvalidArgument,
                 "BAD_SELECTOR");
    CHECK(
        std::string(user.SetRoute("x", "version ==").message()).starts_with("selector: column 11"));
    CheckRefused(user.SetRoute("", "has(a)"), absl::StatusCode::kInvalidArgument, "EMPTY_TYPE");
    CheckRefused(user.SetRoute("x", ""), absl::StatusCode::kNotFound, "NO_SUCH_ROUTE");
    CHECK(user.Routes()->routes_size() == 0);
  });
}

TEST_CASE("An executor is asked to leave on its stream, at once, and gets nothing new") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    REQUIRE(executor.Hear([](const auto& heard) { return heard.has_welcome(); }));
    v1::ControlExecutorsRequest bounce = Control(v1::EXECUTOR_VERB_BOUNCE, {1, 9});
    bounce.mutable_delay()->set_seconds(3);
    const auto response = user.ControlExecutors(bounce);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == 2);
    CHECK(response->results(0).code() == 0);
    CHECK(response->results(1).code() == static_cast<int>(absl::StatusCode::kNotFound));
    REQUIRE(executor.Hear([](const auto& heard) { return heard.has_executor_control(); }));
    CHECK(executor.heard().executor_control().verb() == v1::EXECUTOR_VERB_BOUNCE);
    CHECK(executor.heard().executor_control().delay().seconds() == 3);
    CHECK(user.Executor(1).leaving());
    const std::string task = user.SpawnOne("r");
    CHECK(user.Look(task).wait_cause() == taskpb::WAIT_CAUSE_NO_CREDIT);
    ExamExecutor again(subject.channel());
    again.Say(ExamExecutor::HelloOf(1));
    CHECK(again.Task(1).task_id() == task);
  });
}

TEST_CASE("An executor that is not connected cannot be asked") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string task = user.SpawnOne("r");
    {
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1));
      CHECK(executor.Task(1).task_id() == task);
    }
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (user.Executor(1).connected()) {
      REQUIRE(std::chrono::steady_clock::now() < give_up);
    }
    const auto response = user.ControlExecutors(Control(v1::EXECUTOR_VERB_DRAIN, {1}));
    REQUIRE(response.ok());
    CHECK(response->results(0).code() == static_cast<int>(absl::StatusCode::kFailedPrecondition));
    CHECK(response->results(0).reason() == "NOT_CONNECTED");
  });
}

TEST_CASE("What is wrong with asking executors is told by field and value") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const auto reason = [&](const v1::ControlExecutorsRequest& request) {
      return platform::ReasonOf(user.ControlExecutors(request).status());
    };
    CHECK(reason(Control(v1::EXECUTOR_VERB_DRAIN, {})) == "BAD_BATCH_SIZE");
    CHECK(reason(Control(v1::EXECUTOR_VERB_UNSPECIFIED, {1})) == "BAD_VERB");
    CHECK(reason(Control(static_cast<v1::ExecutorVerb>(77), {1})) == "BAD_VERB");
    v1::ControlExecutorsRequest delayed = Control(v1::EXECUTOR_VERB_KICK, {1});
    delayed.mutable_delay()->set_seconds(1);
    CHECK(reason(delayed) == "CONTRADICTION");
    delayed.set_verb(v1::EXECUTOR_VERB_BOUNCE);
    delayed.mutable_delay()->set_seconds(3'601);
    CHECK(reason(delayed) == "OUT_OF_RANGE");
    v1::ControlExecutorsRequest short_id = Control(v1::EXECUTOR_VERB_KICK, {});
    short_id.add_session_ids("short");
    CHECK(user.ControlExecutors(short_id).status().code() == absl::StatusCode::kInvalidArgument);
    short_id.set_namespace_(Fresh("nowhere"));
    CHECK_FALSE(user.ControlExecutors(short_id).ok());
  });
}

}  // namespace
}  // namespace kantoku::inputs
