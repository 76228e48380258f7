#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/conformance/inputs_exam/exam_executor.h"
#include "tests/conformance/inputs_exam/exam_user.h"

// Keys, limits and pauses, over gRPC.
namespace kantoku::inputs {
namespace {

namespace taskpb = ::kantoku::task::v1;
using Stub = v1::InputsService::Stub;

v1::Limit ConcurrencyLimit(const std::string& key, uint32_t limit) {
  v1::Limit proto;
  proto.mutable_name()->set_kind(v1::LIMIT_KIND_CONCURRENCY);
  proto.mutable_name()->set_key(key);
  proto.set_max_running(limit);
  return proto;
}

v1::SetLimitsRequest Set(const std::vector<v1::Limit>& limits) {
  v1::SetLimitsRequest request;
  for (const v1::Limit& limit : limits) *request.add_set() = limit;
  return request;
}

Answer<v1::SetLimitsResponse> SetLimits(User& user, const v1::SetLimitsRequest& request) {
  return user.Call<v1::SetLimitsResponse>(&Stub::SetLimits, request);
}

std::vector<v1::LimitInfo> Limits(User& user, uint32_t page_size = 0) {
  std::vector<v1::LimitInfo> limits;
  v1::ListLimitsRequest request;
  request.set_page_size(page_size);
  do {
    const auto page = user.Call<v1::ListLimitsResponse>(&Stub::ListLimits, request);
    REQUIRE(page.ok());
    limits.insert(limits.end(), page->limits().begin(), page->limits().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return limits;
}

absl::Status SetPause(User& user, const std::string& type, bool paused,
                      const std::string& reason = "") {
  v1::SetPauseRequest request;
  request.set_type(type);
  request.set_paused(paused);
  request.set_reason(reason);
  return user.Call<v1::SetPauseResponse>(&Stub::SetPause, request).status();
}

void Welcome(ExamExecutor& executor, const v1::PullRequest& hello) {
  executor.Say(hello);
  REQUIRE(executor.Hear([](const auto& heard) { return heard.has_welcome(); }));
}

taskpb::ItemStatus StatusOf(User& user, const std::string& request_id,
                            const taskpb::TaskSpec& spec) {
  auto request = Request(request_id);
  *request.mutable_specs(0) = spec;
  request.mutable_specs(0)->set_type(Fresh("x"));
  const auto response = user.Spawn(request);
  REQUIRE(response.ok());
  return response->results(0).status();
}

TEST_CASE("A task of every key waits for all of them, says for which, and a restart keeps them",
          "[empty]") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    User user(subject);
    REQUIRE(SetLimits(user, Set({ConcurrencyLimit("db", 1)}))->set(0).code() == 0);
    auto request = Request("r", 2);
    for (taskpb::TaskSpec& spec : *request.mutable_specs()) {
      spec.set_ordering_key("lab");
      spec.mutable_fairness_key()->set_name("anna");
      spec.mutable_fairness_key()->set_weight(3);
      spec.add_concurrency_keys()->set_name("db");
      taskpb::RateKey& rate = *spec.add_rate_keys();
      rate.set_name("api");
      rate.mutable_rate()->set_tokens(1'000'000);
    }
    const auto spawned = user.Spawn(request);
    REQUIRE(spawned.ok());
    const std::string first = spawned->results(0).task_id();
    const std::string second = spawned->results(1).task_id();
    if (durable) subject.Restart();
    User again(subject);
    ExamExecutor executor(subject.channel());
    Welcome(executor, ExamExecutor::HelloOf(1));
    const v1::Dispatch task = executor.Task(1);
    CHECK(task.task_id() == first);
    const taskpb::TaskInfo info = again.Look(second);
    CHECK(info.wait_cause() == taskpb::WAIT_CAUSE_ORDERING_KEY);
    CHECK(info.ordering_key() == "lab");
    CHECK(info.fairness_key().weight() == 3);
    CHECK(info.concurrency_keys(0).limit() == 1);
    CHECK(info.rate_keys(0).rate().burst() == 1'000'000);
    executor.Ack(task, executor.Put(task, "done"));
    CHECK(executor.Task(2).task_id() == second);
    const auto limits = Limits(again, 1);
    REQUIRE(limits.size() == 3);  // Of a concurrency key, a rate and a weight.
    CHECK(limits[0].running() == 1);
    CHECK_FALSE(limits[0].transient());
    CHECK(limits[1].transient());
    CHECK(limits[2].limit().weight() == 3);
  });
}

TEST_CASE("A key without a limit is refused, as is one that is too long, with field and reason",
          "[empty]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    taskpb::TaskSpec spec;
    spec.add_concurrency_keys()->set_name("db");
    const auto refused = StatusOf(user, "r1", spec);
    CHECK(refused.code() == static_cast<int>(absl::StatusCode::kFailedPrecondition));
    CHECK(refused.reason() == "NO_SUCH_LIMIT");
    CHECK(refused.message() ==
          R"(concurrency_keys: there is no limit for "db", and the spec makes none)");
    CHECK(StatusOf(user, "r1", spec).reason() == "NO_SUCH_LIMIT");  // Repeated.
    spec.mutable_concurrency_keys(0)->set_name(std::string(1 << 20, 'k'));
    const auto huge = StatusOf(user, "r2", spec);
    CHECK(huge.reason() == "TOO_LONG");
    CHECK(huge.message() == "concurrency_keys.name: 1048576 bytes exceed the limit of 255");
    CHECK(Limits(user).empty());
  });
}

