// The ledger over lost connections, refusals, drains and losses.
#include <catch2/catch.hpp>

#include "services/executor-runtime/ledger.h"
#include "tests/unit/executor-runtime/ledger_desk.h"

namespace kantoku::executor {
namespace {

TEST_CASE("What was handed back is kept until Inputs has confirmed it") {
  Desk desk;
  desk.ledger.End(desk.Running(1), kNow, absl::InternalError("x"));
  CHECK(desk.Reports().nacks_size() == 1);
  CHECK_FALSE(desk.ledger.empty());
  desk.ledger.OnSettled(IdOf(1), 1);
  CHECK(desk.ledger.empty());
}

TEST_CASE("Hello presents everything that is held") {
  Desk desk;
  desk.Acking(1);
  desk.Putting(2);
  desk.Running(3);
  desk.Receive(4);
  const inputs::v1::Hello hello = desk.Hello();
  CHECK(hello.credit().max_held() == 4);
  REQUIRE(hello.held_size() == 4);
  for (const auto& held : hello.held()) {
    CHECK(held.started() == (held.task_id() != IdOf(4)));
    CHECK(held.receipt() == (held.task_id() == IdOf(1) ? "receipt 1" : ""));
  }
}

TEST_CASE("Hello presents what is held in the order of tasks and dispatches") {
  Desk desk;
  desk.Receive(7);
  desk.Receive(3, 2);
  desk.Receive(9);
  desk.Receive(3, 1);
  const inputs::v1::Hello hello = desk.Hello();
  REQUIRE(hello.held_size() == 4);
  CHECK((hello.held(0).task_id() == IdOf(3) && hello.held(0).dispatch() == 1));
  CHECK((hello.held(1).task_id() == IdOf(3) && hello.held(1).dispatch() == 2));
  CHECK(hello.held(2).task_id() == IdOf(7));
  CHECK(hello.held(3).task_id() == IdOf(9));
}

// Answers hello with OK for each task but those that `refuse` or `confirm` name.
inputs::v1::Welcome WelcomeTo(const inputs::v1::Hello& hello, const std::string& refuse = "",
                              const std::string& confirm = "") {
  inputs::v1::Welcome welcome;
  for (const auto& held : hello.held()) {
    auto& answer = *welcome.add_held();
    if (held.task_id() == refuse) answer.mutable_status()->set_code(9);
    if (held.task_id() == confirm) answer.set_confirmed(true);
    answer.set_lease_token("fresh");
  }
  return welcome;
}

TEST_CASE("What Inputs refuses in welcome is stopped and dropped, the rest goes on") {
  Desk desk;
  const HeldTaskPtr refused = desk.Running(1);
  const HeldTaskPtr kept = desk.Running(2);
  auto welcome = WelcomeTo(desk.Hello(), IdOf(1));
  CHECK(desk.ledger.OnWelcome(welcome));
  CHECK(refused->stop_cause == StopCause::kRevoked);
  CHECK(kept->stop_cause == StopCause::kNone);
  CHECK(kept->lease_token == "fresh");
  CHECK(desk.ledger.size() == 1);
  // Hello has said that it began.
  desk.ledger.OnTime(kNow + absl::Seconds(1));
  CHECK(desk.Reports().started_size() == 0);
}

TEST_CASE("A receipt that welcome confirms is forgotten, another is acknowledged again") {
  Desk desk;
  desk.Acking(1);
  desk.Acking(2);
  desk.Reports();
  auto welcome = WelcomeTo(desk.Hello(), "", IdOf(1));
  CHECK(desk.ledger.OnWelcome(welcome));
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.acks_size() == 1);
  CHECK(reports.acks(0).task_id() == IdOf(2));
}

TEST_CASE("What was handed back on a lost connection is handed back again") {
  Desk desk;
  desk.ledger.End(desk.Running(1), kNow, absl::InternalError("x"));
  desk.Reports();
  auto welcome = WelcomeTo(desk.Hello());
  CHECK(desk.ledger.OnWelcome(welcome));
  CHECK(desk.Reports().nacks_size() == 1);
}

TEST_CASE("A task that ends between hello and welcome is reported once") {
  Desk desk;
  const HeldTaskPtr task = desk.Putting(1);
  auto welcome = WelcomeTo(desk.Hello());
  desk.ledger.OnReceipt(task, "receipt");
  CHECK(desk.ledger.OnWelcome(welcome));
  CHECK(desk.Reports().acks_size() == 1);
}

TEST_CASE("A welcome that does not answer the hello is noticed") {
  Desk desk;
  desk.Running(1);
  desk.Hello();
  inputs::v1::Welcome welcome;
  CHECK_FALSE(desk.ledger.OnWelcome(welcome));
}

TEST_CASE("A report that Inputs refuses drops its dispatch if that is no longer ours") {
  for (const char* reason : {"NOT_HELD", "STALE_DISPATCH", "INVALID_RECEIPT"}) {
    Desk desk;
    desk.Acking(1);
    CHECK(desk.ledger.OnRefused(IdOf(1), 1, reason));
    CHECK(desk.ledger.empty());
    CHECK_FALSE(desk.ledger.OnRefused(IdOf(1), 1, reason));
  }
}

TEST_CASE("A report that is refused for itself costs nothing but the report") {
  Desk desk;
  desk.Running(1);
  CHECK(desk.ledger.OnRefused(IdOf(1), 1, "BAD_PROGRESS"));
  CHECK_FALSE(desk.ledger.empty());
}

TEST_CASE("A renewal replaces the lease token") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  inputs::v1::LeaseRenewal renewal;
  renewal.set_task_id(IdOf(1));
  renewal.set_dispatch(1);
  renewal.set_lease_token("renewed");
  desk.ledger.OnRenewal(renewal);
  CHECK(task->lease_token == "renewed");
}

