#include <catch2/catch.hpp>
#include <thread>
#include <variant>

#include "kantoku/client.h"
#include "kantoku/fake.h"
#include "kantoku/status.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using outputs::v1::StreamRequest;
using outputs::v1::StreamResponse;
using testing::Inbox;
using testing::kPatience;
using testing::ScriptedServer;

using Writer = grpc::ServerWriter<StreamResponse>;
using Texts = std::vector<std::string>;

TaskId SomeTask() { return TaskId::Parse("01900000-0000-7000-8000-000000000001").value(); }

StreamResponse Items(uint32_t dispatch, uint64_t first, const Texts& texts,
                     bool restarted = false) {
  StreamResponse response;
  response.set_dispatch(dispatch);
  response.set_first_sequence(first);
  response.set_restarted(restarted);
  for (const std::string& text : texts) response.add_items()->set_data(text);
  return response;
}

StreamResponse End(const std::string& data) {
  StreamResponse response;
  response.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
  response.mutable_result()->set_data(data);
  return response;
}

// An item as "dispatch:sequence:data", "!" in front where the handler began again; the end as
// "end:data"; anything else as its code.
std::string TextOf(const absl::StatusOr<std::variant<Item, Output>>& next) {
  if (!next.ok()) return absl::StatusCodeToString(next.status().code());
  if (const auto* output = std::get_if<Output>(&*next)) return "end:" + output->data;
  const Item& item = std::get<Item>(*next);
  return (item.restarted ? "!" : "") + std::to_string(item.dispatch) + ":" +
         std::to_string(item.sequence) + ":" + item.data;
}

TEST_CASE("Items come one by one and in order, then the output, and nothing after it") {
  ScriptedServer server;
  server.on_stream = [&](const StreamRequest& request, grpc::ServerContext&, Writer& writer) {
    CHECK(request.task_id() == SomeTask().bytes());
    CHECK(request.dispatch() == 0);
    writer.Write(Items(1, 1, {"a", "b"}));
    writer.Write(Items(2, 1, {"x", "y"}, true));
    writer.Write(End("done"));
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Stream(SomeTask());
  for (const char* const text : {"1:1:a", "1:2:b", "!2:1:x", "2:2:y", "end:done", "OUT_OF_RANGE"}) {
    CHECK(TextOf(stream->Next(kPatience)) == text);
  }
  CHECK(stream->position() == ItemPosition{2, 3});
}

TEST_CASE("A stream that breaks goes on after the last item that was given") {
  ScriptedServer server;
  Inbox<StreamRequest> requests;
  int calls = 0;
  server.on_stream = [&](const StreamRequest& request, grpc::ServerContext&, Writer& writer) {
    requests.Put(request);
    if (++calls == 1) {
      writer.Write(Items(3, 5, {"a", "b"}));
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    }
    writer.Write(Items(3, 7, {"c"}));
    writer.Write(End("done"));
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Stream(SomeTask(), {3, 5});
  for (const char* const text : {"3:5:a", "3:6:b", "3:7:c", "end:done"}) {
    CHECK(TextOf(stream->Next(kPatience)) == text);
  }
  const StreamRequest first = requests.Take();
  CHECK(first.dispatch() == 3);
  CHECK(first.sequence() == 5);
  const StreamRequest second = requests.Take();
  CHECK(second.dispatch() == 3);
  CHECK(second.sequence() == 7);
}

TEST_CASE("A stream that is heard may wait for any time, over any number of restarts") {
  ScriptedServer server;
  int calls = 0;
  server.on_stream = [&](const StreamRequest&, grpc::ServerContext&, Writer& writer) {
    writer.Write(StreamResponse());
    if (++calls < 4) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    writer.Write(End("done"));
    return grpc::Status::OK;
  };
  // One pause is shorter than this, and four are longer.
  Client kan = server.Connect(absl::Milliseconds(60));
  CHECK(TextOf(kan.Stream(SomeTask())->Next(kPatience)) == "end:done");
}

TEST_CASE("A task that nobody knows, or whose result has gone, ends its stream") {
  ScriptedServer server;
  server.on_stream = [&](const StreamRequest&, grpc::ServerContext&, Writer&) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "unknown");
  };
  Client kan = server.Connect();
  const auto stream = kan.Stream(SomeTask());
  CHECK(TextOf(stream->Next(kPatience)) == "NOT_FOUND");
  CHECK(TextOf(stream->Next(kPatience)) == "NOT_FOUND");
}

