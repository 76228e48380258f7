// What an executor says to Inputs and Outputs, and what it does about what they say.
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "services/executor-runtime/executor.h"
#include "services/platform/status.h"
#include "tests/support/dispatches.h"
#include "tests/support/fake_services.h"

namespace kantoku::executor {
namespace {

using testing::DispatchOf;
using testing::FakeConnection;
using testing::FakeServices;
using testing::IdOf;
using testing::kPatience;
using Said = FakeConnection::Said;

// Opens once, for all.
class Gate {
 public:
  void Open() { opened_.Notify(); }
  bool Await() { return opened_.WaitForNotificationWithTimeout(kPatience); }

 private:
  absl::Notification opened_;
};

absl::StatusOr<Result> Echo(Context& context) {
  return Result{"echo of " + context.payload(), "text/plain"};
}

// Returns an error once it is asked to stop.
absl::Status StopWhenAsked(Context& context) {
  Gate asked;
  std::stop_callback on_stop(context.stop_token(), [&] { asked.Open(); });
  return asked.Await() ? absl::CancelledError("asked to stop") : absl::InternalError("not asked");
}

// An executor that runs on a thread of its own.
class Bench {
 public:
  explicit Bench(ExecutorOptions options = {}) {
    options.inputs_address = services.address();
    if (options.concurrency == 0) options.concurrency = 2;
    options.log = [](LogLevel, std::string_view) {};
    executor = Executor::Make(std::move(options)).value();
  }
  ~Bench() {
    executor->Stop();
    if (runner_.joinable()) runner_.join();
    executor = nullptr;
  }

  std::shared_ptr<FakeConnection> Run(Handler handler) {
    const absl::Status registered = executor->Handle("test.type", std::move(handler));
    REQUIRE(registered.ok());
    Start();
    return Next();
  }
  void Start() {
    runner_ = std::thread([this] {
      verdict_ = executor->Run();
      over_.Open();
    });
  }
  // The next connection, with its hello.
  std::shared_ptr<FakeConnection> Next() {
    auto connection = services.NextConnection();
    REQUIRE(connection != nullptr);
    return connection;
  }
  absl::Status Verdict() {
    REQUIRE(over_.Await());
    return verdict_;
  }

  FakeServices services;
  std::unique_ptr<Executor> executor;

 private:
  std::thread runner_;
  absl::Status verdict_;
  Gate over_;
};

// Returns once the executor has read everything that was sent before.
void AwaitReading(FakeConnection& inputs) {
  static std::atomic<uint64_t> number = 1'000'000;
  inputs::v1::PullResponse frame;
  frame.mutable_ping()->set_number(++number);
  inputs.Send(frame);
  REQUIRE(inputs.Await([&](const Said& said) {
    return !said.pongs.empty() && said.pongs.back() == frame.ping().number();
  }));
}

auto Acks(size_t count) {
  return [count](const Said& said) { return said.acks.size() >= count; };
}
auto Nacks(size_t count) {
  return [count](const Said& said) { return said.nacks.size() >= count; };
}

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

TEST_CASE("A hand-back is repeated on the next connection unless a later ping was answered") {
  Bench bench;
  auto inputs =
      bench.Run([](Context&) -> absl::StatusOr<Result> { return absl::InternalError("no"); });
  const bool answered = GENERATE(true, false);
  inputs->AnswerPings(answered);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(
      [](const Said& said) { return said.nacks.size() == 1 && said.pings.size() == 1; }));
  if (answered) {
    // A second task's answer proves that the pong before it was read.
    inputs->SendTasks({DispatchOf(2)});
    REQUIRE(inputs->Await(
        [](const Said& said) { return said.nacks.size() == 2 && said.pings.size() == 2; }));
  }
  inputs->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, ""));
  auto again = bench.Next();
  const auto hello = again->said().hello;
  std::vector<std::string> held;
  for (const auto& each : hello.held()) held.push_back(each.task_id());
  CHECK(std::count(held.begin(), held.end(), IdOf(1)) == (answered ? 0 : 1));
  if (answered) return;
  again->Welcome();
  CHECK(again->Await(Nacks(1)));
}

TEST_CASE("Pings are answered at once and sent at the interval of welcome") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->Welcome(absl::Milliseconds(20));
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
  inputs->Welcome(absl::Milliseconds(20));
  auto again = bench.Next();
  CHECK(inputs->said().pings.size() >= 3);
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
  inputs->Welcome(absl::Seconds(2), absl::Milliseconds(100));
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

