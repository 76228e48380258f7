#include <atomic>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using inputs::v1::SpawnRequest;
using inputs::v1::SpawnResponse;
using testing::AcceptAll;
using testing::Inbox;
using testing::MakeTaskId;
using testing::ScriptedServer;

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "restarting");

TEST_CASE("A spawn sends type, payload and namespace, and brings back the id") {
  ScriptedServer server;
  Inbox<SpawnRequest> requests;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    requests.Put(request);
    return AcceptAll(request, response);
  };
  Client kan = server.Connect(absl::Minutes(5), {.namespace_name = "lab"});
  const auto task = kan.Spawn(Task("test-task", "Hello world"));
  REQUIRE(task.ok());
  CHECK(task->id == MakeTaskId(1));
  CHECK(task->created);
  const SpawnRequest request = requests.Take();
  CHECK(request.namespace_() == "lab");
  CHECK(request.request_id().size() == 36);
  REQUIRE(request.specs_size() == 1);
  CHECK(request.specs(0).type() == "test-task");
  CHECK(request.specs(0).payload() == "Hello world");
  CHECK(kan.InNamespace("office").Spawn(Task("t")).ok());
  CHECK(requests.Take().namespace_() == "office");
}

TEST_CASE("A batch whose tasks depend on each other is a call of its own, with its places") {
  ScriptedServer server;
  Inbox<SpawnRequest> requests;
  Inbox<bool> go_on;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    requests.Put(request);
    if (request.specs_size() == 1) go_on.Take();
    return AcceptAll(request, response);
  };
  Client kan = server.Connect();
  auto alone = kan.SpawnAsync(Task("a"));
  CHECK(requests.Take().specs_size() == 1);
  auto waits = kan.SpawnAsync(Task("b"));  // Would gather with what comes now.
  const auto batch = kan.SpawnBatch(
      {Task("c"), Task("d").With(DependsOnIndex(0), Argument(MakeTaskId(77), OnFailure::kSkip))});
  CHECK(batch[1]->id == MakeTaskId(2));
  const SpawnRequest request = requests.Take();
  REQUIRE(request.specs_size() == 2);
  const auto& dependencies = request.specs(1).dependencies();
  REQUIRE(dependencies.size() == 2);
  CHECK(dependencies[0].index() == 0);
  CHECK(dependencies[0].on_failure() == task::v1::ON_FAILURE_FAIL);
  CHECK_FALSE(dependencies[0].argument());
  CHECK(dependencies[1].task_id() == MakeTaskId(77).bytes());
  CHECK(dependencies[1].on_failure() == task::v1::ON_FAILURE_SKIP);
  CHECK(dependencies[1].argument());
  go_on.Put(true);
  go_on.Put(true);
  CHECK(alone.get().ok());
  CHECK(waits.get().ok());
}

TEST_CASE(
    "What the client refuses itself takes those along that depend on it, and places move up") {
  ScriptedServer server;
  Inbox<SpawnRequest> requests;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    requests.Put(request);
    return AcceptAll(request, response);
  };
  Client kan = server.Connect();
  const Option refuse =
      Option::ForSpec([](TaskSpec&, absl::Time) { return absl::AbortedError("no"); });
  const auto batch = kan.SpawnBatch({Task("a").With(refuse), Task("b").With(DependsOnIndex(0)),
                                     Task("\xFF"), Task("c").With(DependsOnIndex(2)), Task("d"),
                                     Task("e").With(DependsOnIndex(4), DependsOnIndex(9))});
  CHECK(batch[0].status().code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(batch[1].status()) == "DEPENDENCY_REFUSED");
  CHECK(ReasonOf(batch[2].status()) == "INVALID_UTF8");
  CHECK(ReasonOf(batch[3].status()) == "DEPENDENCY_REFUSED");
  CHECK(batch[4]->id == MakeTaskId(1));
  CHECK(batch[5]->id == MakeTaskId(2));
  const SpawnRequest request = requests.Take();
  REQUIRE(request.specs_size() == 2);
  CHECK(request.specs(1).dependencies(0).index() == 0);
  CHECK(request.specs(1).dependencies(1).index() >= 2);  // Out of range still.
}

TEST_CASE("A client connects by address, and refuses what is none") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest& request, SpawnResponse& response) {
    return AcceptAll(request, response);
  };
  auto kan = Client::Connect(server.address());
  REQUIRE(kan.ok());
  CHECK(kan->WaitUntilReachable(testing::kPatience).ok());
  CHECK(kan->Spawn(Task("t")).ok());
  for (const char* address : {"localhost", "localhost:", ":6330", "local host:6330"}) {
    CHECK(ReasonOf(Client::Connect(address).status()) == "INVALID_ADDRESS");
  }
}

