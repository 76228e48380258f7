#include <catch2/catch.hpp>
#include <thread>

#include "kantoku/client.h"
#include "kantoku/status.h"
#include "tests/unit/client/scripted_server.h"

namespace kantoku {
namespace {

using events::v1::SubscribeRequest;
using events::v1::SubscribeResponse;
using testing::Inbox;
using testing::kPatience;
using testing::ScriptedServer;

using Writer = grpc::ServerWriter<SubscribeResponse>;

SubscribeResponse One(const std::string& position) {
  SubscribeResponse response;
  response.add_events()->set_position(position);
  response.set_next(position);
  return response;
}

TEST_CASE("Events come in order, and a broken stream goes on where it broke") {
  ScriptedServer server;
  Inbox<SubscribeRequest> requests;
  Inbox<bool> end;
  server.on_subscribe = [&](const SubscribeRequest& request, grpc::ServerContext&, Writer& writer) {
    requests.Put(request);
    if (request.after().empty()) {
      writer.Write(One("1"));
      writer.Write(One("2"));
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "restarting");
    }
    SubscribeResponse gap = One("9");
    gap.set_gap(true);
    writer.Write(gap);
    end.Take();
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Subscribe({.from_oldest = true, .filter = {.types = {"task.finished"}}});
  CHECK(stream->Next(kPatience)->events.at(0).position == "1");
  CHECK(stream->Next(kPatience)->events.at(0).position == "2");
  const auto after = stream->Next(kPatience);
  REQUIRE(after.ok());
  CHECK(after->events.at(0).position == "9");
  CHECK(after->gap);
  const SubscribeRequest first = requests.Take();
  CHECK(first.start() == events::v1::START_AT_OLDEST);
  CHECK(first.filter().types(0) == "task.finished");
  CHECK(requests.Take().after() == "2");
  end.Put(true);
  server.Stop();
}

TEST_CASE("A subscription without a position begins now") {
  ScriptedServer server;
  Inbox<SubscribeRequest> requests;
  server.on_subscribe = [&](const SubscribeRequest& request, grpc::ServerContext&, Writer& writer) {
    requests.Put(request);
    writer.Write(One("1"));
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  CHECK(kan.Subscribe()->Next(kPatience).ok());
  CHECK(requests.Take().start() == events::v1::START_AT_NOW);
}

TEST_CASE("Next ends with its timeout, loses nothing and can be called again") {
  ScriptedServer server;
  Inbox<bool> go_on;
  server.on_subscribe = [&](const SubscribeRequest&, grpc::ServerContext&, Writer& writer) {
    go_on.Take();
    writer.Write(One("1"));
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Subscribe();
  CHECK(stream->Next(absl::Milliseconds(20)).status().code() ==
        absl::StatusCode::kDeadlineExceeded);
  go_on.Put(true);
  CHECK(stream->Next(kPatience)->events.at(0).position == "1");
  server.Stop();
}

TEST_CASE("Cancel ends a Next that waits, and the ones after it") {
  ScriptedServer server;
  Inbox<bool> opened;
  server.on_subscribe = [&](const SubscribeRequest&, grpc::ServerContext& context, Writer& writer) {
    opened.Put(true);
    SubscribeResponse empty;
    while (!context.IsCancelled() && writer.Write(empty)) {
    }
    return grpc::Status::OK;
  };
  Client kan = server.Connect();
  const auto stream = kan.Subscribe();
  std::thread canceller([&] {
    opened.Take();
    stream->Cancel();
  });
  absl::Status end;
  while (end.ok()) end = stream->Next(kPatience).status();
  canceller.join();
  CHECK(end.code() == absl::StatusCode::kCancelled);
  CHECK(stream->Next(kPatience).status().code() == absl::StatusCode::kCancelled);
  server.Stop();
}

TEST_CASE("A refused subscription says why, every time") {
  ScriptedServer server;
  int tries = 0;
  server.on_subscribe = [&](const SubscribeRequest&, grpc::ServerContext&, Writer&) {
    ++tries;
    return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "after: not a position");
  };
  Client kan = server.Connect();
  const auto stream = kan.Subscribe({.after = "nonsense"});
  CHECK(stream->Next(kPatience).status() == absl::InvalidArgumentError("after: not a position"));
  CHECK(stream->Next(kPatience).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(tries == 1);
  CHECK(ReasonOf(kan.Subscribe({.after = "\xff"})->Next(kPatience).status()) == "INVALID_UTF8");
}

TEST_CASE("A subscription gives up when events stay away for the client's bound") {
  ScriptedServer server;
  server.Stop();
  Client kan = server.Connect(absl::Milliseconds(150));
  CHECK(kan.Subscribe()->Next(kPatience).status().code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("A subscription outlives its client") {
  ScriptedServer server;
  server.on_subscribe = [&](const SubscribeRequest&, grpc::ServerContext&, Writer& writer) {
    writer.Write(One("1"));
    return grpc::Status::OK;
  };
  std::unique_ptr<EventStream> stream;
  {
    Client kan = server.Connect();
    stream = kan.Subscribe();
  }
  CHECK(stream->Next(kPatience).ok());
}

}  // namespace
}  // namespace kantoku
