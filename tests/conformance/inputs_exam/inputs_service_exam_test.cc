#include "tests/conformance/inputs_exam/inputs_service_exam.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "absl/time/clock.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Every build of the service passes every case, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;
using platform::ReasonOf;

v1::Held HeldOf(const v1::Dispatch& task, bool started) {
  v1::Held held;
  held.set_task_id(task.task_id());
  held.set_dispatch(task.dispatch());
  held.set_started(started);
  return held;
}

TEST_CASE("A task goes from spawn to its result") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string id = user.SpawnOne("r", "hello");
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    const v1::Dispatch task = executor.Task(1);
    CHECK(executor.heard().has_welcome());
    CHECK(task.task_id() == id);
    CHECK(task.payload() == "hello");
    const auto held = user.Look(id);
    CHECK(held.task_id() == id);
    CHECK(held.session_id() == ExamExecutor::HelloOf(1).hello().session_id());
    executor.Ack(task, executor.Put(task, "done"));
    REQUIRE(executor.Hear([](const auto& heard) { return heard.confirmed_size() == 1; }));
    const auto info = user.Look(id);
    CHECK(info.state() == taskpb::TASK_STATE_SUCCEEDED);
    CHECK(info.has_ended_at());
  });
}

TEST_CASE("In a batch only the bad items fail, and each says why", "[limits]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("r", 6);
    request.mutable_specs(1)->clear_type();
    request.mutable_specs(2)->set_payload(std::string(ServiceSubject::kMaxPayload + 1, 'p'));
    request.mutable_specs(3)->set_content_type("caf\xE9");
    request.mutable_specs(4)->mutable_timeout()->set_seconds(INT64_MAX);
    const auto response = user.Spawn(request);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == 6);
    const std::vector<std::string> reasons = {
        "", "EMPTY_TYPE", "PAYLOAD_TOO_LARGE", "INVALID_UTF8", "OUT_OF_RANGE", ""};
    for (int i = 0; i < 6; ++i) {
      INFO(i);
      const auto& result = response->results(i);
      CHECK(result.status().reason() == reasons[static_cast<size_t>(i)]);
      CHECK(result.status().code() == (reasons[static_cast<size_t>(i)].empty() ? 0 : 3));
      CHECK(result.created() == reasons[static_cast<size_t>(i)].empty());
      CHECK(result.task_id().size() == (result.created() ? 16U : 0U));
    }
    CHECK(response->results(2).status().message() ==
          "payload: 10001 bytes exceed the limit of 10000");
    CHECK(response->results(3).status().message() == "content_type: \"caf\\xe9\" is no UTF-8");
    CHECK(user.List()->tasks_size() == 2);
  });
}

