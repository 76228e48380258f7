#include "services/platform/audit/events_audit_trail.h"

#include <grpcpp/grpcpp.h>
#include <prometheus/text_serializer.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/rpc/service_identity.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/platform/rpc/test_server.h"

namespace kantoku::platform {
namespace {

namespace eventspb = ::kantoku::events::v1;

// An Events that keeps what it is sent, and answers as it is told.
class FakeEvents final : public eventspb::EventsService::Service {
 public:
  struct Append {
    std::string source;
    std::string service;
    uint64_t number;
    std::string bytes;
    std::vector<std::string> events;  // "type namespace name=value …".
  };

  explicit FakeEvents(const MacKeys& keys, Clock& clock) : keys_(keys), clock_(clock) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    channel = grpc::CreateChannel("127.0.0.1:" + std::to_string(port),
                                  grpc::InsecureChannelCredentials());
  }

  grpc::Status Append(grpc::ServerContext* context, const eventspb::AppendRequest* request,
                      eventspb::AppendResponse* /*response*/) override {
    const eventspb::NumberedBatch& numbered = request->batches(0);
    struct Append append = {.source = request->source(),
                            .service = CallingService(*context, keys_, clock_.Read().wall).value(),
                            .number = numbered.number(),
                            .bytes = numbered.batch()};
    eventspb::EventBatch batch;
    REQUIRE(batch.ParseFromString(numbered.batch()));
    for (const eventspb::EventRun& run : batch.runs()) append.events.push_back(TextOf(run));
    appends.Update([&](auto& all) { all.push_back(append); });
    grpc::Status answer = grpc::Status::OK;
    answers.Update([&](auto& waiting) {
      if (waiting.empty()) return;
      answer = waiting.front();
      waiting.erase(waiting.begin());
    });
    return answer;
  }

  // Every event so far, once for each time that it was sent.
  std::vector<std::string> Sent() {
    std::vector<std::string> sent;
    for (const auto& append : appends.Get()) {
      sent.insert(sent.end(), append.events.begin(), append.events.end());
    }
    return sent;
  }
  bool GetsAppends(size_t count) {
    return appends.Becomes([&](const auto& all) { return all.size() >= count; });
  }

  std::shared_ptr<grpc::Channel> channel;
  Awaited<std::vector<struct Append>> appends;
  Awaited<std::vector<grpc::Status>> answers;  // Of the next calls; then OK.

 private:
  static std::string TextOf(const eventspb::EventRun& run) {
    std::string text = run.type() + " " + run.namespace_();
    const std::map<std::string, std::string> sorted(run.details().begin(), run.details().end());
    for (const auto& [name, value] : sorted)
      text.append(" ").append(name).append("=").append(value);
    return text;
  }

  const MacKeys& keys_;
  Clock& clock_;
  std::unique_ptr<grpc::Server> server_;
};

struct Scene {
  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry.Collect()); }
  // Until the trail's thread waits to try again, and then longer.
  void LetRetry() {
    REQUIRE(clock.AwaitWaiter(absl::Seconds(2)));
    clock.Advance(absl::Seconds(2));
  }

  FakeClock clock;
  const std::unique_ptr<MacKeys> keys = MacKeys::Make({{1, std::string(32, 'k')}}).value();
  prometheus::Registry registry;
  FakeEvents events{*keys, clock};
};

AuditEvent Event(const std::string& type, const std::string& user = "anna") {
  return {.type = type, .details = {{"user", user}}};
}

const grpc::Status kAway(grpc::StatusCode::UNAVAILABLE, "away");

