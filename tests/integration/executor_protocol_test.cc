// What an executor says to Inputs and Outputs about its tasks, and what it does about what they
// say.
#include <atomic>
#include <stdexcept>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

TEST_CASE("A task is pulled, run, put and acknowledged with its receipt") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  const auto hello = inputs->said().hello;
  CHECK(hello.session_id().size() == 16);
  CHECK(hello.namespace_() == "default");
  CHECK(hello.types_size() == 1);
  CHECK(hello.types(0) == "test.type");
  CHECK(hello.credit().max_held() == 4);
  CHECK(hello.held_size() == 0);

  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  const auto ack = inputs->said().acks[0];
  CHECK(ack.task_id() == IdOf(1));
  CHECK(ack.dispatch() == 1);
  CHECK(ack.receipt() == "receipt of lease 1");
  std::string data;
  REQUIRE(bench.services.AwaitResult("lease 1", &data));
  CHECK(data == "echo of payload 1");
}

TEST_CASE("A handler sees its task") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    const bool in_time =
        context.time_left() > absl::Seconds(30) && context.time_left() <= absl::Seconds(60);
    return Result{
        absl::StrCat(context.task_id().ToString(), " ", context.dispatch(), " ", context.attempt(),
                     " ", context.type(), " ", context.payload(), " ", context.content_type(),
                     in_time ? " in time" : " late", context.cancelled() ? " cancelled" : ""),
        ""};
  });
  inputs->Welcome();
  auto dispatch = DispatchOf(7, 3);
  dispatch.set_attempt(2);
  dispatch.set_content_type("text/x-test");
  inputs->SendTasks({dispatch});
  CHECK(inputs->Await(Acks(1)));
  std::string seen;
  REQUIRE(bench.services.AwaitResult("lease 7", &seen));
  CHECK(seen == platform::TaskId::FromBytes(IdOf(7))->ToString() +
                    " 3 2 test.type payload 7 text/x-test in time");
}

TEST_CASE("An inline handler does the same on the reading thread") {
  Bench bench;
  REQUIRE(bench.executor->HandleInline("test.type", Echo).ok());
  bench.Start();
  auto inputs = bench.Next();
  CHECK(inputs->said().hello.credit().max_held() == 1000);
  inputs->Welcome();
  std::vector<inputs::v1::Dispatch> tasks;
  for (uint64_t i = 1; i <= 600; ++i) tasks.push_back(DispatchOf(i));
  inputs->SendTasks(tasks);
  REQUIRE(inputs->Await(Acks(600)));
}

TEST_CASE("Nothing but hello is said before welcome") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));
  auto again = bench.Next();
  CHECK(again->said().frames == 1);
  again->Welcome();
  again->SendTasks({DispatchOf(2)});
  CHECK(again->Await(Acks(1)));
}

TEST_CASE("Results leave together while a Put is under way") {
  Gate first_put;
  Gate let_go;
  std::atomic<int> puts = 0;
  std::atomic<int> runs = 0;
  Gate all_ran;
  Bench bench({.concurrency = 1, .max_held = 100});
  bench.services.OnPut([&](const auto& request, auto& response) {
    if (puts++ == 0) {
      first_put.Open();
      let_go.Await();
    }
    return bench.services.TakeAll(request, response);
  });
  auto inputs = bench.Run([&](Context& context) {
    if (++runs == 50) all_ran.Open();
    return Echo(context);
  });
  inputs->Welcome();
  std::vector<inputs::v1::Dispatch> tasks;
  for (uint64_t i = 1; i <= 50; ++i) tasks.push_back(DispatchOf(i));
  inputs->SendTasks(tasks);
  REQUIRE(first_put.Await());
  REQUIRE(all_ran.Await());
  let_go.Open();
  REQUIRE(inputs->Await(Acks(50)));
  // The first, those that gathered meanwhile, and the last if it was not quite there.
  CHECK(bench.services.put_sizes().size() <= 3);
}

TEST_CASE("A Put that Outputs swallows is made again, and does not hold back what comes after") {
  Gate let_go;
  std::atomic<int> puts = 0;
  Bench bench({.put_timeout = absl::Milliseconds(50)});
  bench.services.OnPut([&](const auto& request, auto& response) {
    if (puts++ > 0) return bench.services.TakeAll(request, response);
    let_go.Await();
    return grpc::Status(grpc::StatusCode::CANCELLED, "swallowed");
  });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2)});
  CHECK(inputs->Await(Acks(2)));
  let_go.Open();
}

