// Dispatches whose handler begins only once Inputs has confirmed it.
#include <string>

#include "tests/unit/executor-runtime/ledger_desk.h"

namespace kantoku::executor {
namespace {

void ReceiveOnce(Desk& desk, uint64_t sequence, const Registration& registration = kPooled) {
  auto message = DispatchOf(sequence);
  message.set_confirm_start(true);
  CHECK(desk.ledger.Receive(message, &registration, kNow) == nullptr);
}

HeldTaskPtr Starting(Desk& desk, uint64_t sequence) {
  ReceiveOnce(desk, sequence);
  HeldTaskPtr task = desk.ledger.Begin(kNow);
  REQUIRE(task != nullptr);
  REQUIRE(task->phase == Phase::kStarting);
  return task;
}

TEST_CASE("A start that is to be confirmed is reported at once, and runs when it is") {
  Desk desk;
  const HeldTaskPtr task = Starting(desk, 1);
  CHECK(desk.ledger.urgent());
  const auto reports = desk.Reports();
  REQUIRE(reports.started_size() == 1);
  CHECK(reports.started(0).task_id() == IdOf(1));
  CHECK(desk.ledger.works());
  CHECK(desk.ledger.running() == 0);

  CHECK_FALSE(desk.ledger.TakeStartsDecided());
  CHECK(desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow + absl::Seconds(5)) == nullptr);
  CHECK(desk.ledger.TakeStartsDecided());
  CHECK(task->phase == Phase::kRunning);
  CHECK(task->deadline == kNow + absl::Seconds(65));  // From the confirmation on.
  desk.ledger.OnTime(kNow + absl::Seconds(6));
  CHECK(desk.Reports().started_size() == 0);  // Once is enough.
  CHECK(desk.ledger.End(task, kNow + absl::Seconds(6), Result{"done", ""}));
}

TEST_CASE("A start that waits in the queue is not reported") {
  Desk desk;
  ReceiveOnce(desk, 1);
  CHECK(desk.Reports().started_size() == 0);
  CHECK(desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow) == nullptr);
  CHECK(desk.ledger.queued() == 1);
}

TEST_CASE("A task with an inline handler is returned when its start is confirmed") {
  Desk desk;
  ReceiveOnce(desk, 1, kInline);
  CHECK(desk.ledger.queued() == 0);
  CHECK(desk.Reports().started_size() == 1);
  CHECK(desk.ledger.OnStartConfirmed(IdOf(1), 2, kNow) == nullptr);  // Another dispatch.
  const HeldTaskPtr task = desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow);
  REQUIRE(task != nullptr);
  CHECK(task->phase == Phase::kRunning);
  CHECK(desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow) == nullptr);  // Not twice.
}

TEST_CASE("A start whose confirmation was lost with the connection is reported again") {
  Desk desk;
  const HeldTaskPtr task = Starting(desk, 1);
  CHECK(desk.Reports().started_size() == 1);
  const auto hello = desk.Hello();
  REQUIRE(hello.held_size() == 1);
  CHECK_FALSE(hello.held(0).started());
  inputs::v1::Welcome welcome;
  welcome.add_held();
  REQUIRE(desk.ledger.OnWelcome(welcome));
  CHECK(desk.Reports().started_size() == 1);
  CHECK(task->phase == Phase::kStarting);
}

TEST_CASE("A task that is starting never runs once it is") {
  Desk desk;
  const HeldTaskPtr task = Starting(desk, 1);
  desk.Reports();
  bool handed_back = true;
  SECTION("cancelled") { desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL); }
  SECTION("at the end of a drain") {
    desk.ledger.Drain();
    CHECK(task->phase == Phase::kStarting);  // It may still begin, and finish.
    desk.ledger.Abandon();
  }
  SECTION("revoked") {
    desk.Control(1, inputs::v1::HANDLER_ACTION_REVOKE);
    handed_back = false;
  }
  SECTION("refused") {
    CHECK(desk.ledger.OnRefused(IdOf(1), 1, "NOT_HELD"));
    handed_back = false;
  }
  SECTION("lost") {
    desk.ledger.OnLost();
    handed_back = false;
  }
  CHECK(desk.ledger.TakeStartsDecided());
  CHECK(desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow) == nullptr);
  CHECK(task->phase != Phase::kRunning);
  CHECK(desk.Reports().nacks_size() == (handed_back ? 1 : 0));
  CHECK(desk.ledger.empty() == !handed_back);
  CHECK_FALSE(desk.ledger.works());
}

}  // namespace
}  // namespace kantoku::executor
