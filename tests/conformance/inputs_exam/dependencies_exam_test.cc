#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Tasks that depend on others, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;
namespace outputspb = ::kantoku::outputs::v1;

taskpb::Dependency& DependOn(taskpb::TaskSpec& spec, const std::string& task) {
  auto& dependency = *spec.add_dependencies();
  dependency.set_task_id(task);
  return dependency;
}

TEST_CASE("Tasks run after those that they depend on, by id and by place in the call") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string last;
    std::string middle;
    std::string first;
    {
      User user(subject);
      first = user.SpawnOne("first");
      auto request = Request("rest", 2);
      request.mutable_specs(0)->add_dependencies()->set_index(1);
      DependOn(*request.mutable_specs(1), first);
      const auto spawned = user.Spawn(request);
      REQUIRE(spawned.ok());
      last = spawned->results(0).task_id();
      middle = spawned->results(1).task_id();
      // A repeat of the call gets the same ids at the same places.
      CHECK(user.Spawn(request)->results(0).task_id() == last);
      CHECK(user.Look(last).state() == taskpb::TASK_STATE_BLOCKED);
    }
    if (durable) subject.Restart();
    User user(subject);
    const auto info = user.Look(middle);
    CHECK(info.state() == taskpb::TASK_STATE_BLOCKED);
    CHECK(info.wait_cause() == taskpb::WAIT_CAUSE_DEPENDENCY);
    CHECK(info.open_dependencies() == 1);
    CHECK(info.wait_detail().find("has not ended") != std::string::npos);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    int number = 0;
    for (const std::string& id : {first, middle, last}) {
      const auto task = executor.Task(++number);
      CHECK(task.task_id() == id);
      executor.Ack(task, executor.Put(task, "done"));
    }
    CHECK(user.Becomes(last, taskpb::TASK_STATE_SUCCEEDED));
  });
}

TEST_CASE("What fails takes those along that depend on it, as they asked") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string bad = user.SpawnOne("bad");
    auto request = Request("rest", 4);
    DependOn(*request.mutable_specs(0), bad);
    DependOn(*request.mutable_specs(1), bad).set_on_failure(taskpb::ON_FAILURE_SKIP);
    DependOn(*request.mutable_specs(2), bad).set_on_failure(taskpb::ON_FAILURE_RUN);
    request.mutable_specs(3)->add_dependencies()->set_index(0);  // Of one that has not run.
    const auto spawned = user.Spawn(request);
    REQUIRE(spawned.ok());
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    executor.Nack(executor.Task(1), v1::NACK_KIND_FAILED_FINALLY);
    CHECK(executor.Task(2).task_id() == spawned->results(2).task_id());
    CHECK(user.Becomes(spawned->results(0).task_id(), taskpb::TASK_STATE_FAILED));
    CHECK(user.Becomes(spawned->results(1).task_id(), taskpb::TASK_STATE_CANCELLED));
    CHECK(user.Becomes(spawned->results(3).task_id(), taskpb::TASK_STATE_FAILED));
    CHECK(user.Look(spawned->results(0).task_id()).last_error().reason() == "DEPENDENCY_FAILED");
    CHECK(user.Look(spawned->results(1).task_id()).last_error().reason() == "SKIPPED");
  });
}

TEST_CASE("An executor gets its arguments from Outputs with the grants that it is given") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    const std::string first = user.SpawnOne("first");
    auto request = Request("rest");
    DependOn(*request.mutable_specs(0), first).set_argument(true);
    REQUIRE(user.Spawn(request)->results(0).status().code() == 0);
    const auto task = executor.Task(1);
    executor.Ack(task, executor.Put(task, "the argument"));
    const auto dispatch = executor.Task(2);
    REQUIRE(dispatch.arguments_size() == 1);
    outputspb::GetRequest get;
    get.add_task_ids(dispatch.arguments(0).task_id());
    get.add_read_grants(dispatch.arguments(0).read_grant());
    get.set_session_id(ExamExecutor::HelloOf(1).hello().session_id());
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    outputspb::GetResponse response;
    const auto stub = outputspb::OutputsService::NewStub(subject.channel());
    REQUIRE(stub->Get(&context, get, &response).ok());
    REQUIRE(response.results_size() == 1);
    CHECK(response.results(0).result().data() == "the argument");
  });
}

