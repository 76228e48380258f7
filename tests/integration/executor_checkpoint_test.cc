// What handlers leave to the next dispatches of their tasks, on its way to Inputs.
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

void Confirm(FakeConnection& inputs, const inputs::v1::Checkpoint& checkpoint,
             const absl::Status& status = absl::OkStatus()) {
  inputs::v1::PullResponse frame;
  auto& confirmed = *frame.add_checkpoints_confirmed();
  confirmed.set_task_id(checkpoint.task_id());
  confirmed.set_dispatch(checkpoint.dispatch());
  confirmed.set_number(checkpoint.number());
  confirmed.mutable_status()->set_code(static_cast<int>(status.code()));
  confirmed.mutable_status()->set_reason(platform::ReasonOf(status));
  inputs.Send(frame);
}

auto Checkpoints(size_t count) {
  return [count](const Said& said) { return said.checkpoints.size() >= count; };
}

TEST_CASE("A handler gets what was left for it, and waits for what it leaves when it wants to") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    if (auto taken = context.Checkpoint(context.checkpoint() + "+"); !taken.ok()) return taken;
    if (auto kept = context.AwaitCheckpoint(); !kept.ok()) return kept;
    return Result{context.checkpoint(), ""};
  });
  inputs->Welcome();
  auto dispatch = DispatchOf(1);
  dispatch.set_checkpoint("before");
  inputs->SendTasks({dispatch});
  REQUIRE(inputs->Await(Checkpoints(1)));
  CHECK(inputs->said().checkpoints[0].data() == "before+");
  CHECK(inputs->said().acks.empty());
  Confirm(*inputs, inputs->said().checkpoints[0]);
  REQUIRE(inputs->Await(Acks(1)));
  std::string result;
  REQUIRE(bench.services.AwaitResult("lease 1", &result));
  CHECK(result == "before");
}

TEST_CASE("A handler that leaves many checkpoints waits for none, and few are sent") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    for (int i = 1; i <= 1000; ++i) {
      if (auto taken = context.Checkpoint(std::to_string(i)); !taken.ok()) return taken;
    }
    return absl::InternalError("broken");
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  const auto checkpoints = inputs->said().checkpoints;
  CHECK(checkpoints.size() <= 2);
  CHECK(checkpoints.back().data() == "1000");
}

TEST_CASE("A checkpoint survives a lost connection") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    if (auto taken = context.Checkpoint("kept"); !taken.ok()) return taken;
    if (auto kept = context.AwaitCheckpoint(); !kept.ok()) return kept;
    return Result();
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Checkpoints(1)));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));
  auto again = bench.Next();
  again->Welcome();
  REQUIRE(again->Await(Checkpoints(1)));
  CHECK(again->said().checkpoints[0].data() == "kept");
  Confirm(*again, again->said().checkpoints[0]);
  CHECK(again->Await(Acks(1)));
}

TEST_CASE("A checkpoint that is refused, or too large, is told to the handler") {
  Bench bench;
  std::vector<std::string> reasons;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    reasons.push_back(platform::ReasonOf(context.Checkpoint(std::string((1 << 20) + 1, 'x'))));
    reasons.push_back(platform::ReasonOf(context.Checkpoint("no room")));
    reasons.push_back(platform::ReasonOf(context.AwaitCheckpoint()));
    return Result();
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Checkpoints(1)));
  Confirm(*inputs, inputs->said().checkpoints[0],
          platform::Error(absl::StatusCode::kResourceExhausted, "CHECKPOINTS_FULL", ""));
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(reasons == std::vector<std::string>{"CHECKPOINT_TOO_LARGE", "", "CHECKPOINTS_FULL"});
}

TEST_CASE(
    "A handler that a drain asks to stop leaves a checkpoint, and one that lost its task does "
    "not") {
  Bench bench({.drain_limit = absl::ZeroDuration(), .stop_patience = absl::Seconds(30)});
  absl::Status kept;
  Gate over;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    (void)StopWhenAsked(context);
    kept = context.Checkpoint("where I was");
    if (kept.ok()) kept = context.AwaitCheckpoint();
    over.Open();
    return absl::CancelledError("stopped");
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  SECTION("a drain") {
    bench.executor->Drain();
    REQUIRE(inputs->Await(Checkpoints(1)));
    Confirm(*inputs, inputs->said().checkpoints[0]);
    REQUIRE(inputs->Await(Nacks(1)));
    CHECK(kept.ok());
  }
  SECTION("a revocation") {
    inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_REVOKE);
    REQUIRE(over.Await());
    CHECK(platform::ReasonOf(kept) == "REVOKED");
    CHECK(inputs->said().checkpoints.empty());
  }
}

TEST_CASE("A handler that runs inline leaves checkpoints, but cannot wait for one") {
  Bench bench;
  absl::Status taken;
  absl::Status awaited;
  REQUIRE(bench.executor
              ->HandleInline("test.type",
                             [&](Context& context) -> absl::StatusOr<Result> {
                               taken = context.Checkpoint("x");
                               awaited = context.AwaitCheckpoint();
                               return Result();
                             })
              .ok());
  bench.Start();
  auto inputs = bench.Next();
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(taken.ok());
  CHECK(platform::ReasonOf(awaited) == "WAITS_INLINE");
}

}  // namespace
}  // namespace kantoku::executor