TEST_CASE("A drain finishes what runs, hands back what waits and returns when all is confirmed") {
  Gate go_on;
  Bench bench({.concurrency = 1, .max_held = 3});
  auto inputs = bench.Run([&](Context& context) {
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2), DispatchOf(3)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.executor->Drain();
  REQUIRE(inputs->Await([](const Said& said) {
    return said.nacks.size() == 2 && said.credits == std::vector<uint32_t>{0};
  }));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  go_on.Open();
  REQUIRE(inputs->Await(Acks(1)));
  inputs->Confirm(inputs->said().acks);
  CHECK(bench.Verdict().ok());
  CHECK(inputs->Await([](const Said& said) { return said.hung_up; }));
}

TEST_CASE("An idle executor drains at once") {
  Bench bench;
  bench.Run(Echo)->Welcome();
  bench.executor->Drain();
  CHECK(bench.Verdict().ok());
}

TEST_CASE("A drain stops handlers after its limit") {
  std::atomic<StopCause> cause = StopCause::kNone;
  Bench bench({.drain_limit = absl::Milliseconds(10)});
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    const absl::Status status = StopWhenAsked(context);
    cause = context.stop_cause();
    return status;
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.executor->Drain();
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(bench.Verdict().ok());
  CHECK(cause == StopCause::kDraining);
}

TEST_CASE("A drain hands back a handler that does not stop") {
  Gate go_on;
  Bench bench({.drain_limit = absl::Milliseconds(10), .stop_patience = absl::Milliseconds(10)});
  auto inputs = bench.Run([&](Context& context) {
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.executor->Drain();
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  (void)bench.Verdict();
  go_on.Open();
}

TEST_CASE("A drain gives results its whole limit to reach Outputs") {
  std::atomic<int> puts = 0;
  Bench bench({.stop_patience = absl::Milliseconds(1)});
  // The pauses between so many take a hundred times the patience.
  bench.services.OnPut([&](const auto& request, auto& response) {
    if (puts++ >= 6) return bench.services.TakeAll(request, response);
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
  });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.executor->Drain();
  REQUIRE(inputs->Await(Acks(1)));
  // Whether that is confirmed in a millisecond is not the point.
}

TEST_CASE("A drain hands back the results that Outputs has not taken at its end") {
  Bench bench({.drain_limit = absl::Milliseconds(10), .stop_patience = absl::Seconds(1)});
  bench.services.OnPut(
      [](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away"); });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  bench.executor->Drain();
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(bench.Verdict().ok());
}

TEST_CASE("A drain that nobody confirms ends all the same, and says so") {
  Bench bench({.stop_patience = absl::Milliseconds(20)});
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  bench.executor->Drain();
  CHECK(bench.Verdict().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("Stop ends Run at once") {
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
  bench.executor->Stop();
  CHECK(bench.Verdict().ok());
  CHECK(stopped.Await());
}

TEST_CASE("The journal says which handlers ran") {
  const std::string path =
      absl::StrCat(std::filesystem::temp_directory_path().string(), "/kantoku-journal-", getpid());
  Bench bench({.journal_path = path});
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1, 4)});
  REQUIRE(inputs->Await(Acks(1)));
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  const std::string id = platform::TaskId::FromBytes(IdOf(1))->ToString();
  CHECK(text.str() == "start " + id + " 4\nend " + id + " 4\n");
  std::remove(path.c_str());
}

TEST_CASE("Options out of range are refused by name") {
  const auto refused = [](const ExecutorOptions& options) {
    return Executor::Make(options).status();
  };
  CHECK(refused({.concurrency = -1}).message().find("concurrency") != std::string::npos);
  CHECK(refused({.max_held = 100'001}).message().find("max_held") != std::string::npos);
  CHECK(refused({.put_timeout = absl::ZeroDuration()}).message().find("put_timeout") !=
        std::string::npos);
  CHECK(refused({.inputs_address = ""}).code() == absl::StatusCode::kInvalidArgument);
  CHECK_FALSE(refused({.journal_path = "/nowhere/journal"}).ok());
}

TEST_CASE("Handlers are registered once, under a proper type, before Run") {
  Bench bench;
  CHECK(bench.executor->Handle("", Echo).code() == absl::StatusCode::kInvalidArgument);
  CHECK(bench.executor->Handle("white space", Echo).code() == absl::StatusCode::kInvalidArgument);
  CHECK(bench.executor->Handle(std::string(256, 'x'), Echo).code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(bench.executor->Run().code() == absl::StatusCode::kFailedPrecondition);
  bench.Run(Echo);
  CHECK(bench.executor->Handle("other", Echo).code() == absl::StatusCode::kFailedPrecondition);
  CHECK(bench.executor->Run().code() == absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace kantoku::executor