TEST_CASE("What is said goes to Events, in its order, as a service and from a source of its own") {
  Scene scene;
  EventsAuditTrail trail({.source = "audit/here/1"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  trail.Say({.type = "one", .name_space = "lab", .details = {{"user", "anna"}}});
  trail.Say(Event("two"));
  REQUIRE(scene.events.GetsAppends(1));
  scene.clock.Advance(absl::Seconds(1));  // Over the interval between batches.
  trail.Stop(absl::Seconds(30));
  CHECK(scene.events.Sent() == std::vector<std::string>{"one lab user=anna", "two * user=anna"});
  uint64_t number = 0;
  for (const auto& append : scene.events.appends.Get()) {
    CHECK(append.source == "audit/here/1");
    CHECK(append.service == "audit");
    CHECK(append.number == ++number);
  }
  CHECK_THAT(scene.Metrics(), Catch::Contains("kantoku_audit_events_total 2"));
}

TEST_CASE("While Events is away what was said waits, and comes again under the same number") {
  Scene scene;
  scene.events.answers.Set({kAway, kAway});
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  trail.Say(Event("one"));
  for (size_t tries = 1; tries <= 2; ++tries) {
    REQUIRE(scene.events.GetsAppends(tries));
    trail.Say(Event("later"));
    scene.LetRetry();
  }
  REQUIRE(scene.events.GetsAppends(3));
  scene.clock.Advance(absl::Seconds(1));
  trail.Stop(absl::Seconds(30));
  const auto appends = scene.events.appends.Get();
  REQUIRE(appends.size() == 4);
  CHECK(appends[2].number == 1);
  CHECK(appends[2].bytes == appends[0].bytes);
  CHECK(appends[3].number == 2);
  CHECK(appends[3].events == std::vector<std::string>{"later * user=anna", "later * user=anna"});
}

TEST_CASE("What does not fit is dropped, the oldest first, counted, and told when that can be") {
  Scene scene;
  scene.events.answers.Set({kAway});
  EventsAuditTrail trail({.source = "s", .max_waiting_bytes = 1}, *scene.keys, scene.clock,
                         scene.registry);
  trail.Connect(scene.events.channel);
  trail.Say(Event("under way"));
  REQUIRE(scene.events.GetsAppends(1));
  for (const char* const user : {"anna", "ben", "carl"}) trail.Say(Event("waits", user));
  CHECK_THAT(scene.Metrics(), Catch::Contains("kantoku_audit_dropped_total 2"));
  scene.LetRetry();
  REQUIRE(scene.events.GetsAppends(2));
  scene.clock.Advance(absl::Seconds(1));
  trail.Stop(absl::Seconds(30));
  CHECK(scene.events.appends.Get().back().events ==
        std::vector<std::string>{"audit.dropped * count=2", "waits * user=carl"});
}

TEST_CASE("What Events refuses for good holds up nothing behind it") {
  Scene scene;
  scene.events.answers.Set({grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no")});
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  trail.Say(Event("bad"));
  REQUIRE(scene.events.GetsAppends(1));
  trail.Say(Event("good"));
  scene.clock.Advance(absl::Seconds(1));
  trail.Stop(absl::Seconds(30));
  CHECK(scene.events.appends.Get().back().events ==
        std::vector<std::string>{"audit.dropped * count=1", "good * user=anna"});
}

TEST_CASE("A flood is one event at once, and one a minute later") {
  Scene scene;
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  for (int i = 0; i < 10'000; ++i) trail.SayOften(Event("refused"));
  REQUIRE(scene.events.GetsAppends(1));
  trail.Refresh();
  scene.clock.Advance(absl::Minutes(1));
  trail.Refresh();
  REQUIRE(scene.events.GetsAppends(2));
  CHECK(scene.events.Sent() ==
        std::vector<std::string>{"refused * user=anna", "refused * count=9999 user=anna"});
}

TEST_CASE("What was counted is told when the program stops, and nothing to Events afterwards") {
  Scene scene;
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  for (int i = 0; i < 3; ++i) trail.SayOften(Event("refused"));
  REQUIRE(scene.events.GetsAppends(1));
  scene.clock.Advance(absl::Seconds(1));
  trail.Stop(absl::Seconds(30));
  trail.Say(Event("late"));
  CHECK(scene.events.Sent() ==
        std::vector<std::string>{"refused * user=anna", "refused * count=2 user=anna"});
}

TEST_CASE("Without Events nothing waits, and Stop does not either") {
  Scene scene;
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Say(Event("one"));
  trail.Stop(absl::Hours(1));
  CHECK(scene.events.Sent().empty());
  CHECK_THAT(scene.Metrics(), Catch::Contains("kantoku_audit_events_total 1"));
}

TEST_CASE("Long and broken texts of strangers are cut and repaired") {
  Scene scene;
  EventsAuditTrail trail({.source = "s"}, *scene.keys, scene.clock, scene.registry);
  trail.Connect(scene.events.channel);
  trail.Say(Event("one", "\xff" + std::string(300, 'x')));
  trail.Say(Event("two", std::string(255, 'x') + "\xc3\xa4"));
  scene.clock.Advance(absl::Seconds(1));
  trail.Stop(absl::Seconds(30));
  CHECK(scene.events.Sent() == std::vector<std::string>{"one * user=?" + std::string(255, 'x'),
                                                        "two * user=" + std::string(255, 'x')});
}

}  // namespace
}  // namespace kantoku::platform
