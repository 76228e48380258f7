// How long it takes to be felt that somebody is let in no more.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "kantoku/auth/v1/blocks.pb.h"
#include "kantoku/auth/v1/grants.grpc.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "tests/e2e/elsewhere.h"
#include "tests/e2e/rogue.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::duration<double, std::milli>;

constexpr int kRounds = 7;

// Somebody with an executor and a client, and all by which one may name him.
struct Bob {
  std::string user;
  std::string app = "laptop";  // As Created makes it.
  std::string executor;
  std::string grant{};
};

// A way to let him in no more.
struct Way {
  std::string name;
  // What a block matches; empty: his grant is revoked.
  auth::v1::Block (*block)(const Bob& bob) = nullptr;
  bool ends_futures = true;  // Who is blocked as an executor may still be a user.
};

const Way kWays[] = {
    {.name = "a block of the user",
     .block =
         [](const Bob& bob) {
           auth::v1::Block block;
           block.set_user(bob.user);
           return block;
         }},
    {.name = "a block of the app",
     .block =
         [](const Bob& bob) {
           auth::v1::Block block;
           block.set_app(bob.app);
           return block;
         }},
    {.name = "a block of the executor",
     .block =
         [](const Bob& bob) {
           auth::v1::Block block;
           block.set_executor(bob.executor);
           return block;
         },
     .ends_futures = false},
    {.name = "a revoked grant"},
};

void SetBlocks(const Up& up, const inputs::v1::SetBlocksRequest& request) {
  const auto stub = inputs::v1::InputsService::NewStub(up.Channel());
  grpc::ClientContext context;
  inputs::v1::SetBlocksResponse response;
  REQUIRE(stub->SetBlocks(&context, request, &response).ok());
}

void ShutOut(const Up& up, const Way& way, const Bob& bob) {
  if (way.block != nullptr) {
    inputs::v1::SetBlocksRequest request;
    *request.add_set() = way.block(bob);
    return SetBlocks(up, request);
  }
  const auto stub = auth::v1::GrantsService::NewStub(up.Channel());
  grpc::ClientContext context;
  auth::v1::RevokeGrantRequest request;
  request.set_id(bob.grant);
  auth::v1::RevokeGrantResponse response;
  REQUIRE(stub->RevokeGrant(&context, request, &response).ok());
}

// The next one has the same app.
void LetInAgain(const Up& up, const Way& way, const Bob& bob) {
  if (way.block == nullptr) return;
  inputs::v1::SetBlocksRequest request;
  *request.add_lift() = way.block(bob);
  SetBlocks(up, request);
}

// Milliseconds, from when it is asked for.
struct Felt {
  double session = 0;    // Until his executor's session has ended.
  double future = 0;     // Until what his client waits for is refused.
  double elsewhere = 0;  // Until the task that his executor held is given to another.
  double worst() const { return std::max({session, future, elsewhere}); }
};

Felt Measure(const Up& up, const Way& way, int round) {
  Bob bob{.user = absl::StrCat("bob-", round), .executor = absl::StrCat("rig-", round)};
  const auto created = Created(
      up, {"--user", bob.user, "--scope", "inputs:pull", "--scope", "outputs:write", "--scope",
           "outputs:read", "--scope", "inputs:spawn", "--scope", "inputs:control"});
  bob.grant = created["id"];
  const Elsewhere laptop;
  const Said joined = laptop.Run({"join", created["join"], "--json"});
  const std::string access = nlohmann::json::parse(joined.text)["access"];
  Rogue rogue(up.Channel(access));
  auto hello = Rogue::Hello(Rogue::Session('r'), 1);
  hello.mutable_hello()->set_name(bob.executor);
  rogue.Say(hello);
  rogue.Hear([](const auto& heard) { return heard.has_welcome(); });
  const TaskId task = up.Spawn(1).front();
  rogue.Task(1);
  ClientOptions options;
  options.access_file = access;
  auto client = Client::Connect(up.address(), options);
  REQUIRE(client.ok());
  // His own, as nobody waits for what is somebody else's.
  const auto own = client->Spawn(Task("nobody-runs-this"));
  REQUIRE(own.ok());
  auto future = client->AwaitAsync(own->id);
  Rogue honest(up.Channel());
  honest.Say(Rogue::Hello(Rogue::Session('h'), 1));
  honest.Hear([](const auto& heard) { return heard.has_welcome(); });

  const auto begin = Clock::now();
  const auto since = [&] { return Milliseconds(Clock::now() - begin).count(); };
  Felt felt;
  auto session = std::async(std::launch::async, [&] {
    (void)rogue.AwaitEnd();
    return since();
  });
  auto awaited = std::async(std::launch::async, [&] {
    if (way.ends_futures) future.wait();
    return way.ends_futures ? since() : 0;
  });
  ShutOut(up, way, bob);
  honest.Task(1);
  felt.elsewhere = since();
  felt.session = session.get();
  felt.future = awaited.get();
  if (way.ends_futures) CHECK(absl::IsUnauthenticated(future.get().status()));
  LetInAgain(up, way, bob);
  REQUIRE(up.Connect().Cancel(task).ok());
  return felt;
}

TEST_CASE(
    "A second after somebody is let in no more his session and futures have ended, and his tasks "
    "have gone elsewhere") {
  const Way& way = kWays[GENERATE(range(size_t{0}, std::size(kWays)))];
  CAPTURE(way.name);
  const Up up({.settings = {"inputs.grace=10m"}});
  double worst = 0;
  for (int round = 0; round < kRounds; ++round) {
    const Felt felt = Measure(up, way, round);
    std::cout << absl::StrCat(
        way.name, ", round ", round, ": session ended after ", felt.session, " ms, ",
        way.ends_futures ? absl::StrCat("future after ", felt.future, " ms, ") : std::string(),
        "the task was given to another after ", felt.elsewhere, " ms\n");
    worst = std::max(worst, felt.worst());
  }
  CHECK(worst < 1'000);
}

}  // namespace
}  // namespace kantoku::test
