#include "tests/unit/executor-runtime/ledger_desk.h"

// Pauses, resumptions and steps; what a handler is told and what Inputs hears of it.
namespace kantoku::executor {
namespace {

using absl::Seconds;

void ExpectState(Desk& desk, inputs::v1::HandlerState state, uint32_t number) {
  const auto reports = desk.Reports();
  REQUIRE(reports.handler_states_size() == 1);
  CHECK(reports.handler_states(0).task_id() == IdOf(1));
  CHECK(reports.handler_states(0).state() == state);
  CHECK(reports.handler_states(0).number() == number);
}

constexpr auto kPaused = inputs::v1::HANDLER_STATE_PAUSED;
constexpr auto kRunning = inputs::v1::HANDLER_STATE_RUNNING;
constexpr auto kPause = inputs::v1::HANDLER_ACTION_PAUSE;
constexpr auto kResume = inputs::v1::HANDLER_ACTION_RESUME;
constexpr auto kStep = inputs::v1::HANDLER_ACTION_STEP;

TEST_CASE("A handler is paused at its next pause point, and Inputs hears of it then") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));  // Nobody asked.
  desk.Control(1, kPause, 3);
  CHECK(desk.Reports().handler_states_size() == 0);
  CHECK(desk.ledger.ReachPausePoint(task, kNow));
  CHECK(task->paused);
  CHECK(desk.ledger.urgent());
  ExpectState(desk, kPaused, 3);
  desk.Control(1, kPause, 4);  // Said again.
  ExpectState(desk, kPaused, 4);
  desk.Control(1, kResume, 5);
  CHECK_FALSE(task->paused);
  CHECK(desk.ledger.TakePausesDecided());
  ExpectState(desk, kRunning, 5);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
}

TEST_CASE("The first that is said of a paused handler is that it has begun") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
  const auto reports = desk.Reports();
  CHECK(reports.started_size() == 1);
  CHECK(reports.handler_states_size() == 1);
}

TEST_CASE("A pause that is taken back before the point is reached leaves nothing behind") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  desk.Control(1, kResume, 2);
  ExpectState(desk, kRunning, 2);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
}

TEST_CASE("A step goes on to the next point") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
  desk.Reports();
  desk.Control(1, kStep, 2);
  CHECK_FALSE(task->paused);
  CHECK(desk.ledger.TakePausesDecided());
  CHECK(desk.Reports().handler_states_size() == 0);
  CHECK(desk.ledger.ReachPausePoint(task, kNow));
  ExpectState(desk, kPaused, 2);
}

TEST_CASE("A dispatch may say that its first pause point is one") {
  Desk desk;
  auto message = DispatchOf(1, 1);
  message.set_pause(true);
  desk.ledger.Receive(message, &kPooled, kNow);
  const HeldTaskPtr task = desk.ledger.Begin(kNow);
  CHECK(desk.ledger.ReachPausePoint(task, kNow));
  ExpectState(desk, kPaused, 0);
}

TEST_CASE("What has not begun is handed back instead of paused, unless its start is on its way") {
  Desk desk;
  SECTION("in the queue") {
    desk.Receive(1);
    desk.Control(1, kPause, 1);
    const auto reports = desk.Reports();
    REQUIRE(reports.nacks_size() == 1);
    CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
    CHECK(reports.nacks(0).error().reason() == "PAUSED");
  }
  SECTION("starting") {
    auto message = DispatchOf(1, 1);
    message.set_confirm_start(true);
    desk.ledger.Receive(message, &kPooled, kNow);
    const HeldTaskPtr task = desk.ledger.Begin(kNow);
    desk.Control(1, kPause, 1);
    CHECK(desk.Reports().nacks_size() == 0);
    desk.ledger.OnStartConfirmed(IdOf(1), 1, kNow);
    CHECK(desk.ledger.ReachPausePoint(task, kNow));
    ExpectState(desk, kPaused, 1);
  }
}

