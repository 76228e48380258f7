#include "services/executor-runtime/ledger.h"

#include <catch2/catch.hpp>
#include <cmath>

#include "services/executor-runtime/result_limits.h"
#include "services/platform/status.h"
#include "tests/unit/executor-runtime/ledger_desk.h"

namespace kantoku::executor {
namespace {

TEST_CASE("A task goes through queue, handler and receipt until its ack is confirmed") {
  Desk desk;
  desk.Receive(1);
  CHECK(desk.ledger.queued() == 1);
  const HeldTaskPtr task = desk.ledger.Begin(kNow);
  REQUIRE(task != nullptr);
  CHECK(task->payload == "payload 1");
  CHECK(desk.ledger.running() == 1);
  CHECK(desk.ledger.End(task, kNow, Result{"done", ""}));
  CHECK(desk.ledger.running() == 0);
  CHECK(desk.Reports().acks_size() == 0);

  desk.ledger.OnReceipt(task, "receipt");
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.acks_size() == 1);
  CHECK(reports.acks(0).task_id() == IdOf(1));
  CHECK(reports.acks(0).dispatch() == 1);
  CHECK(reports.acks(0).receipt() == "receipt");
  CHECK_FALSE(desk.ledger.empty());

  desk.ledger.OnSettled(IdOf(1), 1);
  CHECK(desk.ledger.empty());
}

TEST_CASE("Tasks begin in the order of their arrival") {
  Desk desk;
  desk.Receive(2);
  desk.Receive(1);
  CHECK(desk.ledger.Begin(kNow)->payload == "payload 2");
  CHECK(desk.ledger.Begin(kNow)->payload == "payload 1");
  CHECK(desk.ledger.Begin(kNow) == nullptr);
}

TEST_CASE("What comes beyond the credit is handed back") {
  Desk desk;
  for (uint64_t i = 1; i <= 5; ++i) desk.Receive(i);
  CHECK(desk.ledger.queued() == 4);
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).task_id() == IdOf(5));
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(reports.nacks(0).error().reason() == "OVER_CREDIT");
}

TEST_CASE("A task whose ack is under way does not count against the credit") {
  Desk desk;
  for (uint64_t i = 1; i <= 4; ++i) desk.Acking(i);
  desk.Receive(5);
  CHECK(desk.ledger.queued() == 1);
}

TEST_CASE("A server that never confirms cannot fill the memory") {
  Desk desk;
  for (uint64_t i = 1; i <= 2'000; ++i) {
    desk.Receive(i);
    const HeldTaskPtr task = desk.ledger.Begin(kNow);
    if (task == nullptr) {
      CHECK(desk.Reports().nacks(0).error().reason() == "OVER_CREDIT");
      return;
    }
    desk.ledger.End(task, kNow, Result{});
    desk.ledger.OnReceipt(task, "receipt");
  }
  FAIL("2,000 receipts were kept");
}

TEST_CASE("A dispatch that is sent twice is taken once") {
  Desk desk;
  desk.Receive(1);
  desk.Receive(1);
  CHECK(desk.ledger.queued() == 1);
  CHECK(desk.Reports().nacks_size() == 0);
}

TEST_CASE("A type without a handler is handed back") {
  Desk desk;
  auto message = DispatchOf(1);
  CHECK(desk.ledger.Receive(message, nullptr, kNow) == nullptr);
  CHECK(desk.Reports().nacks(0).error().reason() == "NO_HANDLER");
}

TEST_CASE("A malformed id is not taken in") {
  Desk desk;
  auto message = DispatchOf(1);
  message.set_task_id("short");
  CHECK(desk.ledger.Receive(message, &kPooled, kNow) == nullptr);
  CHECK(desk.ledger.empty());
}

TEST_CASE("A task with an inline handler runs at once and never queues") {
  Desk desk;
  auto message = DispatchOf(1);
  const HeldTaskPtr task = desk.ledger.Receive(message, &kInline, kNow);
  REQUIRE(task != nullptr);
  CHECK(desk.ledger.queued() == 0);
  CHECK(desk.ledger.running() == 1);
  CHECK(desk.ledger.End(task, kNow, Result{}));
}

TEST_CASE("A short run is not reported as started, a longer one is, once") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  CHECK(desk.ledger.next_time() == kNow + Ledger::kStartReportDelay);
  desk.ledger.OnTime(kNow);
  CHECK_FALSE(desk.ledger.urgent());
  desk.ledger.OnTime(kNow + Ledger::kStartReportDelay);
  CHECK(desk.ledger.urgent());
  CHECK(desk.Reports().started_size() == 1);
  desk.ledger.OnTime(kNow + absl::Seconds(1));
  CHECK(desk.Reports().started_size() == 0);
}