TEST_CASE("Calls made while an RPC is under way leave together as the next one") {
  ScriptedServer server;
  Inbox<int> sizes;
  Inbox<bool> go_on;
  std::atomic<uint64_t> next{1};
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    sizes.Put(request.specs_size());
    go_on.Take();
    return AcceptAll(request, response, next.fetch_add(request.specs_size()));
  };
  Client kan = server.Connect();
  std::vector<std::future<absl::StatusOr<SpawnedTask>>> tasks;
  tasks.push_back(kan.SpawnAsync(Task("t")));
  CHECK(sizes.Take() == 1);
  for (int i = 0; i < 50; ++i) tasks.push_back(kan.SpawnAsync(Task("t")));
  go_on.Put(true);
  CHECK(sizes.Take() == 50);
  go_on.Put(true);
  for (size_t i = 0; i < tasks.size(); ++i) CHECK(tasks[i].get()->id == MakeTaskId(i + 1));
}

TEST_CASE("Threads that spawn at the same time each get the id of their own task") {
  ScriptedServer server;
  std::atomic<int> rpcs{0};
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    ++rpcs;
    for (const auto& spec : request.specs()) {
      response.add_results()->set_task_id(
          std::string(MakeTaskId(std::stoull(spec.payload())).bytes()));
    }
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  threads.reserve(8);
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 50; ++i) {
        const uint64_t number = 1'000 * thread + i + 1;
        const auto task = kan.Spawn(Task("t", std::to_string(number)));
        if (!task.ok() || task->id != MakeTaskId(number)) ++wrong;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(rpcs <= 400);
}

TEST_CASE("A spawn that finds the server away is repeated as it was, under its request id") {
  ScriptedServer server;
  std::vector<std::string> bodies;
  const auto flaky = GENERATE(grpc::StatusCode::UNAVAILABLE, grpc::StatusCode::RESOURCE_EXHAUSTED);
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    bodies.push_back(request.SerializeAsString());
    if (bodies.size() < 3) return grpc::Status(flaky, "not now");
    return AcceptAll(request, response);
  };
  Client kan = server.Connect();
  CHECK(kan.Spawn(Task("t", "p")).ok());
  REQUIRE(bodies.size() == 3);
  CHECK(bodies[0] == bodies[1]);
  CHECK(bodies[1] == bodies[2]);
}

TEST_CASE("Every batch has a request id of its own") {
  ScriptedServer server;
  std::set<std::string> ids;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    ids.insert(request.request_id());
    return AcceptAll(request, response);
  };
  Client kan = server.Connect();
  for (int i = 0; i < 3; ++i) CHECK(kan.Spawn(Task("t")).ok());
  CHECK(ids.size() == 3);
}

TEST_CASE("A spawn outlives a restart of the server") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest& request, SpawnResponse& response) {
    return AcceptAll(request, response);
  };
  Client kan = server.Connect();
  CHECK(kan.Spawn(Task("t")).ok());
  server.Stop();
  auto task = kan.SpawnAsync(Task("t"));
  server.Start();
  CHECK(task.get().ok());
}

TEST_CASE("A client gives up after its bound, with the last error and how often it tried") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest&, SpawnResponse&) { return kAway; };
  Client kan = server.Connect(absl::Milliseconds(200));
  const auto task = kan.Spawn(Task("t"));
  CHECK(task.status().code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(task.status().message()).find("gave up after") == 0);
  CHECK(std::string(task.status().message()).find("restarting") != std::string::npos);
}

TEST_CASE("A server that breaks calls off is told as UNAVAILABLE: CANCELLED is the caller's word") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest&, SpawnResponse&) {
    return grpc::Status(grpc::StatusCode::CANCELLED, "shutting down");
  };
  Client kan = server.Connect(absl::ZeroDuration());
  const absl::Status status = kan.Spawn(Task("t")).status();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(std::string(status.message()).find("gave up after 1 try: shutting down") == 0);
}

TEST_CASE("A caller's timeout ends its own wait") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest&, SpawnResponse&) { return kAway; };
  Client kan = server.Connect();
  const auto task = kan.Spawn(Task("t"), {.timeout = absl::Milliseconds(100)});
  CHECK(task.status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("What is not worth repeating is not repeated") {
  ScriptedServer server;
  std::atomic<int> tries{0};
  server.on_spawn = [&](const SpawnRequest&, SpawnResponse&) {
    ++tries;
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "no namespace `lab`");
  };
  Client kan = server.Connect();
  CHECK(kan.Spawn(Task("t")).status() == absl::NotFoundError("no namespace `lab`"));
  CHECK(tries == 1);
}

