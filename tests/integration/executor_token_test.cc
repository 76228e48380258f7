// What an executor does when its access token ends.
#include <atomic>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "services/platform/auth/tokens.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/integration/executor_bench.h"
#include "tests/support/temp_dir.h"

namespace kantoku::executor {
namespace {

// A file that has a token.
struct TokenFile {
  TokenFile() { Write("first"); }

  void Write(const std::string& token) const {
    std::ofstream(path + ".new") << token;
    std::filesystem::rename(path + ".new", path);
  }

  test::TempDir directory;
  const std::string path = directory.File("token");
};

void Ask(FakeConnection& inputs) {
  inputs::v1::PullResponse frame;
  frame.mutable_token_wanted()->mutable_within()->set_seconds(10);
  inputs.Send(frame);
}

auto Shown(const std::vector<std::string>& tokens) {
  return [tokens](const Said& said) { return said.access_tokens == tokens; };
}

TEST_CASE(
    "A connection shows each newer token once it is wanted, and a handler goes on undisturbed") {
  const TokenFile file;
  Bench bench({.token_file = file.path});
  Gate may_end;
  std::atomic<int> runs = 0;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    ++runs;
    if (!may_end.Await() || context.cancelled()) return absl::CancelledError("disturbed");
    return Echo(context);
  });
  inputs->Welcome(absl::Hours(1), absl::Hours(3));  // No ping takes the token along.
  inputs->SendTasks({DispatchOf(1)});
  Ask(*inputs);
  AwaitReading(*inputs);
  CHECK(inputs->said().access_tokens.empty());  // There is no newer one yet.
  std::vector<std::string> shown;
  for (const char* const token : {"second", "third", "fourth"}) {
    file.Write(token);
    Ask(*inputs);
    shown.emplace_back(token);
    CHECK(inputs->Await(Shown(shown)));
    Ask(*inputs);  // It is said once.
    AwaitReading(*inputs);
    CHECK(inputs->said().access_tokens == shown);
  }
  may_end.Open();
  CHECK(inputs->Await(Acks(1)));
  CHECK(runs == 1);
  CHECK(bench.services.connections() == 1);
}

TEST_CASE("A newer token is not said on the next connection, which shows it from the start") {
  const TokenFile file;
  Bench bench({.token_file = file.path});
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  file.Write("second");
  Ask(*inputs);
  REQUIRE(inputs->Await(Shown({"second"})));
  inputs->Close(platform::ToGrpc(
      platform::Error(absl::StatusCode::kAborted, "TOKEN_DIFFERS", "it says something else")));
  auto again = bench.Next();
  again->Welcome();
  Ask(*again);
  AwaitReading(*again);
  CHECK(again->said().access_tokens.empty());
}

TEST_CASE("A fixed token is never said, and a result that is refused for it is put again") {
  std::atomic<int> puts = 0;
  Bench bench({.token = "first"});
  bench.services.OnPut([&](const auto& request, auto& response) {
    if (++puts > 1) return bench.services.TakeAll(request, response);
    return platform::ToGrpc(platform::Error(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED",
                                            "the access token has ended"));
  });
  auto inputs = bench.Run(Echo);
  inputs->Welcome();
  Ask(*inputs);
  inputs->SendTasks({DispatchOf(1)});
  CHECK(inputs->Await(Acks(1)));
  CHECK(inputs->said().access_tokens.empty());
}

TEST_CASE("A handler has a task token of the newest lease, where its executor shows a token") {
  const bool shows = GENERATE(true, false);
  ExecutorOptions options;
  if (shows) options.token = "mine";
  Bench bench(options);
  Gate begun;
  Gate renewed;
  std::string first;
  std::string second;
  auto inputs = bench.Run([&](Context& context) -> absl::StatusOr<Result> {
    first = context.task_token();
    begun.Open();
    if (!renewed.Await()) return absl::UnavailableError("not renewed");
    second = context.task_token();
    return Echo(context);
  });
  inputs->Welcome();
  inputs::v1::Dispatch task = DispatchOf(1);
  task.set_lease_token(std::string(40, 'a'));
  inputs->SendTasks({task});
  inputs::v1::PullResponse frame;
  inputs::v1::LeaseRenewal& renewal = *frame.add_renewals();
  renewal.set_task_id(task.task_id());
  renewal.set_dispatch(task.dispatch());
  renewal.set_lease_token(std::string(40, 'b'));
  REQUIRE(begun.Await());
  inputs->Send(frame);
  AwaitReading(*inputs);
  renewed.Open();
  REQUIRE(inputs->Await(Acks(1)));
  CHECK(first == (shows ? platform::TaskTokenOf(std::string(40, 'a')) : ""));
  CHECK(second == (shows ? platform::TaskTokenOf(std::string(40, 'b')) : ""));
}

}  // namespace
}  // namespace kantoku::executor
