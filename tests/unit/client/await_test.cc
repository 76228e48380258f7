#include <catch2/catch.hpp>
#include <optional>
#include <set>
#include <vector>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using outputs::v1::AwaitRequest;
using outputs::v1::AwaitResponse;
using testing::AwaitCall;
using testing::Inbox;
using testing::MakeTaskId;
using testing::ScriptedServer;

std::string Bytes(TaskId id) { return std::string(id.bytes()); }

std::set<std::string> IdsOf(const AwaitRequest& request) {
  return {request.task_ids().begin(), request.task_ids().end()};
}

TEST_CASE("An await resolves with the result of its task") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto output = kan.AwaitAsync(MakeTaskId(1));
  const auto call = server.NextAwait();
  CHECK(IdsOf(call->Take()) == std::set{Bytes(MakeTaskId(1))});
  AwaitResponse response;
  auto& result = *response.add_results();
  result.set_task_id(Bytes(MakeTaskId(1)));
  result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
  result.mutable_result()->set_data("42");
  result.mutable_result()->set_content_type("text/plain");
  result.mutable_result()->set_dispatch(3);
  result.mutable_result()->mutable_ended_at()->set_seconds(1'000);
  call->Send(response);
  const auto got = output.get();
  REQUIRE(got.ok());
  CHECK(got->id == MakeTaskId(1));
  CHECK(got->succeeded());
  CHECK(got->data == "42");
  CHECK(got->content_type == "text/plain");
  CHECK(got->dispatch == 3);
  CHECK(got->ended_at == absl::FromUnixSeconds(1'000));
}

TEST_CASE("A task that failed is an answer, not an error") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto output = kan.AwaitAsync(MakeTaskId(1));
  AwaitResponse response;
  auto& result = *response.add_results();
  result.set_task_id(Bytes(MakeTaskId(1)));
  result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_FAILED);
  result.mutable_result()->mutable_error()->set_reason("HANDLER_FAILED");
  result.mutable_result()->mutable_error()->set_message("division by zero");
  server.NextAwait()->Send(response);
  const auto got = output.get();
  REQUIRE(got.ok());
  CHECK(got->status == OutputStatus::kFailed);
  CHECK(got->error.reason == "HANDLER_FAILED");
  CHECK(got->error.message == "division by zero");
}

TEST_CASE("What nobody knows is NOT_FOUND, with the server's reason") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto output = kan.AwaitAsync(MakeTaskId(1));
  AwaitResponse response;
  auto& result = *response.add_results();
  result.set_task_id(Bytes(MakeTaskId(1)));
  result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
  result.mutable_status()->set_reason("RESULT_GONE");
  server.NextAwait()->Send(response);
  const auto got = output.get();
  CHECK(got.status().code() == absl::StatusCode::kNotFound);
  CHECK(ReasonOf(got.status()) == "RESULT_GONE");
}

TEST_CASE("All awaits of a client share one stream, and resolve in any order") {
  ScriptedServer server;
  Client kan = server.Connect();
  std::vector<std::future<absl::StatusOr<Output>>> outputs;
  std::set<std::string> expected;
  for (int i = 0; i < 1'000; ++i) {
    outputs.push_back(kan.AwaitAsync(MakeTaskId(i)));
    expected.insert(Bytes(MakeTaskId(i)));
  }
  const auto call = server.NextAwait();
  std::set<std::string> asked;
  while (asked.size() < expected.size()) asked.merge(IdsOf(call->Take()));
  CHECK(asked == expected);
  for (int i = 999; i >= 0; --i) call->Succeed(MakeTaskId(i), std::to_string(i));
  for (int i = 0; i < 1'000; ++i) CHECK(outputs[i].get()->data == std::to_string(i));
  CHECK(server.awaits.empty());
}

TEST_CASE("Two awaits of one task are one future on the wire, and both resolve") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto first = kan.AwaitAsync(MakeTaskId(1));
  const auto call = server.NextAwait();
  CHECK(call->Take().task_ids_size() == 1);
  auto second = kan.AwaitAsync(MakeTaskId(1));
  auto other = kan.AwaitAsync(MakeTaskId(2));
  CHECK(IdsOf(call->Take()) == std::set{Bytes(MakeTaskId(2))});
  call->Succeed(MakeTaskId(1), "once");
  CHECK(first.get()->data == "once");
  CHECK(second.get()->data == "once");
  call->Succeed(MakeTaskId(2), "");
  CHECK(other.get().ok());
}