TEST_CASE("Calls that are not sound are refused as a whole, with the reason") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    User user(subject);
    CheckRefused(user.Spawn(Request("r", 0)).status(), kInvalid, "BAD_BATCH_SIZE");
    CheckRefused(user.Spawn(Request("")).status(), kInvalid, "BAD_REQUEST_ID");
    CheckRefused(user.Spawn(Request("\xFF")).status(), kInvalid, "INVALID_UTF8");
    auto elsewhere = Request("r");
    elsewhere.set_namespace_(Fresh("nowhere"));
    CheckRefused(user.Spawn(elsewhere).status(), absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE");

    v1::ListTasksRequest list;
    list.set_page_token("garbage");
    CheckRefused(user.List(list).status(), kInvalid, "BAD_PAGE_TOKEN");
    list.clear_page_token();
    list.set_page_size(1'001);
    CheckRefused(user.List(list).status(), kInvalid, "OUT_OF_RANGE");
    list.clear_page_size();
    list.set_type("\xFF");
    CheckRefused(user.List(list).status(), kInvalid, "INVALID_UTF8");
    list.clear_type();
    list.set_namespace_(Fresh("nowhere"));
    CheckRefused(user.List(list).status(), absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE");

    v1::ControlRequest control;
    control.set_verb(v1::CONTROL_VERB_CANCEL);
    CheckRefused(user.Control(control).status(), kInvalid, "BAD_BATCH_SIZE");
    control.add_task_ids("no id");
    control.set_verb(v1::CONTROL_VERB_UNSPECIFIED);
    CheckRefused(user.Control(control).status(), kInvalid, "BAD_VERB");
    control.set_verb(static_cast<v1::ControlVerb>(6));
    CheckRefused(user.Control(control).status(), kInvalid, "BAD_VERB");
    control.set_verb(v1::CONTROL_VERB_PAUSE);
    control.mutable_escalation()->set_seconds(1);
    CheckRefused(user.Control(control).status(), kInvalid, "CONTRADICTION");
    control.set_verb(v1::CONTROL_VERB_INTERRUPT);
    for (const int seconds : {-1, 3'601}) {
      control.mutable_escalation()->set_seconds(seconds);
      CheckRefused(user.Control(control).status(), kInvalid, "OUT_OF_RANGE");
    }
    list = {};
    list.set_root_id("no id");
    CheckRefused(user.List(list).status(), kInvalid, "INVALID_ID");
    v1::GetTasksRequest get;
    for (int i = 0; i < 10'001; ++i) get.add_task_ids("no id");
    CheckRefused(user.Get(get).status(), kInvalid, "BAD_BATCH_SIZE");
  });
}

TEST_CASE("A call with more tasks than one may have is refused as a whole", "[load]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    CheckRefused(User(subject).Spawn(Request("r", 100'001)).status(),
                 absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE");
  });
}

// Beside "local", whose tasks are asked for: who they are, and whether they see his of `default`.
struct OnlookerCase {
  std::string subject;
  std::vector<std::string> namespaces{};
  bool administrator = false;
  bool sees = false;
};

TEST_CASE("A service asks for others, and hears what they see: by owner, namespaces and rights",
          "[keys]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string id = user.SpawnOne("r");
    const auto stub = v1::InputsService::NewStub(subject.channel());
    const auto ask = [&](const v1::GetTasksRequest& request) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
      platform::PresentAsService(context, subject.keys(), "outputs", absl::Now());
      v1::GetTasksResponse response;
      const absl::Status status = platform::FromGrpc(stub->GetTasks(&context, request, &response));
      return status.ok() ? Answer<v1::GetTasksResponse>(response) : status;
    };
    v1::GetTasksRequest request;
    for (const std::string& task : {id, std::string("no id"), id}) request.add_task_ids(task);
    CheckRefused(ask(request).status(), absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE");
    v1::Onlooker& stranger = *request.add_onlookers();
    stranger.set_subject("stranger");
    stranger.add_namespaces("*");
    for (const uint32_t place : {0, 0, 1}) request.add_asked_for(place);
    CheckRefused(ask(request).status(), absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE");
    v1::Onlooker& other = *request.add_onlookers();
    for (const OnlookerCase& each : std::vector<OnlookerCase>{
             {.subject = "local", .namespaces = {"default"}, .sees = true},
             {.subject = "local", .namespaces = {"other", "*"}, .sees = true},
             {.subject = "local", .namespaces = {"other"}},
             {.subject = "local"},
             {.subject = "stranger", .namespaces = {"default"}},
             {.subject = "root", .namespaces = {"default"}, .administrator = true, .sees = true},
             {.subject = "root", .namespaces = {"other"}, .administrator = true},
             {.subject = "", .namespaces = {"*"}, .administrator = true}}) {
      other.set_subject(each.subject);
      other.set_administrator(each.administrator);
      other.mutable_namespaces()->Assign(each.namespaces.begin(), each.namespaces.end());
      CAPTURE(request.ShortDebugString());
      const auto answer = ask(request);
      REQUIRE(answer.ok());
      CHECK(answer->results(0).status().code() == 5);
      CHECK(answer->results(1).status().code() == 3);
      CHECK(answer->results(2).status().code() == (each.sees ? 0 : 5));
      CHECK(answer->results(2).info().owner() == (each.sees ? "local" : ""));
    }
    CheckRefused(user.Get(request).status(), absl::StatusCode::kPermissionDenied, "NOT_A_SERVICE");
  });
}

