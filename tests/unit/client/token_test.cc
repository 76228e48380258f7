// What a client does when its access token ends.
#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using outputs::v1::AwaitRequest;
using outputs::v1::AwaitResponse;
using testing::AcceptAll;
using testing::MakeTaskId;
using testing::ScriptedServer;

// A client whose token is in a file.
struct Scene {
  Scene() { Write("first"); }

  void Write(const std::string& token) const {
    std::ofstream(path + ".new") << token;
    std::filesystem::rename(path + ".new", path);
  }
  Client Connect() const {
    ClientOptions options;
    options.token_file = path;
    return Client::Connect(server.address(), options).value();
  }

  ScriptedServer server;
  test::TempDir directory;
  const std::string path = directory.File("token");
};

grpc::Status Ended() {
  return platform::ToGrpc(platform::Error(absl::StatusCode::kUnauthenticated, "TOKEN_EXPIRED",
                                          "the access token has ended"));
}

// Wants a newer token, and answers this task.
void AskAndAnswer(testing::AwaitCall& call, TaskId id) {
  AwaitResponse response;
  response.mutable_token_wanted()->mutable_within()->set_seconds(10);
  auto& result = *response.add_results();
  result.set_task_id(std::string(id.bytes()));
  result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
  call.Send(response);
}

TEST_CASE("An Await stream shows each newer token once it is wanted, and goes on") {
  Scene scene;
  Client kan = scene.Connect();
  auto future = kan.AwaitAsync(MakeTaskId(1));
  auto other = kan.AwaitAsync(MakeTaskId(2));
  const auto call = scene.server.NextAwait();
  REQUIRE(call != nullptr);
  for (int ids = 0; ids < 2;) ids += call->Take().task_ids_size();
  AskAndAnswer(*call, MakeTaskId(2));
  REQUIRE(other.get().ok());  // The wish was heard, and there is no newer token yet.
  for (const char* const token : {"second", "third", "fourth"}) {
    scene.Write(token);
    AwaitResponse ask;
    ask.mutable_token_wanted();
    call->Send(ask);
    const AwaitRequest shown = call->Take();
    CHECK(shown.access_token() == token);
    CHECK(shown.task_ids_size() == 0);
  }
  call->Succeed(MakeTaskId(1), "42");
  CHECK(future.get()->data == "42");
  CHECK(scene.server.awaits.empty());
}

TEST_CASE("An Await stream that ends with its token is opened again with a newer one") {
  Scene scene;
  std::atomic<int> streams = 0;
  scene.server.on_await = [&] {
    if (++streams > 1) return grpc::Status::OK;
    scene.Write("second");
    return Ended();
  };
  Client kan = scene.Connect();
  auto future = kan.AwaitAsync(MakeTaskId(1));
  const auto again = scene.server.NextAwait();
  REQUIRE(again != nullptr);
  again->Succeed(MakeTaskId(1), "42");
  CHECK(future.get()->data == "42");
}

TEST_CASE("A call whose token ended on its way is made again with the newer one") {
  Scene scene;
  std::atomic<int> calls = 0;
  scene.server.on_spawn = [&](const auto& request, auto& response) {
    if (++calls > 1) return AcceptAll(request, response);
    scene.Write("second");
    return Ended();
  };
  CHECK(scene.Connect().Spawn(Task("work")).ok());
  CHECK(calls == 2);
}

TEST_CASE("Events go on with a newer token when the one of their stream has ended") {
  Scene scene;
  std::atomic<int> streams = 0;
  scene.server.on_subscribe = [&](const auto&, auto&, auto& writer) {
    if (++streams == 1) {
      scene.Write("second");
      return Ended();
    }
    events::v1::SubscribeResponse response;
    response.set_next("1");
    response.add_events();
    writer.Write(response);
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "enough");
  };
  Client kan = scene.Connect();
  const auto events = kan.Subscribe({});
  CHECK(events->Next().ok());
  CHECK(streams == 2);
}

TEST_CASE("Where there is no newer token, what is refused says so at once") {
  Scene scene;
  std::atomic<int> calls = 0;
  scene.server.on_spawn = [&](const auto&, auto&) {
    ++calls;
    return Ended();
  };
  scene.server.on_await = Ended;
  Client kan = scene.Connect();
  const auto spawned = kan.Spawn(Task("work"));
  CHECK(absl::IsUnauthenticated(spawned.status()));
  CHECK(ReasonOf(spawned.status()) == "TOKEN_EXPIRED");
  CHECK(calls == 1);
  CHECK(ReasonOf(kan.Await(MakeTaskId(1)).status()) == "TOKEN_EXPIRED");
}

}  // namespace
}  // namespace kantoku