TEST_CASE("A task may be awaited again after it was resolved") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto first = kan.AwaitAsync(MakeTaskId(1));
  const auto call = server.NextAwait();
  call->Take();
  call->Succeed(MakeTaskId(1), "one");
  CHECK(first.get().ok());
  auto again = kan.AwaitAsync(MakeTaskId(1));
  CHECK(call->Take().task_ids_size() == 1);
  call->Succeed(MakeTaskId(1), "one");
  CHECK(again.get()->data == "one");
}

TEST_CASE("After a break the stream opens again with every future that is still open") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto a = kan.AwaitAsync(MakeTaskId(1));
  auto b = kan.AwaitAsync(MakeTaskId(2));
  auto c = kan.AwaitAsync(MakeTaskId(3));
  auto call = server.NextAwait();
  std::set<std::string> asked;
  while (asked.size() < 3) asked.merge(IdsOf(call->Take()));
  call->Succeed(MakeTaskId(2), "before");
  CHECK(b.get()->data == "before");
  SECTION("of the connection") { call->Break(); }
  SECTION("when the server restarts") {
    server.Stop();
    server.Start();
  }
  call = server.NextAwait();
  CHECK(IdsOf(call->Take()) == std::set{Bytes(MakeTaskId(1)), Bytes(MakeTaskId(3))});
  call->Succeed(MakeTaskId(3), "after");
  call->Succeed(MakeTaskId(1), "after");
  CHECK(a.get()->data == "after");
  CHECK(c.get()->data == "after");
}

