// How an executor begins and ends: options, drain, stop, and its journal.
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

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

void Ask(FakeConnection& inputs, inputs::v1::ExecutorVerb verb,
         absl::Duration delay = absl::ZeroDuration()) {
  inputs::v1::PullResponse frame;
  frame.mutable_executor_control()->set_verb(verb);
  frame.mutable_executor_control()->mutable_delay()->set_seconds(absl::ToInt64Seconds(delay));
  inputs.Send(frame);
}

TEST_CASE("An operator's drain finishes what runs, hands back what waits, and ends") {
  Gate go_on;
  Bench bench({.concurrency = 1, .max_held = 3});
  auto inputs = bench.Run([&](Context& context) {
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2), DispatchOf(3)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  Ask(*inputs, inputs::v1::EXECUTOR_VERB_DRAIN);
  REQUIRE(inputs->Await(Nacks(2)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  go_on.Open();
  REQUIRE(inputs->Await(Acks(1)));
  inputs->Confirm(inputs->said().acks);
  CHECK(bench.Verdict().ok());
  CHECK(bench.services.connections() == 1);
}

TEST_CASE("A kick stops the handlers at once, hands everything back, and ends for good") {
  std::atomic<StopCause> cause = StopCause::kNone;
  Bench bench({.concurrency = 1, .max_held = 3});
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    const absl::Status status = StopWhenAsked(context);
    cause = context.stop_cause();
    return status;
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1), DispatchOf(2)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  Ask(*inputs, inputs::v1::EXECUTOR_VERB_KICK);
  REQUIRE(inputs->Await(Nacks(2)));
  for (const auto& nack : inputs->said().nacks) {
    CHECK(nack.kind() == inputs::v1::NACK_KIND_RETURNED);
  }
  CHECK(bench.Verdict().ok());
  CHECK(cause == StopCause::kDraining);
  CHECK(bench.services.connections() == 1);
}

TEST_CASE("A bounced executor comes back as the same session, and its handlers go on") {
  Gate go_on;
  Bench bench({.concurrency = 1});
  auto inputs = bench.Run([&](Context& context) {
    go_on.Await();
    return Echo(context);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await([](const Said& said) { return !said.started.empty(); }));
  const absl::Duration before = platform::Clock::Real().Read().steady;
  Ask(*inputs, inputs::v1::EXECUTOR_VERB_BOUNCE, absl::Seconds(1));
  auto again = bench.Next();
  CHECK(platform::Clock::Real().Read().steady - before >= absl::Seconds(1));
  CHECK(again->said().hello.session_id() == inputs->said().hello.session_id());
  CHECK(again->said().hello.held_size() == 1);
  again->Welcome();
  go_on.Open();
  CHECK(again->Await(Acks(1)));
}

TEST_CASE("An operator's verb that the executor does not know changes nothing") {
  Bench bench;
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  Ask(*inputs, static_cast<inputs::v1::ExecutorVerb>(99));
  inputs->SendTasks({DispatchOf(1)});
  CHECK(inputs->Await(Acks(1)));
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