TEST_CASE("What asks for more than the server knows is refused instead of half done") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    const auto from_tomorrow = [](auto request) {
      request.GetReflection()->MutableUnknownFields(&request)->AddVarint(50, 1);
      return request;
    };
    User user(subject);
    CheckRefused(user.Spawn(from_tomorrow(Request("r"))).status(), kInvalid, "UNKNOWN_FIELD");
    v1::ControlRequest control;
    control.set_verb(v1::CONTROL_VERB_CANCEL);
    control.add_task_ids(user.SpawnOne("one"));
    CheckRefused(user.Control(from_tomorrow(control)).status(), kInvalid, "UNKNOWN_FIELD");
    v1::GetTasksRequest get;
    get.add_task_ids(control.task_ids(0));
    CheckRefused(user.Get(from_tomorrow(get)).status(), kInvalid, "UNKNOWN_FIELD");
    CheckRefused(user.List(from_tomorrow(v1::ListTasksRequest())).status(), kInvalid,
                 "UNKNOWN_FIELD");

    auto batch = Request("batch", 2);
    *batch.mutable_specs(0) = from_tomorrow(batch.specs(0));
    const auto spawned = user.Spawn(batch);
    REQUIRE(spawned.ok());
    CHECK(spawned->results(0).status().reason() == "UNKNOWN_FIELD");
    CHECK(spawned->results(1).status().code() == 0);
  });
}

TEST_CASE("Malformed and unknown ids have a status each") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string id = user.SpawnOne("r");
    std::string unknown = id;
    unknown.back() = static_cast<char>(unknown.back() ^ 1);
    v1::GetTasksRequest get;
    v1::ControlRequest control;
    control.set_verb(v1::CONTROL_VERB_CANCEL);
    for (const std::string& task : {std::string("no id"), unknown, id, std::string(16, '\xFF')}) {
      get.add_task_ids(task);
      control.add_task_ids(task);
    }
    const auto views = user.Get(get);
    REQUIRE(views.ok());
    const auto states = user.Control(control);
    REQUIRE(states.ok());
    const std::vector<int> codes = {3, 5, 0, 3};
    for (int i = 0; i < 4; ++i) {
      INFO(i);
      CHECK(views->results(i).status().code() == codes[static_cast<size_t>(i)]);
      CHECK(states->results(i).status().code() == codes[static_cast<size_t>(i)]);
    }
    CHECK(states->results(2).state() == taskpb::TASK_STATE_SETTLING);
    CHECK(user.Becomes(id, taskpb::TASK_STATE_CANCELLED));
  });
}

TEST_CASE("A repeated call gets the same ids, another one under its id is refused") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    std::string first;
    {
      User user(subject);
      first = user.Spawn(Request("r", 3))->SerializeAsString();
      CHECK(user.Spawn(Request("r", 3))->SerializeAsString() == first);
      CheckRefused(user.Spawn(Request("r", 2)).status(), absl::StatusCode::kInvalidArgument,
                   "REQUEST_ID_REUSED");
    }
    if (!durable) return;
    subject.Restart();
    User user(subject);
    CHECK(user.Spawn(Request("r", 3))->SerializeAsString() == first);
    CHECK(user.List()->tasks_size() == 3);
  });
}

TEST_CASE("A reference is one task") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    auto request = Request("r1");
    request.mutable_specs(0)->set_reference(Fresh("mine"));
    const auto first = user.Spawn(request);
    request.set_request_id(Fresh("r2"));
    const auto equal = user.Spawn(request);
    CHECK(equal->results(0).status().code() == 0);
    CHECK_FALSE(equal->results(0).created());
    CHECK(equal->results(0).task_id() == first->results(0).task_id());
    request.set_request_id(Fresh("r3"));
    request.mutable_specs(0)->set_priority(5);
    const auto other = user.Spawn(request);
    CHECK(other->results(0).status().reason() == "REFERENCE_TAKEN");
    CHECK(other->results(0).status().code() == static_cast<int>(absl::StatusCode::kAlreadyExists));
    CHECK(other->results(0).status().message().find("priority") != std::string::npos);
    CHECK(other->results(0).task_id() == first->results(0).task_id());
  });
}

