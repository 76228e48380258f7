#include <atomic>

#include "absl/time/time.h"
#include "tests/integration/executor_bench.h"

// Handlers that are held back at pause points, and by force.
namespace kantoku::executor {
namespace {

namespace pb = ::kantoku::inputs::v1;

auto States(size_t count) {
  return [count](const Said& said) { return said.handler_states.size() >= count; };
}

void ExpectState(const FakeConnection::Said& said, size_t n, pb::HandlerState state,
                 uint32_t number) {
  REQUIRE(said.handler_states.size() > n);
  CHECK(said.handler_states[n].task_id() == IdOf(1));
  CHECK(said.handler_states[n].state() == state);
  CHECK(said.handler_states[n].number() == number);
}

// One that waits in the queue would be handed back instead of paused.
void SendAndAwaitStart(FakeConnection& inputs) {
  inputs.SendTasks({DispatchOf(1)});
  REQUIRE(inputs.Await([](const Said& said) { return said.started.size() == 1; }));
}

// Counts its rounds, with a pause point after each, until it is to stop.
struct Rounds {
  absl::StatusOr<Result> operator()(Context& context) const {
    do {
      ++*count;
    } while (context.PausePoint());
    return absl::CancelledError("stopped");
  }
  std::shared_ptr<std::atomic<int>> count = std::make_shared<std::atomic<int>>(0);
};

TEST_CASE("A handler stands at its pause point until it is resumed") {
  const Rounds rounds;
  Bench bench;
  auto inputs = bench.Run(rounds);
  inputs->Welcome();
  SendAndAwaitStart(*inputs);
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_PAUSE, 1);
  REQUIRE(inputs->Await(States(1)));
  ExpectState(inputs->said(), 0, pb::HANDLER_STATE_PAUSED, 1);
  CHECK(inputs->said().started.size() == 1);
  const int paused_at = *rounds.count;
  SECTION("it does nothing meanwhile, and a step is one round") {
    inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_STEP, 2);
    REQUIRE(inputs->Await(States(2)));
    ExpectState(inputs->said(), 1, pb::HANDLER_STATE_PAUSED, 2);
    CHECK(*rounds.count == paused_at + 1);
    inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_RESUME, 3);
    REQUIRE(inputs->Await(States(3)));
    ExpectState(inputs->said(), 2, pb::HANDLER_STATE_RUNNING, 3);
  }
  SECTION("a cancellation ends it there") { CHECK(*rounds.count == paused_at); }
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_CANCEL);
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == pb::NACK_KIND_CANCELLED);
}

TEST_CASE("A dispatch that says so pauses its handler at the first point") {
  const Rounds rounds;
  Bench bench;
  auto inputs = bench.Run(rounds);
  inputs->Welcome();
  auto dispatch = DispatchOf(1);
  dispatch.set_pause(true);
  inputs->SendTasks({dispatch});
  REQUIRE(inputs->Await(States(1)));
  ExpectState(inputs->said(), 0, pb::HANDLER_STATE_PAUSED, 0);
  CHECK(*rounds.count == 1);
}

TEST_CASE("The next connection tells of what is paused, and is answered again") {
  const Rounds rounds;
  Bench bench;
  auto inputs = bench.Run(rounds);
  inputs->Welcome();
  SendAndAwaitStart(*inputs);
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_PAUSE, 1);
  REQUIRE(inputs->Await(States(1)));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""));
  auto again = bench.Next();
  REQUIRE(again->said().hello.held_size() == 1);
  CHECK(again->said().hello.held(0).paused());
  again->Welcome();
  again->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_PAUSE, 1);
  REQUIRE(again->Await(States(1)));
  ExpectState(again->said(), 0, pb::HANDLER_STATE_PAUSED, 1);
}

TEST_CASE("An executor that stops leaves nobody at a pause point") {
  const Rounds rounds;
  Bench bench;
  auto inputs = bench.Run(rounds);
  inputs->Welcome();
  SendAndAwaitStart(*inputs);
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_PAUSE, 1);
  REQUIRE(inputs->Await(States(1)));
  bench.executor->Stop();
  CHECK(bench.Verdict().ok());
}

TEST_CASE("Work that is held back from outside is told what is wanted, and so is Inputs") {
  Gate begun;
  std::atomic<bool> held = false;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    context.OnPause([&](bool hold) { held = hold; });
    begun.Open();
    const absl::Status status = StopWhenAsked(context);
    context.OnPause({});
    return status;
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(begun.Await());
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_PAUSE, 1);
  REQUIRE(inputs->Await(States(1)));
  ExpectState(inputs->said(), 0, pb::HANDLER_STATE_PAUSED, 1);
  CHECK(held);
  inputs->SendControl(IdOf(1), 1, pb::HANDLER_ACTION_RESUME, 2);
  REQUIRE(inputs->Await(States(2)));
  ExpectState(inputs->said(), 1, pb::HANDLER_STATE_RUNNING, 2);
  CHECK_FALSE(held);
}

TEST_CASE("A handler knows the tree of its task") {
  std::atomic<bool> right = false;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    right = context.root_id().bytes() == IdOf(7) && context.task_id().bytes() == IdOf(1);
    return Result{};
  });
  inputs->Welcome();
  auto dispatch = DispatchOf(1);
  dispatch.set_root_id(IdOf(7));
  inputs->SendTasks({dispatch});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(right);
}

}  // namespace
}  // namespace kantoku::executor