TEST_CASE("An error of a handler is reported as a failure that began") {
  Bench bench;
  auto inputs = bench.Run([](Context&) -> absl::StatusOr<Result> {
    return platform::Error(absl::StatusCode::kInternal, "NO_LENS", "the lens is missing");
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  const Said said = inputs->said();
  CHECK(said.nacks[0].kind() == inputs::v1::NACK_KIND_FAILED);
  CHECK(said.nacks[0].error().reason() == "NO_LENS");
  CHECK(said.started.size() == 1);
  CHECK(bench.services.put_sizes().empty());
}

TEST_CASE("What a handler throws is a failure") {
  Bench bench;
  auto inputs = bench.Run(
      [](Context&) -> absl::StatusOr<Result> { throw std::runtime_error("out of film"); });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].error().reason() == "HANDLER_THREW");
  CHECK(inputs->said().nacks[0].error().message() == "out of film");
}

TEST_CASE("A final failure is reported as one") {
  Bench bench;
  auto inputs = bench.Run(
      [](Context&) -> absl::StatusOr<Result> { return FailFinally("BAD_IMAGE", "not a TIFF"); });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
}

TEST_CASE("A long run is reported as started, its progress as well") {
  Gate go_on;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) {
    context.Progress(0.5, "half");
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  CHECK(inputs->Await([](const Said& said) { return said.started.size() == 1; }));
  CHECK(inputs->Await([](const Said& said) { return said.progress.size() == 1; }));
  CHECK(inputs->said().progress[0].fraction() == 0.5);
  go_on.Open();
  CHECK(inputs->Await(Acks(1)));
}

TEST_CASE("What is sent beyond the credit comes back without a run") {
  Gate go_on;
  Bench bench({.concurrency = 1, .max_held = 2});
  auto inputs = bench.Run([&](Context& context) {
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2), DispatchOf(3)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].task_id() == IdOf(3));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  go_on.Open();
  CHECK(inputs->Await(Acks(2)));
}

TEST_CASE("A cancelled handler confirms with its error") {
  Bench bench;
  auto inputs =
      bench.Run([&](Context& context) -> absl::StatusOr<Result> { return StopWhenAsked(context); });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_CANCEL);
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_CANCELLED);
}

TEST_CASE("A result wins over a cancellation") {
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    (void)StopWhenAsked(context);
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_CANCEL);
  CHECK(inputs->Await(Acks(1)));
}

TEST_CASE("A revoked dispatch is stopped and never mentioned again") {
  std::atomic<StopCause> cause = StopCause::kNone;
  Gate stopped;
  Bench bench({.concurrency = 1});
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    if (context.payload() == "payload 2") return Echo(context);
    (void)StopWhenAsked(context);
    cause = context.stop_cause();
    stopped.Open();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_REVOKE);
  REQUIRE(stopped.Await());
  CHECK(cause == StopCause::kRevoked);
  inputs->SendTasks({DispatchOf(2)});
  REQUIRE(inputs->Await(Acks(1)));
  const Said said = inputs->said();
  CHECK(said.acks[0].task_id() == IdOf(2));
  CHECK(said.nacks.empty());
}

TEST_CASE("A handler is stopped at the end of its time and fails with TIMEOUT") {
  std::atomic<StopCause> cause = StopCause::kNone;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    (void)StopWhenAsked(context);
    cause = context.stop_cause();
    return Echo(context);
  });
  inputs->Welcome();
  auto dispatch = DispatchOf(1);
  dispatch.mutable_timeout()->set_seconds(0);
  dispatch.mutable_timeout()->set_nanos(20'000'000);
  inputs->SendTasks({dispatch});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_FAILED);
  CHECK(inputs->said().nacks[0].error().reason() == "TIMEOUT");
  CHECK(cause == StopCause::kTimeout);
}

TEST_CASE("Results are kept until Outputs takes them") {
  std::atomic<int> puts = 0;
  Bench bench;
  bench.services.OnPut([&](const auto& request, auto& response) {
    if (++puts < 4) return grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "disk is full");
    return bench.services.TakeAll(request, response);
  });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(puts == 4);
}

TEST_CASE("A fenced result is handed back and costs no attempt") {
  Bench bench;
  bench.services.OnPut([&](const auto&, auto& response) {
    auto& status = *response.add_results()->mutable_status();
    status.set_code(9);
    status.set_reason("FENCED");
    return grpc::Status::OK;
  });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
}

}  // namespace
}  // namespace kantoku::executor