TEST_CASE("A type that nobody implements waits, and says so") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const auto info = user.Look(user.SpawnOne("r"));
    CHECK(info.state() == taskpb::TASK_STATE_READY);
    CHECK(info.wait_cause() == taskpb::WAIT_CAUSE_NO_IMPLEMENTATION);
    const auto list = user.List();
    REQUIRE(list->tasks_size() == 1);
    CHECK(list->tasks(0).wait_cause() == taskpb::WAIT_CAUSE_NO_IMPLEMENTATION);
  });
}

TEST_CASE(
    "What comes back goes out again when Outputs has closed it, and what failed for good ends") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string id = user.SpawnOne("r", "again");
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    executor.Nack(executor.Task(1), v1::NACK_KIND_RETURNED);
    const v1::Dispatch second = executor.Task(2);
    CHECK(second.task_id() == id);
    CHECK(second.dispatch() == 2);
    CHECK(second.payload() == "again");
    executor.Nack(second, v1::NACK_KIND_FAILED_FINALLY);
    CHECK(user.Becomes(id, taskpb::TASK_STATE_FAILED));
    CHECK(user.Look(id).last_error().message() == "broken");
    REQUIRE(user.Look(id).attempts_size() == 1);
    CHECK(user.Look(id).attempts(0).error().message() == "broken");
    CHECK(user.Look(id).attempts(0).dispatch() == 2);  // What came back was none.
  });
}

TEST_CASE("A rogue executor is refused with the reason, and nothing is lost", "[limits]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    for (int i = 0; i < 60; ++i) (void)user.SpawnOne("r" + std::to_string(i));
    ExamExecutor rogue(subject.channel());
    rogue.Say(ExamExecutor::HelloOf(1, 1'000'000));
    const v1::Dispatch task = rogue.Task(1);
    (void)rogue.Task(ServiceSubject::kMaxCredit);
    v1::Dispatch other = task;
    other.set_dispatch(2);
    rogue.Nack(other, v1::NACK_KIND_FAILED_FINALLY);
    CHECK(rogue.Refusal(1).status().reason() == "STALE_DISPATCH");
    CHECK(rogue.heard().tasks_size() == static_cast<int>(ServiceSubject::kMaxCredit));
    // What it cannot prove is taken from it; Outputs knows what there is to know.
    rogue.Ack(rogue.Task(2), rogue.Put(task, "of another task"));
    CHECK(rogue.Refusal(2).status().reason() == "INVALID_RECEIPT");
    rogue.Ack(task, "");
    CHECK(rogue.Refusal(3).status().reason() == "INVALID_RECEIPT");
    CHECK(user.Becomes(task.task_id(), taskpb::TASK_STATE_SUCCEEDED));
    CHECK(user.List()->tasks_size() == 60);
  });
}

TEST_CASE("A stream that begins wrongly ends with the reason") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
    const auto end_of = [&](const std::vector<v1::PullRequest>& requests) {
      ExamExecutor executor(subject.channel());
      for (const auto& request : requests) executor.Say(request);
      return executor.AwaitEnd();
    };
    CheckRefused(end_of({v1::PullRequest()}), kInvalid, "BAD_HELLO");
    CheckRefused(end_of({ExamExecutor::HelloOf(1), ExamExecutor::HelloOf(1)}), kInvalid,
                 "BAD_HELLO");
    auto hello = ExamExecutor::HelloOf(1);
    hello.mutable_hello()->set_session_id("short");
    CheckRefused(end_of({hello}), kInvalid, "BAD_HELLO");
    hello = ExamExecutor::HelloOf(1);
    hello.mutable_hello()->set_name("caf\xE9");
    CheckRefused(end_of({hello}), kInvalid, "INVALID_UTF8");
    hello = ExamExecutor::HelloOf(1);
    hello.mutable_hello()->set_namespace_(Fresh("nowhere"));
    CheckRefused(end_of({hello}), absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE");
  });
}