TEST_CASE("What cannot be depended on is refused item by item, and nothing is half done") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("bad", 9);
    request.mutable_specs(0)->add_dependencies()->set_index(1);
    request.mutable_specs(1)->add_dependencies()->set_index(0);
    request.mutable_specs(2)->add_dependencies()->set_index(1);
    request.mutable_specs(3)->add_dependencies()->set_index(9);
    request.mutable_specs(4)->add_dependencies()->set_index(4);
    const std::string unknown = user.SpawnOne("a").substr(0, 12) + "\x01\x02\x03\x04";
    DependOn(*request.mutable_specs(5), unknown);
    request.mutable_specs(6)->add_dependencies()->set_index(5);
    request.mutable_specs(7)->add_dependencies();
    const auto spawned = user.Spawn(request);
    REQUIRE(spawned.ok());
    const std::vector<std::string> reasons = {
        "DEPENDENCY_CYCLE",   "DEPENDENCY_CYCLE", "DEPENDENCY_REFUSED",
        "DEPENDENCY_INDEX",   "DEPENDENCY_INDEX", "DEPENDENCY_UNKNOWN",
        "DEPENDENCY_REFUSED", "BAD_DEPENDENCY",   ""};
    const auto code_of = [](const std::string& reason) {
      if (reason.empty()) return absl::StatusCode::kOk;
      return reason == "DEPENDENCY_UNKNOWN" || reason == "DEPENDENCY_REFUSED"
                 ? absl::StatusCode::kFailedPrecondition
                 : absl::StatusCode::kInvalidArgument;
    };
    for (int i = 0; i < 9; ++i) {
      CAPTURE(i, spawned->results(i).status().message());
      CHECK(spawned->results(i).status().code() ==
            static_cast<int>(code_of(reasons[static_cast<size_t>(i)])));
      CHECK(spawned->results(i).status().reason() == reasons[static_cast<size_t>(i)]);
      CHECK(spawned->results(i).task_id().empty() == !reasons[static_cast<size_t>(i)].empty());
    }
    CHECK(user.List()->tasks_size() == 2);  // The good one, and that from before.
  });
}

// What its size asks of the engine is the same on every backend.
TEST_CASE("A chain of 100,000 tasks is taken in one call, and fails as a whole", "[load][sqlite]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    constexpr int kLength = 100'000;
    User user(subject);
    auto request = Request("chain", kLength);
    for (int i = 1; i < kLength; ++i) {
      request.mutable_specs(i)->add_dependencies()->set_index(static_cast<uint32_t>(i - 1));
    }
    const auto spawned = user.Spawn(request);
    REQUIRE(spawned.ok());
    const std::string last = spawned->results(kLength - 1).task_id();
    CHECK(user.Look(last).state() == taskpb::TASK_STATE_BLOCKED);
    v1::ControlRequest cancel;
    cancel.add_task_ids(spawned->results(0).task_id());
    cancel.set_verb(v1::CONTROL_VERB_CANCEL);
    REQUIRE(user.Control(cancel).ok());
    CHECK(user.Becomes(last, taskpb::TASK_STATE_FAILED));
  });
}

TEST_CASE("A task waits for 10,000 others", "[load][memory]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    constexpr int kWidth = 10'000;
    User user(subject);
    auto request = Request("fan", kWidth + 1);
    for (int i = 0; i < kWidth; ++i) {
      request.mutable_specs(kWidth)->add_dependencies()->set_index(static_cast<uint32_t>(i));
    }
    const auto spawned = user.Spawn(request);
    REQUIRE(spawned.ok());
    const std::string last = spawned->results(kWidth).task_id();
    CHECK(user.Look(last).open_dependencies() == kWidth);
    v1::ControlRequest cancel;
    for (int i = 0; i < kWidth; ++i) cancel.add_task_ids(spawned->results(i).task_id());
    cancel.set_verb(v1::CONTROL_VERB_CANCEL);
    REQUIRE(user.Control(cancel).ok());
    CHECK(user.Becomes(last, taskpb::TASK_STATE_FAILED));
  });
}

TEST_CASE("A task that waits for 10,000 others runs when all of them have succeeded", "[load]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    constexpr int kWidth = 10'000;
    constexpr int kAtOnce = ServiceSubject::kMaxCredit;
    static_assert(kWidth % kAtOnce == 0);
    std::string last;
    {
      User user(subject);
      auto request = Request("fan", kWidth + 1);
      for (int i = 0; i < kWidth; ++i) {
        request.mutable_specs(kWidth)->add_dependencies()->set_index(static_cast<uint32_t>(i));
      }
      const auto spawned = user.Spawn(request);
      REQUIRE(spawned.ok());
      last = spawned->results(kWidth).task_id();
    }
    if (durable) subject.Restart();
    User user(subject);
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1, kAtOnce));
    for (int done = 0; done < kWidth; done += kAtOnce) {
      (void)executor.Task(done + kAtOnce);
      if (done + kAtOnce == kWidth) CHECK(user.Look(last).open_dependencies() == kAtOnce);
      executor.FinishAll(done + 1, kAtOnce);
    }
    const v1::Dispatch task = executor.Task(kWidth + 1);
    CHECK(task.task_id() == last);
    executor.Ack(task, executor.Put(task, "done"));
    CHECK(user.Becomes(last, taskpb::TASK_STATE_SUCCEEDED));
  });
}

}  // namespace
}  // namespace kantoku::inputs
