// `kantoku conformance events`, of ours and of one with a fault.
#include <grpcpp/client_context.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/time/clock.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/auth/mac.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/rpc/service_identity.h"
#include "tests/conformance/command/command_bench.h"
#include "tests/conformance/command/neighbour.h"

namespace kantoku::test {
namespace {

using events::v1::EventsService;

enum class Fault { kShortPage, kAnybodyAppends, kNoFilter, kStoresTwice, kTellsTwice };

// Stands before an Events, and spoils what it does.
class FaultyEvents final : public EventsService::Service {
 public:
  FaultyEvents(const Server& server, Fault fault)
      : fault_(fault),
        keys_(platform::MacKeys::Load(server.MacKeys()).value()),
        stub_(EventsService::NewStub(platform::MakeChannel(server.address()))) {}

  grpc::Status Append(grpc::ServerContext* context, const events::v1::AppendRequest* request,
                      events::v1::AppendResponse* response) override {
    grpc::ClientContext on;
    Relay(*context, on, fault_ == Fault::kAnybodyAppends);
    return stub_->Append(&on, fault_ == Fault::kStoresTwice ? AsNew(*request) : *request, response);
  }
  grpc::Status Read(grpc::ServerContext* context, const events::v1::ReadRequest* request,
                    events::v1::ReadResponse* response) override {
    grpc::ClientContext on;
    Relay(*context, on, false);
    events::v1::ReadRequest asked = *request;
    if (fault_ == Fault::kNoFilter) asked.mutable_filter()->clear_types();
    grpc::Status status = stub_->Read(&on, asked, response);
    if (fault_ == Fault::kShortPage && response->events_size() > 3) {
      response->mutable_events()->RemoveLast();
    }
    return status;
  }
  grpc::Status Subscribe(grpc::ServerContext* context, const events::v1::SubscribeRequest* request,
                         grpc::ServerWriter<events::v1::SubscribeResponse>* writer) override {
    const auto on = grpc::ClientContext::FromServerContext(*context);  // Ends with it.
    const auto reader = stub_->Subscribe(on.get(), *request);
    events::v1::SubscribeResponse message;
    while (reader->Read(&message)) {
      writer->Write(message);
      if (fault_ == Fault::kTellsTwice) writer->Write(message);
    }
    return reader->Finish();
  }

 private:
  void Relay(const grpc::ServerContext& from, grpc::ClientContext& to, bool as_inputs) const {
    if (as_inputs) return platform::PresentAsService(to, *keys_, "inputs", absl::Now());
    const auto shown = platform::CallingService(from, *keys_, absl::Now());
    if (shown.ok() && !shown->empty()) {
      platform::PresentAsService(to, *keys_, *shown, absl::Now());
    }
  }

  // What was appended before, of a source that is another one.
  events::v1::AppendRequest AsNew(events::v1::AppendRequest request) {
    const platform::MutexLock lock(mutex_);
    const bool is_new = seen_.insert(request.SerializeAsString()).second;
    if (!is_new) request.mutable_source()->append("-again");
    return request;
  }

  const Fault fault_;
  const std::unique_ptr<platform::MacKeys> keys_;
  const std::unique_ptr<EventsService::Stub> stub_;
  platform::Mutex mutex_;
  std::set<std::string> seen_ ABSL_GUARDED_BY(mutex_);
};

TEST_CASE("Events passes its exam again and again in a namespace of a log in use") {
  const Server server;
  const TempDir directory;
  Neighbour neighbour(server.Connect());
  const std::string task = neighbour.Work("before");
  for (int time = 0; time < 2; ++time) {
    // Whoever calls it is an administrator there, who sees everything.
    const Ended ended =
        server.Examine("events", {"--namespace", "exam", "--mac-key-file", server.MacKeys(),
                                  "--without", "owners", "--json", directory.File("report.json")});
    INFO(ended.output);
    CHECK(ended.code == 0);
    const Json report = Json::parse(Contents(directory.File("report.json")));
    CHECK(report["failed"] == 0);
    CHECK(report["passed"] == 15);
    CHECK(report["place"] == "the namespace exam");
  }
  CHECK(neighbour.CanCancel(task));
}

TEST_CASE("A part of which the exam has no case cannot be left out") {
  const Ended ended = Run({"events", "--target", "127.0.0.1:1", "--namespace", "exam", "--without",
                           "bounds", "--without", "items"});
  INFO(ended.output);
  CHECK(ended.code == 2);
  CHECK(ended.output.find("--without items: the exam of events has no case") != std::string::npos);
}

TEST_CASE("Without keys Events is asked only what anybody may ask") {
  const Server server;
  const Ended ended = server.Examine("events", {"--namespace", "exam"});
  INFO(ended.output);
  CHECK(ended.code == 0);
  CHECK(ended.output.find("passed   Only a service may append") != std::string::npos);
  CHECK(ended.output.find("passed   A bad filter or start is refused") != std::string::npos);
  CHECK(ended.output.find("keys: needs the keys") != std::string::npos);
}

TEST_CASE("Of each fault planted in Events the exam names the promise, and shows the request") {
  struct Planted {
    Fault fault;
    std::string promise;
    std::string call;  // That is shown.
  };
  const Planted planted = GENERATE(
      Planted{Fault::kShortPage, "Runs are unfolded into events, each with a position of its own",
              "Read {"},
      Planted{Fault::kAnybodyAppends, "Only a service may append", "Append {"},
      Planted{Fault::kNoFilter,
              "Only events that match are read, and the page says how far it looked", "Read {"},
      Planted{Fault::kStoresTwice,
              "A batch that was appended before is answered and changes nothing", "Append {"},
      Planted{Fault::kTellsTwice, "A subscriber gets what is kept, then what comes",
              "Subscribe {"});
  const Server server(kTrustEverybody);
  FaultyEvents faulty(server, planted.fault);
  const TempDir directory;
  const std::string address = "unix:" + directory.File("socket");
  grpc::ServerBuilder builder;
  builder.AddListeningPort(address, grpc::InsecureServerCredentials());
  builder.SetMaxReceiveMessageSize(platform::kMaxMessageBytes);
  builder.RegisterService(&faulty);
  const auto front = builder.BuildAndStart();
  REQUIRE(front != nullptr);
  const Ended ended =
      Run({"events", "--target", address, "--namespace", "exam", "--mac-key-file", server.MacKeys(),
           "--without", "owners", "--json", directory.File("report.json")});
  INFO(ended.output);
  CHECK(ended.code == 1);
  CheckNamed(Json::parse(Contents(directory.File("report.json"))), planted.promise, planted.call);
}

}  // namespace
}  // namespace kantoku::test