TEST_CASE("A start is reported while the result waits for Outputs") {
  Desk desk;
  desk.Putting(1);
  desk.ledger.OnTime(kNow + Ledger::kStartReportDelay);
  CHECK(desk.Reports().started_size() == 1);
}

TEST_CASE("An error of a handler is a failure, with reason and message") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  CHECK_FALSE(desk.ledger.End(
      task, kNow, platform::Error(absl::StatusCode::kInternal, "NO_LENS", "the lens is missing")));
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_FAILED);
  CHECK(reports.nacks(0).error().reason() == "NO_LENS");
  CHECK(reports.nacks(0).error().message() == "the lens is missing");
  // Without it, the failure would cost no attempt.
  CHECK(reports.started_size() == 1);
}

TEST_CASE("An error without a reason is HANDLER_FAILED") {
  Desk desk;
  desk.ledger.End(desk.Running(1), kNow, absl::InternalError("x"));
  CHECK(desk.Reports().nacks(0).error().reason() == "HANDLER_FAILED");
}

TEST_CASE("A final error ends the task") {
  Desk desk;
  desk.ledger.End(desk.Running(1), kNow, FailFinally("BAD_IMAGE", "not a TIFF"));
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
}

TEST_CASE("What a handler says is made fit for the wire") {
  Desk desk;
  desk.ledger.End(desk.Running(1), kNow,
                  platform::Error(absl::StatusCode::kInternal, std::string(100, 'R'),
                                  "\xFF" + std::string(5000, 'm')));
  const auto error = desk.Reports().nacks(0).error();
  CHECK(error.reason().size() == 63);
  CHECK(error.message().size() == 4096);
  CHECK(error.message()[0] == '?');
}

TEST_CASE("A result that no Put could hold fails finally") {
  Desk desk;
  const Result result{std::string(kMaxResultBytes + 1, 'x'), ""};
  CHECK_FALSE(desk.ledger.End(desk.Running(1), kNow, result));
  const auto nack = desk.Reports().nacks(0);
  CHECK(nack.kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(nack.error().reason() == "RESULT_TOO_LARGE");
}

TEST_CASE("A content type that is no UTF-8 fails finally") {
  Desk desk;
  CHECK_FALSE(desk.ledger.End(desk.Running(1), kNow, Result{"", "\xFF"}));
  CHECK(desk.Reports().nacks(0).error().reason() == "BAD_CONTENT_TYPE");
}

TEST_CASE("Cancelling a queued task hands it back without a run") {
  Desk desk;
  desk.Receive(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_CANCELLED);
}

TEST_CASE("A running task is asked to stop when it is cancelled") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  const std::stop_token token = desk.ledger.StopToken(*task);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(task->stop_cause == StopCause::kCancelled);
  for (const std::stop_source& stop : desk.ledger.TakeStopped()) stop.request_stop();
  CHECK(token.stop_requested());
  SECTION("and its error then confirms the cancellation") {
    desk.ledger.End(task, kNow, absl::CancelledError("stopped"));
    CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_CANCELLED);
  }
  SECTION("but a result that it returns all the same wins") {
    CHECK(desk.ledger.End(task, kNow, Result{"done", ""}));
  }
}

TEST_CASE("A token that is asked for after the stop is signalled from the start") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(desk.ledger.StopToken(*task).stop_requested());
}

TEST_CASE("A cancellation does not touch a result that is on its way") {
  Desk desk;
  const HeldTaskPtr task = desk.Putting(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  desk.ledger.OnReceipt(task, "receipt");
  CHECK(desk.Reports().acks_size() == 1);
}

TEST_CASE("A revoked task is stopped and forgotten without a word") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_REVOKE);
  CHECK(task->stop_cause == StopCause::kRevoked);
  CHECK(desk.ledger.empty());
  CHECK_FALSE(desk.ledger.End(task, kNow, Result{"late", ""}));
  CHECK_FALSE(desk.ledger.urgent());
}

TEST_CASE("A stop becomes more pressing, never less") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.OnLost();
  CHECK(task->stop_cause == StopCause::kLost);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(task->stop_cause == StopCause::kLost);
  SECTION("as a revocation is") {
    desk.Control(1, inputs::v1::HANDLER_ACTION_REVOKE);
    CHECK(task->stop_cause == StopCause::kRevoked);
  }
  SECTION("and a cancellation is confirmed all the same") {
    desk.ledger.End(task, kNow, absl::CancelledError("stopped"));
    CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_CANCELLED);
  }
}

TEST_CASE("A handler that was asked to stop learns that Inputs is lost") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.StopHandlers(StopCause::kDraining);
  desk.ledger.OnLost();
  CHECK(task->stop_cause == StopCause::kLost);
}

