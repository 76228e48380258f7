// An executor and the tasks that begin at most once.
#include <atomic>
#include <string>

#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

inputs::v1::Dispatch OnceOf(uint64_t sequence) {
  auto dispatch = DispatchOf(sequence);
  dispatch.set_confirm_start(true);
  return dispatch;
}

void ConfirmStart(FakeConnection& inputs, uint64_t sequence) {
  inputs::v1::PullResponse frame;
  auto& start = *frame.add_starts_confirmed();
  start.set_task_id(IdOf(sequence));
  start.set_dispatch(1);
  inputs.Send(frame);
}

auto Starts(size_t count) {
  return [count](const Said& said) { return said.started.size() >= count; };
}

TEST_CASE("A handler that begins at most once waits for its confirmation, others do not") {
  Bench bench({.concurrency = 2});
  std::atomic<int> runs = 0;
  auto inputs = bench.Run([&](Context& context) {
    ++runs;
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({OnceOf(1), DispatchOf(2)});
  REQUIRE(inputs->Await(
      [](const Said& said) { return !said.started.empty() && said.acks.size() == 1; }));
  CHECK(inputs->said().started[0].task_id() == IdOf(1));
  CHECK(inputs->said().acks[0].task_id() == IdOf(2));
  CHECK(runs == 1);
  ConfirmStart(*inputs, 1);
  REQUIRE(inputs->Await(Acks(2)));
  CHECK(runs == 2);
}

TEST_CASE("An inline handler that begins at most once waits for its confirmation") {
  Bench bench;
  std::atomic<int> runs = 0;
  REQUIRE(bench.executor
              ->HandleInline("test.type",
                             [&](Context& context) {
                               ++runs;
                               return Echo(context);
                             })
              .ok());
  bench.Start();
  auto inputs = bench.Next();
  inputs->Welcome();
  inputs->SendTasks({OnceOf(1)});
  REQUIRE(inputs->Await(Starts(1)));
  CHECK(runs == 0);
  ConfirmStart(*inputs, 1);
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(runs == 1);
}

TEST_CASE("A start that was not confirmed before the connection broke is asked for again") {
  Bench bench({.concurrency = 1});
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({OnceOf(1)});
  REQUIRE(inputs->Await(Starts(1)));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));
  auto again = bench.Next();
  REQUIRE(again->said().hello.held_size() == 1);
  CHECK_FALSE(again->said().hello.held(0).started());
  inputs::v1::PullResponse welcome;
  welcome.mutable_welcome()->add_held();
  again->Send(welcome);
  REQUIRE(again->Await(Starts(1)));
  ConfirmStart(*again, 1);
  CHECK(again->Await(Acks(1)));
}

TEST_CASE("A worker whose task may not begin any more takes the next") {
  Bench bench({.concurrency = 1});
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({OnceOf(1), DispatchOf(2)});
  REQUIRE(inputs->Await(Starts(1)));
  inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_REVOKE);
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(inputs->said().acks[0].task_id() == IdOf(2));
}

TEST_CASE("An executor that stops does not wait for a confirmation") {
  Bench bench({.concurrency = 1});
  std::atomic<int> runs = 0;
  auto inputs = bench.Run([&](Context& context) {
    ++runs;
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({OnceOf(1)});
  REQUIRE(inputs->Await(Starts(1)));
  bench.executor->Stop();
  CHECK(bench.Verdict().ok());
  CHECK(runs == 0);
}

}  // namespace
}  // namespace kantoku::executor