TEST_CASE("In a batch only the bad tasks fail, wherever they are refused") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest& request, SpawnResponse& response) {
    CHECK(request.specs_size() == 3);
    AcceptAll(request, response);
    auto& refused = *response.mutable_results(1);
    refused.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kInvalidArgument));
    refused.mutable_status()->set_reason("INVALID_TYPE");
    refused.clear_task_id();
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  std::vector<Task> tasks;
  tasks.emplace_back("good");
  tasks.push_back(Task("t").With(Reference("\xff")));         // Refused by the client.
  tasks.emplace_back("");                                     // Refused by the server.
  tasks.push_back(Task("t").With(Delay(-absl::Seconds(1))));  // Refused by an option.
  tasks.emplace_back("good too");
  const auto results = kan.SpawnBatch(std::move(tasks));
  REQUIRE(results.size() == 5);
  CHECK(results[0]->id == MakeTaskId(1));
  CHECK(ReasonOf(results[1].status()) == "INVALID_UTF8");
  CHECK(ReasonOf(results[2].status()) == "INVALID_TYPE");
  CHECK(ReasonOf(results[3].status()) == "INVALID_DELAY");
  CHECK(results[4]->id == MakeTaskId(3));
}

TEST_CASE("A big batch is cut into calls that the server takes, in order") {
  ScriptedServer server;
  std::atomic<uint64_t> next{1};
  std::vector<std::pair<int, size_t>> calls;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    calls.emplace_back(request.specs_size(), request.ByteSizeLong());
    return AcceptAll(request, response, next.fetch_add(request.specs_size()));
  };
  Client kan = server.Connect();
  SECTION("by number") {
    const auto results = kan.SpawnBatch(std::vector<Task>(100'001, Task("t")));
    REQUIRE(results.size() == 100'001);
    CHECK(results.front()->id == MakeTaskId(1));
    CHECK(results.back()->id == MakeTaskId(100'001));
    REQUIRE(calls.size() == 2);
    CHECK(calls[0].first == 100'000);
  }
  SECTION("by bytes") {
    const auto results =
        kan.SpawnBatch(std::vector<Task>(10, Task("t", std::string(4 << 20, 'x'))));
    CHECK(results.back()->id == MakeTaskId(10));
    CHECK(calls.size() == 4);
    for (const auto& [specs, bytes] : calls) CHECK(bytes <= (16u << 20));
  }
}

TEST_CASE("Callbacks of a client that goes away are called, with CANCELLED") {
  ScriptedServer server;
  Inbox<bool> arrived;
  Inbox<bool> go_on;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    arrived.Put(true);
    go_on.Take();
    return AcceptAll(request, response);
  };
  absl::Status under_way;
  absl::Status queued;
  {
    Client kan = server.Connect();
    kan.SpawnAsync(Task("t"), {}, [&](auto task) { under_way = task.status(); });
    CHECK(arrived.Take());
    kan.SpawnAsync(Task("t"), {}, [&](auto task) { queued = task.status(); });
  }
  // The last handle is gone, so both have been called.
  CHECK(under_way.code() == absl::StatusCode::kCancelled);
  CHECK(queued.code() == absl::StatusCode::kCancelled);
  go_on.Put(true);
  server.Stop();
}

TEST_CASE("The last handle of a client may go away inside a callback") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest& request, SpawnResponse& response) {
    return AcceptAll(request, response);
  };
  Inbox<bool> done;
  auto kan = std::make_unique<Client>(server.Connect());
  kan->SpawnAsync(Task("t"), {}, [&](auto) {
    kan = nullptr;
    done.Put(true);
  });
  CHECK(done.Take());
  server.Stop();
}

TEST_CASE("A call that waits is refused inside a callback instead of waiting for itself") {
  ScriptedServer server;
  server.on_spawn = [](const SpawnRequest& request, SpawnResponse& response) {
    return AcceptAll(request, response);
  };
  Inbox<std::vector<absl::Status>> done;
  Client kan = server.Connect();
  kan.SpawnAsync(Task("t"), {}, [&](const auto& task) {
    Client here = kan;
    std::vector<absl::Status> seen = {
        here.Spawn(Task("t")).status(),
        here.Await(task->id).status(),
        here.AwaitAll({task->id})[0].status(),
        here.Cancel(task->id).status(),
        here.Get(task->id).status(),
        here.GetOutput(task->id).status(),
        here.List().status(),
        here.ListExecutors().status(),
        here.ListRoutes().status(),
        here.RemoveRoute("t"),
        here.ControlExecutors({task->id.ToString()}, ExecutorVerb::kDrain)[0],
        here.ReadEvents().status(),
        here.Subscribe()->Next(absl::Seconds(1)).status(),
        here.WaitUntilReachable(absl::Seconds(1))};
    done.Put(std::move(seen));
  });
  for (const absl::Status& status : done.Take()) {
    CHECK(absl::IsFailedPrecondition(status));
    CHECK(ReasonOf(status) == "WAITS_IN_CALLBACK");
  }
  server.Stop();
}

// Counts what plugins of a client see through it.
class CountingPlugin final : public Plugin {
 public:
  std::string_view name() const override { return "counting"; }
  absl::Status BeforeScheduled(const TaskSpec& spec, PluginData*) override {
    return spec.payload == "refuse me" ? absl::AbortedError("as you wish") : absl::OkStatus();
  }
  void AfterScheduled(const TaskSpec&, const absl::StatusOr<SpawnedTask>& result,
                      PluginData*) override {
    results.Put(result);
  }
  Inbox<absl::StatusOr<SpawnedTask>> results;
};

TEST_CASE("A client's plugins see every answer, and what they refuse never reaches the server") {
  ScriptedServer server;
  std::atomic<int> specs{0};
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    specs += request.specs_size();
    return AcceptAll(request, response);
  };
  const auto plugin = std::make_shared<CountingPlugin>();
  Client kan = server.Connect(absl::Minutes(5), {.plugins = {plugin}});
  CHECK(kan.Spawn(Task("t", "refuse me")).status() ==
        absl::AbortedError("plugin counting: as you wish"));
  CHECK(plugin->results.empty());
  CHECK(kan.Spawn(Task("t")).ok());
  CHECK(plugin->results.Take()->id == MakeTaskId(1));
  CHECK(specs == 1);
}

// Takes a spec of type "full" only once there is room.
grpc::Status AcceptWhatFits(bool room, const SpawnRequest& request, SpawnResponse& response) {
  for (const auto& spec : request.specs()) {
    auto& result = *response.add_results();
    if (room || spec.type() != "full") {
      result.set_task_id(std::string(MakeTaskId(spec.priority()).bytes()));
      result.set_created(true);
      continue;
    }
    result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
    result.mutable_status()->set_reason("TYPE_PENDING_LIMIT");
    result.mutable_status()->mutable_retry_after()->set_nanos(1'000'000);
  }
  return grpc::Status::OK;
}

TEST_CASE("Exactly the tasks that there is no room for are sent again, in a call of their own") {
  ScriptedServer server;
  Inbox<SpawnRequest> requests;
  std::atomic<int> calls{0};
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    requests.Put(request);
    return AcceptWhatFits(++calls > 3, request, response);
  };
  Client kan = server.Connect();
  std::vector<Task> tasks;
  for (int i = 1; i <= 4; ++i) {
    tasks.push_back(
        Task(i % 2 == 0 ? "full" : "free", "payload " + std::to_string(i)).With(Priority(i)));
  }
  const auto spawned = kan.SpawnBatch(tasks);
  REQUIRE(spawned.size() == 4);
  for (int i = 1; i <= 4; ++i) CHECK(spawned[i - 1]->id == MakeTaskId(i));
  const SpawnRequest first = requests.Take();
  CHECK(first.specs_size() == 4);
  std::set<std::string> request_ids = {first.request_id()};
  for (int call = 2; call <= 4; ++call) {
    const SpawnRequest again = requests.Take();
    CHECK(request_ids.insert(again.request_id()).second);
    REQUIRE(again.specs_size() == 2);
    CHECK(again.specs(0).payload() == "payload 2");
    CHECK(again.specs(1).payload() == "payload 4");
  }
}