TEST_CASE("Limits of zero and contradictions are refused one by one, and the others are set",
          "[empty]") {
  ForEveryService([](ServiceSubject& subject, Durable) {
    User user(subject);
    v1::SetLimitsRequest request = Set({ConcurrencyLimit("db", 0), ConcurrencyLimit("gpu", 2)});
    v1::Limit& both = *request.add_set();
    both = ConcurrencyLimit("both", 1);
    both.mutable_rate()->set_tokens(1);
    *request.add_remove() = ConcurrencyLimit("none", 1).name();
    const auto response = SetLimits(user, request);
    REQUIRE(response.ok());
    CHECK(response->set(0).reason() == "OUT_OF_RANGE");
    CHECK(response->set(0).message() == "max_running: 0 is not from 1 to 1000000");
    CHECK(response->set(1).code() == 0);
    CHECK(response->set(2).reason() == "CONTRADICTION");
    CHECK(response->removed(0).reason() == "NO_SUCH_LIMIT");
    REQUIRE(Limits(user).size() == 1);
    CHECK(Limits(user)[0].limit().name().key() == "gpu");
    CheckRefused(SetLimits(user, {}).status(), absl::StatusCode::kInvalidArgument,
                 "BAD_BATCH_SIZE");
  });
}

TEST_CASE("A paused type waits until it is resumed, also over a restart, and others go on") {
  ForEveryService([](ServiceSubject& subject, Durable durable) {
    User user(subject);
    REQUIRE(SetPause(user, Fresh("x"), true, "maintenance").ok());
    if (durable) subject.Restart();
    User again(subject);
    ExamExecutor executor(subject.channel());
    Welcome(executor, ExamExecutor::HelloOf(1));
    const std::string task = again.SpawnOne("r1");
    CHECK(again.Look(task).wait_cause() == taskpb::WAIT_CAUSE_PAUSED);
    CHECK(again.Look(task).wait_detail() == "type \"" + Fresh("x") + "\" is paused: maintenance");
    const auto pauses =
        again.Call<v1::ListPausesResponse>(&Stub::ListPauses, v1::ListPausesRequest());
    REQUIRE(pauses.ok());
    const auto pause = std::ranges::find(pauses->pauses(), Fresh("x"),
                                         [](const auto& each) { return each.type(); });
    REQUIRE(pause != pauses->pauses().end());
    CHECK(pause->reason() == "maintenance");
    REQUIRE(SetPause(again, Fresh("x"), false).ok());
    CHECK(executor.Task(1).task_id() == task);
    CheckRefused(SetPause(again, Fresh("x"), false), absl::StatusCode::kNotFound, "NO_SUCH_PAUSE");
    CheckRefused(SetPause(again, Fresh("x"), false, "why"), absl::StatusCode::kInvalidArgument,
                 "CONTRADICTION");
  });
}

}  // namespace
}  // namespace kantoku::inputs