TEST_CASE("The time of an attempt stands still while its handler is paused") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);  // For a minute.
  desk.Control(1, kPause, 1);
  REQUIRE(desk.ledger.ReachPausePoint(task, kNow + Seconds(40)));
  desk.ledger.OnTime(kNow + Seconds(1'000));
  CHECK(task->stop_cause == StopCause::kNone);
  CHECK(desk.ledger.TimeLeft(*task, kNow + Seconds(1'000)) == Seconds(20));
  desk.Control(1, GENERATE(kResume, kStep), 2, kNow + Seconds(1'000));
  CHECK(desk.ledger.next_time() <= kNow + Seconds(1'020));
  desk.ledger.OnTime(kNow + Seconds(1'019));
  CHECK(task->stop_cause == StopCause::kNone);
  desk.ledger.OnTime(kNow + Seconds(1'020));
  CHECK(task->stop_cause == StopCause::kTimeout);
}

TEST_CASE("A handler that is to stop is held back no longer") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
  SECTION("cancelled") { desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL); }
  SECTION("interrupted") { desk.Control(1, inputs::v1::HANDLER_ACTION_INTERRUPT); }
  SECTION("revoked") { desk.Control(1, inputs::v1::HANDLER_ACTION_REVOKE); }
  SECTION("lost") { desk.ledger.OnLost(); }
  SECTION("drained") { desk.ledger.StopHandlers(StopCause::kDraining); }
  CHECK(desk.ledger.TakePausesDecided());
  CHECK(task->stop_cause != StopCause::kNone);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
}

TEST_CASE("An interrupt presses on a cancellation, and is confirmed like one") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(task->stop_cause == StopCause::kCancelled);
  desk.Control(1, inputs::v1::HANDLER_ACTION_INTERRUPT);
  CHECK(task->stop_cause == StopCause::kInterrupted);
  desk.Control(1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(task->stop_cause == StopCause::kInterrupted);
  CHECK_FALSE(desk.ledger.End(task, kNow, absl::CancelledError("stopped")));
  REQUIRE(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_CANCELLED);
}

TEST_CASE("Work that can be held back from outside is, at once, and needs no point") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  SECTION("paused before it can be") {
    desk.Control(1, kPause, 1);
    CHECK(desk.ledger.TakeHolds().empty());
    desk.ledger.SetCanHold(task, true);
  }
  SECTION("paused when it can be") {
    desk.ledger.SetCanHold(task, true);
    CHECK(desk.ledger.TakeHolds().empty());
    desk.Control(1, kPause, 1);
  }
  CHECK(desk.ledger.TakeHolds().size() == 1);
  CHECK(task->pause_wanted);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
  desk.ledger.OnHeld(task, true, kNow);
  ExpectState(desk, kPaused, 1);
  // It has no point to step to.
  desk.Control(1, kStep, 2);
  CHECK(desk.ledger.TakeHolds().size() == 1);
  desk.ledger.OnHeld(task, true, kNow);
  ExpectState(desk, kPaused, 2);
  desk.Control(1, kResume, 3);
  CHECK(desk.ledger.TakeHolds().size() == 1);
  CHECK_FALSE(task->pause_wanted);
  desk.ledger.OnHeld(task, false, kNow);
  ExpectState(desk, kRunning, 3);
}

TEST_CASE("A drain does not wait for a handler that is paused, or comes to its point") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  if (GENERATE(false, true)) {
    REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
    desk.ledger.Drain();
  } else {
    desk.ledger.Drain();
    CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
  }
  CHECK(task->stop_cause == StopCause::kDraining);
  CHECK_FALSE(desk.ledger.End(task, kNow, absl::CancelledError("stopped")));
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
}

TEST_CASE("An inline handler is not held back") {
  Desk desk;
  auto message = DispatchOf(1, 1);
  message.set_pause(true);
  const HeldTaskPtr task = desk.ledger.Receive(message, &kInline, kNow);
  CHECK_FALSE(desk.ledger.ReachPausePoint(task, kNow));
}

TEST_CASE("A hello says what is paused, and what was said before it is not said again") {
  Desk desk;
  const HeldTaskPtr task = desk.Running(1);
  desk.Control(1, kPause, 1);
  if (GENERATE(false, true)) REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
  const auto hello = desk.Hello();
  REQUIRE(hello.held_size() == 1);
  CHECK(hello.held(0).paused());
  inputs::v1::Welcome welcome;
  welcome.add_held();
  REQUIRE(desk.ledger.OnWelcome(welcome));
  CHECK(desk.Reports().handler_states_size() == 0);
  desk.Control(1, kPause, 1);
  if (!task->paused) REQUIRE(desk.ledger.ReachPausePoint(task, kNow));
  ExpectState(desk, kPaused, 1);
}

}  // namespace
}  // namespace kantoku::executor