TEST_CASE("A stream whose items are damaged ends, instead of reading them for ever") {
  ScriptedServer server;
  server.on_stream = [&](const StreamRequest&, grpc::ServerContext&, Writer& writer) {
    writer.Write(Items(1, 1, {"a"}));
    return grpc::Status(grpc::StatusCode::DATA_LOSS, "damaged");
  };
  Client kan = server.Connect();
  const auto stream = kan.Stream(SomeTask());
  CHECK(TextOf(stream->Next(kPatience)) == "1:1:a");
  CHECK(TextOf(stream->Next(kPatience)) == "DATA_LOSS");
}

TEST_CASE("A reader that waits ends with its timeout, and can be cancelled") {
  ScriptedServer server;
  Inbox<bool> go_on;
  server.on_stream = [&](const StreamRequest&, grpc::ServerContext& context, Writer& writer) {
    go_on.Take();
    writer.Write(Items(1, 1, {"a"}));
    while (!context.IsCancelled()) std::this_thread::yield();
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Stream(SomeTask());
  CHECK(TextOf(stream->Next(absl::Milliseconds(1))) == "DEADLINE_EXCEEDED");
  go_on.Put(true);
  CHECK(TextOf(stream->Next(kPatience)) == "1:1:a");
  std::thread canceller([&] { stream->Cancel(); });
  CHECK(TextOf(stream->Next(kPatience)) == "CANCELLED");
  canceller.join();
}

TEST_CASE("A stream gives up when the server is away for longer than retry_for") {
  ScriptedServer server;
  Client kan = server.Connect(absl::Milliseconds(50));
  server.Stop();
  const auto stream = kan.Stream(SomeTask());
  const auto next = stream->Next(kPatience);
  CHECK(TextOf(next) == "UNAVAILABLE");
  CHECK(next.status().message().find("items could not be reached") != std::string::npos);
}

TEST_CASE("A fake streams what its generators yield, each run of them marked") {
  FakeKantoku fake;
  int runs = 0;
  fake.HandleGenerator(
      "count",
      [&](const TaskSpec&, const FakeKantoku::Yield& yield) -> absl::StatusOr<std::string> {
        yield("one", "text/plain");
        if (++runs == 1) return absl::InternalError("broken");
        yield("two", "text/plain");
        return "done";
      });
  Client kan = fake.Connect();
  const auto task = kan.Spawn(Task("count", ""));
  REQUIRE(task.ok());
  const auto stream = kan.Stream(task->id);
  CHECK(TextOf(stream->Next(kPatience)) == "1:1:one");
  CHECK(TextOf(stream->Next(absl::ZeroDuration())) == "DEADLINE_EXCEEDED");
  fake.AdvanceTime(absl::Minutes(1));
  for (const char* const text : {"!2:1:one", "2:2:two", "end:done", "OUT_OF_RANGE"}) {
    CHECK(TextOf(stream->Next(kPatience)) == text);
  }
  CHECK(TextOf(kan.Stream(task->id, {2, 2})->Next(kPatience)) == "2:2:two");
  CHECK(TextOf(kan.Stream(SomeTask())->Next(kPatience)) == "NOT_FOUND");
  const auto cancelled = kan.Stream(task->id);
  cancelled->Cancel();
  CHECK(TextOf(cancelled->Next(kPatience)) == "CANCELLED");
}

}  // namespace
}  // namespace kantoku