TEST_CASE("A failure whose message is no UTF-8 does not cost the stream") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    const std::string id = user.SpawnOne("r");
    ExamExecutor executor(subject.channel());
    executor.Say(ExamExecutor::HelloOf(1));
    v1::PullRequest request;
    v1::Nack& nack = *request.add_nacks();
    nack.set_task_id(id);
    nack.set_dispatch(executor.Task(1).dispatch());
    nack.set_kind(v1::NACK_KIND_FAILED_FINALLY);
    nack.mutable_error()->set_message("caf\xE9");
    executor.Say(request);
    CHECK(user.Becomes(id, taskpb::TASK_STATE_FAILED));
    CHECK(user.Look(id).last_error().message() == "caf?");
  });
}

TEST_CASE("The newer connection of a session wins, and keeps what it presents") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    (void)user.SpawnOne("r");
    ExamExecutor first(subject.channel());
    first.Say(ExamExecutor::HelloOf(1));
    const v1::Dispatch task = first.Task(1);
    ExamExecutor second(subject.channel());
    second.Say(ExamExecutor::HelloOf(1, 10, {HeldOf(task, true)}));
    REQUIRE(second.Hear([](const auto& heard) { return heard.has_welcome(); }));
    REQUIRE(second.heard().welcome().held_size() == 1);
    CHECK(second.heard().welcome().held(0).status().code() == 0);
    CheckRefused(first.AwaitEnd(), absl::StatusCode::kAborted, "SUPERSEDED");
    second.Ack(task, second.Put(task, "done"));
    CHECK(second.Hear([](const auto& heard) { return heard.confirmed_size() == 1; }));
  });
}

TEST_CASE("Pings are answered, and executors are listed") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    ExamExecutor executor(subject.channel());
    auto hello = ExamExecutor::HelloOf(1, 7);
    hello.mutable_ping()->set_number(42);
    executor.Say(hello);
    REQUIRE(executor.Hear([](const auto& h) { return h.has_pong() && h.has_welcome(); }));
    CHECK(executor.heard().pong().number() == 42);
    const v1::ExecutorInfo info = user.Executor(1);
    CHECK(info.name() == "exam");
    CHECK(info.connected());
    CHECK(info.max_held() == 7);
  });
}

TEST_CASE("After a restart tasks are there, and executors go on with what they hold",
          "[restart][not-memory]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    if (!durable) return;
    std::string waiting;
    v1::Dispatch task;
    std::string receipt;
    {
      User user(subject);
      (void)user.SpawnOne("held");
      ExamExecutor executor(subject.channel());
      executor.Say(ExamExecutor::HelloOf(1, 1));
      task = executor.Task(1);
      waiting = user.SpawnOne("waiting", "kept");
      receipt = executor.Put(task, "done");
      subject.Restart();
      CHECK(executor.AwaitEnd().code() == absl::StatusCode::kUnavailable);
    }
    ExamExecutor executor(subject.channel());
    v1::Held held = HeldOf(task, true);
    held.set_receipt(receipt);
    executor.Say(ExamExecutor::HelloOf(1, 1, {held}));
    const v1::Dispatch next = executor.Task(1);
    REQUIRE(executor.heard().welcome().held_size() == 1);
    CHECK(executor.heard().welcome().held(0).confirmed());
    CHECK(next.task_id() == waiting);
    CHECK(next.payload() == "kept");
    CHECK(User(subject).Look(task.task_id()).state() == taskpb::TASK_STATE_SUCCEEDED);
  });
}

}  // namespace
}  // namespace kantoku::inputs