TEST_CASE("A revoked task that waited never begins") {
  Desk desk;
  desk.Receive(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_REVOKE);
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  CHECK(desk.ledger.empty());
}

TEST_CASE("Tasks that come and are revoked while no handler is free take no memory") {
  Desk desk;
  for (uint64_t i = 1; i <= 1'000; ++i) {
    desk.Receive(i);
    desk.Control(i, inputs::v1::HANDLER_ACTION_REVOKE);
  }
  desk.Receive(2'000);
  CHECK(desk.ledger.queued() == 1);
  CHECK(desk.ledger.Begin(kNow)->payload == "payload 2000");
}

TEST_CASE("A handler is asked to stop at its deadline and fails with TIMEOUT") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.OnTime(kNow + absl::Seconds(59));
  CHECK(task->stop_cause == StopCause::kNone);
  CHECK(desk.ledger.next_time() == kNow + absl::Seconds(60));
  desk.ledger.OnTime(kNow + absl::Seconds(60));
  CHECK(task->stop_cause == StopCause::kTimeout);
  CHECK(desk.ledger.next_time() == absl::InfiniteDuration());
  // Even with a result: the user was promised a bound.
  CHECK_FALSE(desk.ledger.End(task, kNow + absl::Seconds(61), Result{"late", ""}));
  const auto nack = desk.Reports().nacks(0);
  CHECK(nack.kind() == inputs::v1::NACK_KIND_FAILED);
  CHECK(nack.error().reason() == "TIMEOUT");
}

TEST_CASE("What comes while the last items of a failed handler leave does not change its failure") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  absl::Duration end = kNow;
  desk.ledger.Fail(task, kNow, FailFinally("BAD_INPUT", "no"));
  SECTION("its deadline") {
    end = kNow + absl::Seconds(61);
    desk.ledger.OnTime(end);
  }
  SECTION("a cancellation") { desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL); }
  SECTION("a drain") { desk.ledger.StopHandlers(StopCause::kDraining); }
  SECTION("an item that is refused") {
    desk.ledger.ReturnItems(task, {inputs::v1::NACK_KIND_RETURNED, "FENCED", ""});
  }
  desk.ledger.End(task, end, FailFinally("BAD_INPUT", "no"));
  const auto reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(reports.nacks(0).error().reason() == "BAD_INPUT");
}

TEST_CASE("A task without a timeout has no deadline") {
  Desk desk;
  auto message = DispatchOf(1);
  message.clear_timeout();
  desk.ledger.Receive(message, &kPooled, kNow);
  CHECK(desk.ledger.Begin(kNow)->deadline == absl::InfiniteDuration());
}

TEST_CASE("Progress waits for company, keeps the last and goes with its start") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Report(task, 0.25, "a");
  desk.ledger.Report(task, 0.5, "b");
  CHECK_FALSE(desk.ledger.urgent());
  CHECK(desk.ledger.progress_pending());
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.progress_size() == 1);
  CHECK(reports.progress(0).fraction() == 0.5);
  CHECK(reports.progress(0).message() == "b");
  CHECK(reports.started_size() == 1);
}

TEST_CASE("Progress beyond its range is brought into it") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Report(task, std::nan(""), "");
  CHECK_FALSE(desk.ledger.progress_pending());
  const auto reported = [&](double fraction) {
    desk.ledger.Report(task, fraction, "");
    return desk.Reports().progress(0).fraction();
  };
  CHECK(reported(7) == 1);
  CHECK(reported(-1) == 0);
  CHECK_FALSE(std::signbit(reported(-0.0)));
}

TEST_CASE("A handler knows who caused its task") {
  Desk desk;
  auto message = DispatchOf(1, 1);
  message.mutable_provenance()->set_user("anna");
  message.mutable_provenance()->set_app("laptop");
  message.mutable_provenance()->set_spawner_app("worker");
  message.mutable_provenance()->set_spawner_executor_owner("lab");
  message.mutable_provenance()->add_ancestors(IdOf(7));
  message.mutable_provenance()->add_ancestors("no id");
  desk.ledger.Receive(message, &kPooled, kNow);
  const HeldTaskPtr task = desk.ledger.Begin(kNow);
  CHECK(task->provenance.user == "anna");
  CHECK(task->provenance.app == "laptop");
  CHECK(task->provenance.spawner_app == "worker");
  CHECK(task->provenance.spawner_executor_owner == "lab");
  REQUIRE(task->provenance.ancestors.size() == 1);
  CHECK(task->provenance.ancestors[0].bytes() == IdOf(7));
}

}  // namespace
}  // namespace kantoku::executor