TEST_CASE("A task that finds no room in time says why, or that its time was over") {
  ScriptedServer server;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    return AcceptWhatFits(false, request, response);
  };
  const auto refused = server.Connect(absl::Milliseconds(20)).Spawn(Task("full"));
  CHECK(refused.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(refused.status()) == "TYPE_PENDING_LIMIT");
  const auto late = server.Connect().Spawn(Task("full"), {.timeout = absl::Milliseconds(100)});
  CHECK(late.status().code() == absl::StatusCode::kDeadlineExceeded);
}

TEST_CASE("A task that waits for room is answered when its client goes away") {
  ScriptedServer server;
  Inbox<int> calls;
  server.on_spawn = [&](const SpawnRequest& request, SpawnResponse& response) {
    grpc::Status status = AcceptWhatFits(false, request, response);
    response.mutable_results(0)->mutable_status()->mutable_retry_after()->set_seconds(200);
    calls.Put(1);
    return status;
  };
  std::future<absl::StatusOr<SpawnedTask>> spawned;
  {
    Client kan = server.Connect();
    spawned = kan.SpawnAsync(Task("full"));
    calls.Take();
  }
  CHECK(spawned.get().status().code() == absl::StatusCode::kCancelled);
}

}  // namespace
}  // namespace kantoku