TEST_CASE("An await whose time is over ends, the server forgets it, and others go on") {
  ScriptedServer server;
  platform::FakeClock clock;
  Client kan = server.Connect(absl::Minutes(5), {}, clock);
  auto patient = kan.AwaitAsync(MakeTaskId(1));
  auto hasty = kan.AwaitAsync(MakeTaskId(2), {.timeout = absl::Seconds(3)});
  const auto call = server.NextAwait();
  std::set<std::string> asked;
  while (asked.size() < 2) asked.merge(IdsOf(call->Take()));
  clock.Advance(absl::Seconds(3));
  const auto late = hasty.get();
  CHECK(late.status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(std::string(late.status().message()).find(MakeTaskId(2).ToString()) != std::string::npos);
  const AwaitRequest forget = call->Take();
  REQUIRE(forget.forget_size() == 1);
  CHECK(forget.forget(0) == Bytes(MakeTaskId(2)));
  call->Succeed(MakeTaskId(2), "too late");
  call->Succeed(MakeTaskId(1), "in time");
  CHECK(patient.get()->data == "in time");
}

TEST_CASE("A server that can never answer ends the awaits with its reason") {
  ScriptedServer server;
  server.on_await = [] { return grpc::Status(grpc::StatusCode::PERMISSION_DENIED, "not yours"); };
  Client kan = server.Connect();
  CHECK(kan.Await(MakeTaskId(1)).status() == absl::PermissionDeniedError("not yours"));
}

TEST_CASE("A server that stays away ends the awaits after the client's bound, and only these") {
  ScriptedServer server;
  server.Stop();
  Client kan = server.Connect(absl::Milliseconds(200));
  CHECK(kan.Await(MakeTaskId(1)).status().code() == absl::StatusCode::kUnavailable);
  server.Start();
  REQUIRE(kan.WaitUntilReachable(testing::kPatience).ok());
  auto later = kan.AwaitAsync(MakeTaskId(1));
  const auto call = server.NextAwait();
  REQUIRE(call != nullptr);
  call->Succeed(MakeTaskId(1), "back");
  CHECK(later.get()->data == "back");
}

TEST_CASE("Awaits of a client that goes away are answered, with CANCELLED") {
  ScriptedServer server;
  std::future<absl::StatusOr<Output>> output;
  {
    Client kan = server.Connect();
    output = kan.AwaitAsync(MakeTaskId(1));
    CHECK(server.NextAwait() != nullptr);
  }
  CHECK(output.get().status().code() == absl::StatusCode::kCancelled);
}

TEST_CASE("A callback may await the next task") {
  ScriptedServer server;
  Client kan = server.Connect();
  Inbox<std::string> last;
  kan.AwaitAsync(MakeTaskId(1), {}, [&](auto) {
    kan.AwaitAsync(MakeTaskId(2), {}, [&](auto output) { last.Put(output->data); });
  });
  const auto call = server.NextAwait();
  call->Take();
  call->Succeed(MakeTaskId(1), "");
  CHECK(IdsOf(call->Take()) == std::set{Bytes(MakeTaskId(2))});
  call->Succeed(MakeTaskId(2), "second");
  CHECK(last.Take() == "second");
}

// Awaits the first `count` tasks; their results come into the inbox.
void AwaitMany(Connection& connection, uint64_t count,
               Inbox<std::optional<absl::StatusOr<Output>>>& outputs) {
  for (uint64_t i = 0; i < count; ++i) {
    connection.Await({.id = MakeTaskId(i)}, [&](auto output) { outputs.Put(std::move(output)); });
  }
}

// The next ids that are asked for, until there are `count` of them.
std::vector<TaskId> TakeIds(AwaitCall& call, size_t count) {
  std::vector<TaskId> ids;
  while (ids.size() < count) {
    const AwaitRequest request = call.Take();
    REQUIRE(request.task_ids_size() > 0);
    for (const auto& id : request.task_ids()) ids.push_back(TaskId::FromBytes(id).value());
  }
  return ids;
}

TEST_CASE("Beyond its window a client asks for the next task when one has ended") {
  ScriptedServer server;
  Inbox<std::optional<absl::StatusOr<Output>>> outputs;
  const auto connection =
      server.ConnectPlain(absl::Minutes(5), platform::Clock::Real(), /*max_open_awaits=*/3);
  AwaitMany(*connection, 5, outputs);
  const auto call = server.NextAwait();
  const auto ids = TakeIds(*call, 3);
  CHECK(ids.size() == 3);
  CHECK(call->requests.empty());
  for (uint64_t next : {3, 4}) {
    call->Succeed(MakeTaskId(next - 3), "");
    REQUIRE(outputs.Take().has_value());
    CHECK(TakeIds(*call, 1) == std::vector<TaskId>{MakeTaskId(next)});
  }
}

TEST_CASE("A task that nobody awaits any more makes room in the window") {
  ScriptedServer server;
  platform::FakeClock clock;
  Inbox<std::optional<absl::StatusOr<Output>>> outputs;
  const auto connection = server.ConnectPlain(absl::Minutes(5), clock, /*max_open_awaits=*/1);
  connection->Await({.id = MakeTaskId(7), .timeout = absl::Seconds(1)}, [](auto) {});
  AwaitMany(*connection, 1, outputs);
  const auto call = server.NextAwait();
  CHECK(TakeIds(*call, 1) == std::vector<TaskId>{MakeTaskId(7)});
  clock.Advance(absl::Seconds(1));
  const AwaitRequest request = call->Take();
  CHECK(request.forget_size() == 1);
  CHECK(IdsOf(request) == std::set{Bytes(MakeTaskId(0))});
}

TEST_CASE("A client asks for fewer tasks at a time when the server says that these are too many") {
  ScriptedServer server;
  server.most_awaits = 3;
  Inbox<std::optional<absl::StatusOr<Output>>> outputs;
  const auto connection = server.ConnectPlain();
  AwaitMany(*connection, 5, outputs);
  CHECK(server.NextAwait() != nullptr);
  const auto call = server.NextAwait();
  REQUIRE(call != nullptr);
  server.most_awaits = 1'000;
  const auto ids = TakeIds(*call, 2);
  CHECK(ids.size() == 2);
  CHECK(call->requests.empty());
  // One has ended, and there is room for one more than before.
  call->Succeed(ids[0], "");
  CHECK(TakeIds(*call, 2).size() == 2);
}

TEST_CASE("Many tasks are awaited at once, in the order of their ids") {
  ScriptedServer server;
  Client kan = server.Connect();
  auto outputs = std::async(std::launch::async, [&] {
    return kan.AwaitAll({MakeTaskId(1), MakeTaskId(2)}, {});
  });
  const auto call = server.NextAwait();
  std::set<std::string> asked;
  while (asked.size() < 2) asked.merge(IdsOf(call->Take()));
  call->Succeed(MakeTaskId(2), "2");
  call->Succeed(MakeTaskId(1), "1");
  const auto got = outputs.get();
  CHECK(got[0]->data == "1");
  CHECK(got[1]->data == "2");
}

}  // namespace
}  // namespace kantoku
