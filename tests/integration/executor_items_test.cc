// What handlers yield, on its way to Outputs.
#include <atomic>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/integration/executor_bench.h"

namespace kantoku::executor {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("What a handler yields is in Outputs before its result, which counts it") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    for (const char* const item : {"a", "b", "c"}) {
      if (auto yielded = context.Yield(item, "text/plain"); !yielded.ok()) return yielded;
    }
    return Echo(context);
  });
  std::atomic<bool> items_first = false;
  bench.services.OnPut([&](const auto& request, auto& response) {
    items_first = bench.services.items("lease 1") == Texts{"a", "b", "c"};
    return bench.services.TakeAll(request, response);
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(items_first);
  CHECK(bench.services.item_count("lease 1") == 3);
}

TEST_CASE("A handler that yields faster than Outputs takes waits, and loses and repeats nothing") {
  constexpr int kItems = 5000;
  Bench bench;
  std::atomic<int> calls = 0;
  bench.services.OnPutItems([&](const auto& request, auto& response) {
    const int call = ++calls;
    // Taken or not, every third answer is lost.
    if (call % 5 == 0) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    const grpc::Status status = bench.services.TakeItems(request, response);
    return call % 3 == 0 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut") : status;
  });
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    for (int i = 0; i < kItems; ++i) {
      if (auto yielded = context.Yield(absl::StrCat(i)); !yielded.ok()) return yielded;
    }
    return Result();
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  const Texts items = bench.services.items("lease 1");
  REQUIRE(items.size() == kItems);
  for (int i = 0; i < kItems; ++i) CHECK(items[i] == absl::StrCat(i));
  CHECK(calls >= 5);
}

TEST_CASE("A yield waits for room until its patience ends, or the handler is to stop") {
  Bench bench;
  bench.services.OnPutItems(
      [](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away"); });
  absl::Status impatient;
  absl::Status stopped;
  Gate full;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    while (impatient.ok()) impatient = context.Yield("x", "", absl::ZeroDuration());
    full.Open();
    stopped = context.Yield("y");
    return stopped;
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(full.Await());
  inputs->SendControl(IdOf(1), 1, inputs::v1::HANDLER_ACTION_CANCEL);
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_CANCELLED);
  CHECK(impatient.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(impatient) == "WINDOW_FULL");
  CHECK(stopped.code() == absl::StatusCode::kCancelled);
  CHECK(platform::ReasonOf(stopped) == "CANCELLED");
}

TEST_CASE("A handler whose dispatch was closed hears it when it yields") {
  Bench bench;
  bench.services.OnPutItems([](const auto& request, auto& response) {
    for (int i = 0; i < request.batches_size(); ++i) {
      auto& status = *response.add_results()->mutable_status();
      status.set_code(grpc::StatusCode::FAILED_PRECONDITION);
      status.set_reason("FENCED");
    }
    return grpc::Status::OK;
  });
  absl::Status yielded;
  Gate over;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    while (yielded.ok()) yielded = context.Yield("x");
    over.Open();
    return Result{"forgotten", ""};
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(inputs->said().nacks[0].error().reason() == "FENCED");
  REQUIRE(over.Await());
  CHECK(platform::ReasonOf(yielded) == "REVOKED");
  CHECK(bench.services.put_sizes().empty());
}

TEST_CASE("What a failing handler has yielded is in Outputs before Inputs hears of the failure") {
  Bench bench;
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    for (int i = 0; i < 500; ++i) {
      if (auto yielded = context.Yield("x"); !yielded.ok()) return yielded;
    }
    return absl::InternalError("broken");
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(bench.services.items("lease 1").size() == 500);
}

TEST_CASE("A handler has failed as it did, though its deadline passes while its items leave") {
  Bench bench;
  bench.services.OnPutItems(
      [](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away"); });
  auto inputs = bench.Run([](Context& context) -> absl::StatusOr<Result> {
    if (auto yielded = context.Yield("x"); !yielded.ok()) return yielded;
    return FailFinally("BAD_INPUT", "no");
  });
  inputs->Welcome();
  auto task = DispatchOf(1);
  task.mutable_timeout()->set_seconds(1);
  inputs->SendTasks({task});
  REQUIRE(inputs->Await(Nacks(1)));
  CHECK(inputs->said().nacks[0].kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(inputs->said().nacks[0].error().reason() == "BAD_INPUT");
}

TEST_CASE("What can be no item is refused, and the handler goes on") {
  Bench bench;
  std::vector<std::string> reasons;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    reasons.push_back(platform::ReasonOf(context.Yield(std::string((4 << 20) + 1, 'x'))));
    reasons.push_back(platform::ReasonOf(context.Yield("x", "\xff")));
    reasons.push_back(platform::ReasonOf(context.Yield("x", std::string(256, 'x'))));
    if (auto largest = context.Yield(std::string(4 << 20, 'x')); !largest.ok()) return largest;
    return Result();
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(reasons == Texts{"ITEM_TOO_LARGE", "BAD_CONTENT_TYPE", "BAD_CONTENT_TYPE"});
  CHECK(bench.services.item_count("lease 1") == 1);
}

TEST_CASE("An inline handler yields what its window takes, and does not wait") {
  Bench bench;
  absl::Status full;
  int taken = 0;
  REQUIRE(bench.executor
              ->HandleInline("test.type",
                             [&](Context& context) -> absl::StatusOr<Result> {
                               while (full.ok()) {
                                 full = context.Yield("x");
                                 taken += full.ok() ? 1 : 0;
                               }
                               return Result();
                             })
              .ok());
  bench.Start();
  auto inputs = bench.Next();
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(platform::ReasonOf(full) == "WINDOW_FULL");
  CHECK(taken == 1000);
  CHECK(bench.services.item_count("lease 1") == 1000);
}

TEST_CASE("An executor that stops does not wait for handlers whose window is full") {
  Gate full;
  Bench bench;
  bench.services.OnPutItems(
      [](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "away"); });
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    while (context.Yield("x", "", absl::ZeroDuration()).ok()) {
    }
    full.Open();
    return context.Yield("y");
  });
  inputs->Welcome();
  inputs->SendTasks({DispatchOf(1)});
  REQUIRE(full.Await());
  bench.executor->Stop();
  CHECK(bench.Verdict().ok());
}

}  // namespace
}  // namespace kantoku::executor
