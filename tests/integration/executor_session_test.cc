// Connections of an executor: how they are kept alive, end, and go on as the same session.
#include <algorithm>
#include <atomic>
#include <string>
#include <vector>

#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

TEST_CASE("An executor announces labels and version in every hello") {
  Bench bench({.labels = {{"gpu", "true"}}, .version = "2.1"});
  auto inputs = bench.Run(Echo);
  for (int i = 0; i < 2; ++i) {
    const auto hello = inputs->said().hello;
    REQUIRE(hello.labels().size() == 1);
    CHECK(hello.labels().at("gpu") == "true");
    CHECK(hello.version() == "2.1");
    inputs->Welcome();
    inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));
    inputs = bench.Next();
  }
}

TEST_CASE("A session survives its connections and presents what it holds") {
  Gate go_on;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) {
    if (context.payload() == "payload 1") go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2)});
  REQUIRE(inputs->Await(Acks(1)));
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting"));

  auto again = bench.Next();
  const auto hello = again->said().hello;
  CHECK(hello.session_id() == inputs->said().hello.session_id());
  REQUIRE(hello.held_size() == 2);
  for (const auto& held : hello.held()) {
    CHECK(held.started());
    CHECK(held.receipt() == (held.task_id() == IdOf(2) ? "receipt of lease 2" : ""));
  }
  again->Welcome();
  AwaitReading(*again);
  go_on.Open();
  // Only the one whose ack was not confirmed by welcome; with the token that welcome gave.
  REQUIRE(again->Await(Acks(1)));
  CHECK(again->said().acks[0].task_id() == IdOf(1));
  CHECK(again->said().acks[0].receipt() == "receipt of lease after reconnect of 1");
}

TEST_CASE("A confirmed ack is not presented again") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  inputs->Confirm(inputs->said().acks);
  AwaitReading(*inputs);
  inputs->Close(grpc::Status::OK);
  CHECK(bench.Next()->said().hello.held_size() == 0);
}

TEST_CASE("What Inputs refuses in welcome is stopped") {
  Gate stopped;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    const absl::Status status = StopWhenAsked(context);
    stopped.Open();
    return status;
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""));
  auto again = bench.Next();
  inputs::v1::PullResponse welcome;
  welcome.mutable_welcome()->mutable_grace()->set_seconds(20);
  welcome.mutable_welcome()->mutable_ping_interval()->set_seconds(2);
  welcome.mutable_welcome()->add_held()->mutable_status()->set_code(9);
  again->Send(welcome);
  CHECK(stopped.Await());
}

TEST_CASE("A killed server is found again on its port, and nothing is run twice") {
  std::atomic<int> runs = 0;
  Gate go_on;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) {
    ++runs;
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.services.Stop();
  go_on.Open();
  bench.services.Start();
  auto again = bench.Next();
  CHECK(again->said().hello.held_size() == 1);
  again->Welcome();
  // Depending on whether the result or the connection came first.
  CHECK(again->Await([](const Said& said) {
    return !said.acks.empty() || !said.hello.held(0).receipt().empty();
  }));
  CHECK(runs == 1);
}

TEST_CASE("An executor that starts before its server waits for it") {
  Bench bench;
  bench.services.Stop();
  REQUIRE(bench.executor->Handle("test.type", Echo).ok());
  bench.Start();
  bench.services.Start();
  bench.Next()->Welcome();
}

TEST_CASE("A hand-back is repeated on the next connection unless it was confirmed") {
  Bench bench;
  auto inputs =
      bench.Run([](Context&) -> absl::StatusOr<Result> { return absl::InternalError("no"); });
  const bool confirmed = GENERATE(true, false);
  inputs->ConfirmNacks(confirmed);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  AwaitReading(*inputs);
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""));
  auto again = bench.Next();
  const auto hello = again->said().hello;
  std::vector<std::string> held;
  for (const auto& each : hello.held()) held.push_back(each.task_id());
  CHECK(std::count(held.begin(), held.end(), IdOf(1)) == (confirmed ? 0 : 1));
  CHECK(hello.connection() > inputs->said().hello.connection());
  if (confirmed) return;
  again->Welcome();
  CHECK(again->Await(Nacks(1)));
}

TEST_CASE("Pings are answered at once and sent at the interval of welcome") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->Welcome(absl::Milliseconds(200));
  inputs::v1::PullResponse ping;
  ping.mutable_ping()->set_number(42);
  inputs->Send(ping);
  CHECK(inputs->Await([](const Said& said) {
    return said.pongs == std::vector<uint64_t>{42} && said.pings.size() >= 3;
  }));
}

TEST_CASE("A connection whose pings are not answered is given up for a new one") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->AnswerPings(false);
  inputs->Welcome(absl::Milliseconds(100));
  auto again = bench.Next();
  CHECK_FALSE(inputs->said().pings.empty());  // How many is a matter of time (Liveness).
  again->Welcome();
  again->SendTasks({DispatchOf(1)});
  CHECK(again->Await(Acks(1)));
}

TEST_CASE("Handlers are stopped before the grace of a lost session is over") {
  std::atomic<StopCause> cause = StopCause::kNone;
  Gate stopped;
  Bench bench;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    const absl::Status status = StopWhenAsked(context);
    cause = context.stop_cause();
    stopped.Open();
    return status;
  });
  inputs->AnswerPings(false);
  inputs->Welcome(absl::Seconds(2), absl::Seconds(1));
  inputs->SendTasks({DispatchOf(1)});
  CHECK(stopped.Await());
  CHECK(cause == StopCause::kLost);
}

TEST_CASE("An answer that no repetition would change ends Run") {
  const auto code = GENERATE(grpc::StatusCode::INVALID_ARGUMENT, grpc::StatusCode::NOT_FOUND,
                             grpc::StatusCode::PERMISSION_DENIED);
  Bench bench;
  bench.Run(Echo)->Close(grpc::Status(code, "no such namespace"));
  const absl::Status verdict = bench.Verdict();
  CHECK(static_cast<int>(verdict.code()) == code);
  CHECK(verdict.message().find("no such namespace") != std::string::npos);
}

TEST_CASE("A server that is no Inputs ends Run") {
  Bench bench;
  bench.Run(Echo)->Close(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, ""));
  CHECK(bench.Verdict().code() == absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace kantoku::executor
