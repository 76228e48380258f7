#include "services/executor-runtime/argument_queue.h"

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "services/platform/ids.h"
#include "tests/support/dispatches.h"

namespace kantoku::executor {
namespace {

using testing::DispatchOf;
using testing::IdOf;

const Registration kPooled{.handler = nullptr, .run_inline = false};
const Registration kInline{.handler = nullptr, .run_inline = true};
constexpr absl::Duration kNow = absl::Seconds(100);
constexpr int kNotFound = static_cast<int>(absl::StatusCode::kNotFound);

const platform::SessionId kSession(platform::Uuid::FromBytes("0123456789abcdef").value());

// A queue with its ledger, and the call that is under way.
struct Desk {
  Ledger ledger{20'000};
  ArgumentQueue queue{ledger, kSession, [] { return uint64_t{0}; }};
  outputs::v1::GetRequest request;

  // A dispatch with the results of these tasks as arguments.
  void Receive(uint64_t sequence, const std::vector<uint64_t>& arguments,
               const Registration& registration = kPooled, bool confirm_start = false) {
    auto message = DispatchOf(sequence);
    message.set_confirm_start(confirm_start);
    for (const uint64_t argument : arguments) {
      auto& added = *message.add_arguments();
      added.set_task_id(IdOf(argument));
      added.set_read_grant("grant " + std::to_string(argument));
    }
    CHECK(ledger.Receive(message, &registration, kNow) == nullptr);
    for (const HeldTaskPtr& task : ledger.TakeFetches()) queue.Add(task, kNow);
  }
  bool Fill() { return queue.Fill(request); }
  // Each result is made by `make`; returns what runs inline now.
  std::vector<HeldTaskPtr> Answer(const std::function<void(int, outputs::v1::GetResult&)>& make) {
    outputs::v1::GetResponse response;
    for (int i = 0; i < request.task_ids_size(); ++i) make(i, *response.add_results());
    std::vector<HeldTaskPtr> runs;
    for (const HeldTaskPtr& task : queue.OnAnswer(absl::OkStatus(), response, kNow)) {
      HeldTaskPtr inline_task = ledger.OnArguments(task, kNow);
      if (inline_task != nullptr) runs.push_back(std::move(inline_task));
    }
    return runs;
  }
  std::vector<HeldTaskPtr> Succeed() {
    return Answer([&](int i, outputs::v1::GetResult& result) {
      result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
      result.mutable_result()->set_data("data for " + request.read_grants(i));
      result.mutable_result()->set_content_type("text/plain");
    });
  }
  std::vector<HeldTaskPtr> AnswerWith(int code, const std::string& reason = "R") {
    return Answer([&](int, outputs::v1::GetResult& result) {
      result.mutable_status()->set_code(code);
      result.mutable_status()->set_reason(reason);
    });
  }
  inputs::v1::Nack Nack() {
    inputs::v1::PullRequest reports;
    ledger.FillReports(reports);
    REQUIRE(reports.nacks_size() == 1);
    return reports.nacks(0);
  }
};

TEST_CASE("A handler begins when all arguments are there, in their order") {
  Desk desk;
  desk.Receive(1, {7, 5});
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  REQUIRE(desk.Fill());
  CHECK(desk.request.session_id() == kSession.bytes());
  REQUIRE(desk.request.task_ids_size() == 2);
  CHECK(desk.request.task_ids(0) == IdOf(7));
  CHECK(desk.request.read_grants(1) == "grant 5");
  desk.Succeed();
  const HeldTaskPtr task = desk.ledger.Begin(kNow);
  REQUIRE(task != nullptr);
  REQUIRE(task->arguments.size() == 2);
  CHECK(task->arguments[0].task_id.bytes() == IdOf(7));
  CHECK(task->arguments[0].data == "data for grant 7");
  CHECK(task->arguments[1].content_type == "text/plain");
  CHECK(task->arguments[1].status == ArgumentStatus::kSucceeded);
  CHECK(desk.queue.size() == 0);
  desk.queue.OnTime(kNow + ArgumentQueue::kPatience);  // It is not handed back later.
  CHECK(task->phase == Phase::kRunning);
}

TEST_CASE("An argument of a task that failed says how") {
  Desk desk;
  desk.Receive(1, {7});
  REQUIRE(desk.Fill());
  desk.Answer([](int, outputs::v1::GetResult& result) {
    result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_CANCELLED);
    result.mutable_result()->mutable_error()->set_reason("SKIPPED");
  });
  const HeldTaskPtr task = desk.ledger.Begin(kNow);
  CHECK(task->arguments[0].status == ArgumentStatus::kCancelled);
  CHECK(task->arguments[0].reason == "SKIPPED");
}

TEST_CASE("While one call is under way the others gather") {
  Desk desk;
  desk.Receive(1, {7});
  REQUIRE(desk.Fill());
  desk.Receive(2, {7});
  desk.Receive(3, {8});
  CHECK_FALSE(desk.queue.Ready(kNow));
  desk.Succeed();
  REQUIRE(desk.queue.Ready(kNow));
  REQUIRE(desk.Fill());
  CHECK(desk.request.task_ids_size() == 2);
}

TEST_CASE("A task whose handler runs inline runs when its arguments are there") {
  Desk desk;
  desk.Receive(1, {7}, kInline);
  REQUIRE(desk.Fill());
  const auto runs = desk.Succeed();
  REQUIRE(runs.size() == 1);
  CHECK(runs[0]->phase == Phase::kRunning);
}

TEST_CASE("The start of a task of effect ONCE is asked for when its arguments are there") {
  Desk desk;
  desk.Receive(1, {7}, kPooled, /*confirm_start=*/true);
  inputs::v1::PullRequest reports;
  CHECK_FALSE(desk.ledger.FillReports(reports));
  REQUIRE(desk.Fill());
  desk.Succeed();
  REQUIRE(desk.ledger.Begin(kNow) != nullptr);
  desk.ledger.FillReports(reports);
  CHECK(reports.started_size() == 1);
}

TEST_CASE("An argument that is no longer kept fails the task for good") {
  Desk desk;
  desk.Receive(1, {7, 8});
  REQUIRE(desk.Fill());
  desk.AnswerWith(kNotFound, "RESULT_GONE");
  const auto nack = desk.Nack();
  CHECK(nack.kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(nack.error().reason() == "DEPENDENCY_EXPIRED");
  CHECK_FALSE(desk.queue.Ready(kNow));
}

TEST_CASE("Arguments of more than 64 MiB together fail the task for good") {
  Desk desk;
  desk.Receive(1, {7, 8});
  REQUIRE(desk.Fill());
  desk.Answer([](int, outputs::v1::GetResult& result) {
    result.mutable_result()->set_data(std::string(33 << 20, 'x'));
  });
  CHECK(desk.Nack().error().reason() == "ARGUMENTS_TOO_LARGE");
}

TEST_CASE("A grant that has ended hands the task back at no cost") {
  Desk desk;
  desk.Receive(1, {7});
  REQUIRE(desk.Fill());
  desk.AnswerWith(static_cast<int>(absl::StatusCode::kPermissionDenied), "INVALID_GRANT");
  CHECK(desk.Nack().kind() == inputs::v1::NACK_KIND_RETURNED);
}

TEST_CASE("Outputs is asked again until patience ends, then the task is handed back at no cost") {
  Desk desk;
  desk.Receive(1, {7});
  REQUIRE(desk.Fill());
  outputs::v1::GetResponse none;
  CHECK(desk.queue.OnAnswer(absl::UnavailableError("away"), none, kNow).empty());
  CHECK_FALSE(desk.queue.Ready(kNow));
  CHECK(desk.queue.next_time() > kNow);
  REQUIRE(desk.queue.Ready(kNow + absl::Seconds(1)));
  REQUIRE(desk.Fill());
  desk.AnswerWith(static_cast<int>(absl::StatusCode::kUnavailable));
  CHECK(desk.queue.next_time() <= kNow + ArgumentQueue::kPatience);
  desk.queue.OnTime(kNow + ArgumentQueue::kPatience);
  CHECK(desk.Nack().kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK_FALSE(desk.Fill());
}

TEST_CASE("What an answer has no room for is asked for again at once") {
  Desk desk;
  desk.Receive(1, {7, 8});
  REQUIRE(desk.Fill());
  desk.Answer([](int i, outputs::v1::GetResult& result) {
    if (i == 1) {
      result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
    }
  });
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  REQUIRE(desk.queue.Ready(kNow));
  REQUIRE(desk.Fill());
  CHECK(desk.request.task_ids_size() == 1);
  desk.Succeed();
  CHECK(desk.ledger.Begin(kNow) != nullptr);
}

TEST_CASE(
    "A task whose arguments are on their way can be taken away, cancelled, paused and drained") {
  Desk desk;
  desk.Receive(1, {7});
  REQUIRE(desk.Fill());
  inputs::v1::HandlerControl control;
  control.set_task_id(IdOf(1));
  control.set_dispatch(1);
  SECTION("revoked") {
    control.set_action(inputs::v1::HANDLER_ACTION_REVOKE);
    desk.ledger.OnControl(control, kNow);
    CHECK(desk.ledger.empty());
  }
  SECTION("cancelled") {
    control.set_action(inputs::v1::HANDLER_ACTION_CANCEL);
    desk.ledger.OnControl(control, kNow);
    CHECK(desk.Nack().kind() == inputs::v1::NACK_KIND_CANCELLED);
  }
  SECTION("paused") {
    control.set_action(inputs::v1::HANDLER_ACTION_PAUSE);
    desk.ledger.OnControl(control, kNow);
    CHECK(desk.Nack().kind() == inputs::v1::NACK_KIND_RETURNED);
  }
  SECTION("drained") {
    desk.ledger.Drain();
    CHECK(desk.Nack().kind() == inputs::v1::NACK_KIND_RETURNED);
  }
  SECTION("lost") {
    desk.ledger.OnLost();
    CHECK(desk.ledger.empty());
  }
  CHECK(desk.Succeed().empty());  // What comes too late changes nothing.
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  CHECK_FALSE(desk.ledger.works());
}

}  // namespace
}  // namespace kantoku::executor
