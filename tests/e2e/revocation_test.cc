// How long a block takes to be felt.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "tests/e2e/elsewhere.h"
#include "tests/e2e/rogue.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kRounds = 7;

void Block(const Up& up, const std::string& user) {
  const auto stub = inputs::v1::InputsService::NewStub(up.Channel());
  grpc::ClientContext context;
  inputs::v1::SetBlocksRequest request;
  request.add_set()->set_user(user);
  inputs::v1::SetBlocksResponse response;
  REQUIRE(stub->SetBlocks(&context, request, &response).ok());
}

TEST_CASE("A second after a block sessions and futures have ended, and tasks have gone elsewhere") {
  const Up up({.settings = {"inputs.grace=10m"}});
  Client kan = up.Connect();
  std::vector<double> worst;
  for (int round = 0; round < kRounds; ++round) {
    const std::string user = absl::StrCat("bob-", round);
    const auto created = Created(up, {"--user", user, "--scope", "inputs:pull", "--scope",
                                      "outputs:write", "--scope", "outputs:read"});
    const Elsewhere laptop;
    const Said joined = laptop.Run({"join", created["join"], "--json"});
    const std::string access = nlohmann::json::parse(joined.text)["access"];
    Rogue rogue(up.Channel(access));
    rogue.Say(Rogue::Hello(Rogue::Session('r'), 1));
    const TaskId task = up.Spawn(1).front();
    rogue.Task(1);
    ClientOptions options;
    options.access_file = access;
    auto client = Client::Connect(up.address(), options);
    REQUIRE(client.ok());
    auto future = client->AwaitAsync(task);
    Rogue honest(up.Channel());
    honest.Say(Rogue::Hello(Rogue::Session('h'), 1));
    honest.Hear([](const auto& heard) { return heard.has_welcome(); });

    const auto begin = Clock::now();
    const auto since = [&] { return Milliseconds(Clock::now() - begin).count(); };
    auto session = std::async(std::launch::async, [&] {
      (void)rogue.AwaitEnd();
      return since();
    });
    auto awaited = std::async(std::launch::async, [&] {
      future.wait();
      return since();
    });
    Block(up, user);
    honest.Task(1);
    const double elsewhere = since();
    const double ended = session.get();
    const double refused = awaited.get();
    CHECK_FALSE(future.get().ok());
    std::cout << absl::StrCat("round ", round, ": session ended after ", ended,
                              " ms, future after ", refused,
                              " ms, the task was given to another after ", elsewhere, " ms\n");
    worst.push_back(std::max({ended, refused, elsewhere}));
    REQUIRE(kan.Cancel(task).ok());
  }
  std::ranges::sort(worst);
  CHECK(worst.back() < 1'000);
}

}  // namespace
}  // namespace kantoku::test