TEST_CASE("A drain gives no credit, hands the queue back and lets handlers finish") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Receive(2);
  desk.ledger.Drain();
  desk.Receive(3);
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.has_credit());
  CHECK(reports.credit().max_held() == 0);
  REQUIRE(reports.nacks_size() == 2);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(reports.nacks(1).error().reason() == "DRAINING");
  CHECK(task->stop_cause == StopCause::kNone);
  CHECK(desk.Hello().credit().max_held() == 0);
}

TEST_CASE("A handler that a drain stops is handed back, unless it returns a result") {
  Desk desk;
  const HeldTaskPtr stopped = desk.Running(1);
  const HeldTaskPtr done = desk.Running(2);
  desk.ledger.StopHandlers(StopCause::kDraining);
  desk.ledger.End(stopped, kNow, absl::CancelledError(""));
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(desk.ledger.End(done, kNow, Result{}));
}

TEST_CASE("A handler that does not stop is handed back over its head") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.ledger.Abandon();
  CHECK(desk.ledger.running() == 0);
  CHECK(task->payload == "payload 1");
  CHECK(task->stop_cause == StopCause::kRevoked);
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK_FALSE(desk.ledger.End(task, kNow, Result{"late", ""}));
  CHECK(desk.Reports().nacks_size() == 0);
}

TEST_CASE("Results that Outputs does not take are handed back at the end of a drain, others not") {
  Desk desk;
  const HeldTaskPtr putting = desk.Putting(1);
  desk.Acking(2);
  CHECK(desk.ledger.works());
  desk.ledger.Abandon();
  CHECK_FALSE(desk.ledger.works());
  desk.ledger.OnReceipt(putting, "too late");
  const PullRequest reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).task_id() == IdOf(1));
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  REQUIRE(reports.acks_size() == 1);
  CHECK(reports.acks(0).task_id() == IdOf(2));
}

TEST_CASE("After a loss handlers are stopped, the queue is forgotten and results are kept") {
  Desk desk;
  const HeldTaskPtr running = desk.Running(1);
  desk.Putting(2);
  desk.Acking(3);
  desk.Receive(4);
  desk.ledger.OnLost();
  CHECK(running->stop_cause == StopCause::kLost);
  CHECK(desk.ledger.Begin(kNow) == nullptr);
  CHECK(desk.Hello().held_size() == 3);
  desk.ledger.End(running, kNow, absl::CancelledError(""));
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
}

}  // namespace
}  // namespace kantoku::executor
