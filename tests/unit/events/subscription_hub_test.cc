#include "services/events/subscription_hub.h"

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/platform/check.h"
#include "services/platform/status.h"
#include "tests/support/notification.h"
#include "tests/unit/events/test_log.h"

namespace kantoku::events {
namespace {

constexpr auto kLong = std::chrono::seconds(60);

// Takes messages at the pace of a test: each Send waits for a Take. What the hub's thread finds
// wrong ends the program, for Catch2 knows one thread.
class SlowSubscriber final : public Subscriber {
 public:
  SlowSubscriber(SubscriptionHub*& hub, Position from, EventFilter filter = Wanting({}))
      : Subscriber(from, std::move(filter)), hub_(hub) {}

  void Send(const platform::SharedEncoded<v1::SubscribeResponse>& message) override {
    platform::MutexLock lock(mu_);
    KANTOKU_CHECK(!ended_ && !sending_.has_value());
    sending_ = message;
    changed_.SignalAll();
  }
  void End(const absl::Status& status) override {
    platform::MutexLock lock(mu_);
    KANTOKU_CHECK(!ended_ && !sending_.has_value());
    ended_ = true;
    status_ = status;
    changed_.SignalAll();
  }
  void Abort() override {
    {
      platform::MutexLock lock(mu_);
      sending_.reset();
    }
    hub_->Sent(*this, false);
  }

  // The next message, which is then sent.
  v1::SubscribeResponse Take() {
    v1::SubscribeResponse taken = Peek();
    {
      platform::MutexLock lock(mu_);
      sending_.reset();
    }
    hub_->Sent(*this, true);
    return taken;
  }
  // The next message, which stays under way.
  v1::SubscribeResponse Peek() {
    v1::SubscribeResponse message;
    REQUIRE(message.ParseFromString(Hold().bytes()));
    return message;
  }
  // The same, as it is sent.
  platform::SharedEncoded<v1::SubscribeResponse> Hold() {
    platform::MutexLock lock(mu_);
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (!sending_.has_value() && std::chrono::steady_clock::now() < until) {
      changed_.WaitFor(mu_, kLong);
    }
    REQUIRE(sending_.has_value());
    return *sending_;
  }
  // Event types until there are `count`.
  std::vector<std::string> TakeEvents(size_t count) {
    std::vector<std::string> types;
    while (types.size() < count) {
      const v1::SubscribeResponse message = Take();
      for (const v1::Event& event : message.events()) types.push_back(event.type());
    }
    return types;
  }
  absl::Status AwaitEnd() {
    platform::MutexLock lock(mu_);
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (!ended_ && std::chrono::steady_clock::now() < until) changed_.WaitFor(mu_, kLong);
    REQUIRE(ended_);
    return status_;
  }

 private:
  SubscriptionHub*& hub_;
  platform::Mutex mu_;
  platform::CondVar changed_;
  std::optional<platform::SharedEncoded<v1::SubscribeResponse>> sending_;
  bool ended_ = false;
  absl::Status status_;
};

// Subscribers outlive their End, and so the hub is stopped before they go.
struct Fixture {
  explicit Fixture(const RecordEventLogOptions& log_options = {},
                   SubscriptionHub::Options options = {})
      : log(log_options),
        owned(std::make_unique<SubscriptionHub>(options, *log, metrics)),
        hub(owned.get()) {}
  ~Fixture() { hub->Stop(); }

  SlowSubscriber& Subscribe(Position from = {}, EventFilter filter = Wanting({})) {
    subscribers.push_back(std::make_unique<SlowSubscriber>(hub, from, std::move(filter)));
    CHECK(hub->Add(*subscribers.back()).ok());
    return *subscribers.back();
  }
  v1::ReadResponse Read(SubscriptionHub::ReadRequest request) {
    test::Notification done;
    absl::Status outcome;
    platform::Encoded<v1::ReadResponse> encoded;
    hub->Read(std::move(request), encoded, [&](const absl::Status& status) {
      outcome = status;
      done.Notify();
    });
    done.Wait();
    CHECK(outcome.ok());
    v1::ReadResponse response;
    CHECK(response.ParseFromString(encoded.bytes()));
    return response;
  }

  TestLog log;
  prometheus::Registry registry;
  Metrics metrics{registry};
  std::vector<std::unique_ptr<SlowSubscriber>> subscribers;
  std::unique_ptr<SubscriptionHub> owned;
  SubscriptionHub* hub;
};

TEST_CASE("A subscriber is greeted at once, also when there is nothing") {
  Fixture f;
  const auto greeting = f.Subscribe().Take();
  CHECK(greeting.events().empty());
  CHECK_FALSE(greeting.next().empty());
  CHECK_FALSE(greeting.gap());
}

TEST_CASE("A subscriber sees what is kept, then what comes, in order and once") {
  Fixture f;
  f.log.Append("one");
  f.log.Append("two");
  SlowSubscriber& subscriber = f.Subscribe();
  CHECK(subscriber.TakeEvents(2) == std::vector<std::string>{"one", "two"});
  f.log.Append("three");
  f.log.Append("four");
  CHECK(subscriber.TakeEvents(2) == std::vector<std::string>{"three", "four"});
}

TEST_CASE("A subscriber goes on after any position that it was given") {
  Fixture f;
  f.log.Append("one", 3);
  f.log.Append("two", 2);
  const auto all = f.Subscribe().Take();
  REQUIRE(all.events_size() == 5);
  for (int seen = 1; seen < 5; ++seen) {
    const auto from = ParsePosition(f.log->id(), all.events(seen - 1).position());
    REQUIRE(from.ok());
    const auto rest = f.Subscribe(*from).Take();
    REQUIRE(rest.events_size() == 5 - seen);
    CHECK(rest.events(0).position() == all.events(seen).position());
    CHECK(rest.next() == all.next());
  }
  CHECK(all.events(4).position() == all.next());
}

TEST_CASE("A slow subscriber holds up nobody and loses nothing") {
  Fixture f({.in_memory = {.max_rows = 2}});
  SlowSubscriber& slow = f.Subscribe();
  slow.Peek();
  SlowSubscriber& quick = f.Subscribe();
  quick.Take();
  std::vector<std::string> types;
  for (int i = 0; i < 50; ++i) {
    types.push_back("event" + std::to_string(i));
    f.log.Append(types.back());
    CHECK(quick.TakeEvents(1) == std::vector<std::string>{types.back()});
  }
  CHECK(slow.TakeEvents(50) == types);
}

// The positions of so many events, taken one message after the other.
std::vector<std::string> TakePositions(SlowSubscriber& subscriber, size_t count) {
  std::vector<std::string> positions;
  while (positions.size() < count) {
    const v1::SubscribeResponse message = subscriber.Take();
    for (const v1::Event& event : message.events()) positions.push_back(event.position());
  }
  return positions;
}

TEST_CASE("Slow subscribers are sent what quick ones were, wherever they stand") {
  Fixture f;
  SlowSubscriber& slow = f.Subscribe();
  slow.Peek();
  SlowSubscriber& quick = f.Subscribe();
  quick.Take();
  std::vector<std::string> positions;
  for (int i = 0; i < 20; ++i) {
    f.log.Append("event", 700);
    for (std::string& taken : TakePositions(quick, 700)) positions.push_back(std::move(taken));
  }
  CHECK(TakePositions(slow, 20 * 700) == positions);
  const auto from = ParsePosition(f.log->id(), positions[12'345]);
  REQUIRE(from.ok());
  const std::vector<std::string> rest(positions.begin() + 12'346, positions.end());
  CHECK(TakePositions(f.Subscribe(*from), rest.size()) == rest);
}

TEST_CASE("Subscribers who want the same are sent the same bytes") {
  Fixture f;
  SlowSubscriber& one = f.Subscribe();
  SlowSubscriber& other = f.Subscribe();
  SlowSubscriber& stranger = f.Subscribe({}, Wanting({"event"}));
  for (SlowSubscriber* subscriber : {&one, &other, &stranger}) subscriber->Take();
  f.log.Append("event", 700);
  CHECK(one.Hold().bytes().data() == other.Hold().bytes().data());
  CHECK(one.Hold().bytes().data() != stranger.Hold().bytes().data());
}

TEST_CASE("Pages are bounded and go on within a row") {
  SubscriptionHub::Options options;
  options.page.max_events = 4;
  Fixture f({}, options);
  f.log.Append("many", 10);
  SlowSubscriber& subscriber = f.Subscribe();
  CHECK(subscriber.Take().events_size() == 4);
  CHECK(subscriber.Take().events_size() == 4);
  CHECK(subscriber.Take().events_size() == 2);
}

TEST_CASE("A subscriber whose filter matches little is told how far it is") {
  SubscriptionHub::Options options;
  options.max_silent_rows = 10;
  Fixture f({}, options);
  SlowSubscriber& subscriber = f.Subscribe({}, Wanting({"wanted"}));
  const std::string greeting = subscriber.Take().next();
  for (int i = 0; i < 10; ++i) f.log.Append("other");
  const auto moved = subscriber.Take();
  CHECK(moved.events().empty());
  CHECK(moved.next() > greeting);
  f.log.Append("other");
  f.log.Append("wanted");
  const auto wanted = subscriber.Take();
  REQUIRE(wanted.events_size() == 1);
  CHECK(wanted.events(0).type() == "wanted");
}

TEST_CASE("A subscriber that comes too late is told of the gap once") {
  RecordEventLogOptions log_options;
  log_options.retention.max_bytes = 6400;
  Fixture f(log_options);
  for (int i = 0; i < 200; ++i) f.log.Append("event", 10);
  SlowSubscriber& subscriber = f.Subscribe({.row = 1, .index = 3});
  const auto first = subscriber.Take();
  CHECK(first.gap());
  REQUIRE(first.events_size() > 0);
  const auto position = ParsePosition(f.log->id(), first.events(0).position());
  REQUIRE(position.ok());
  CHECK(position->index == 1);
  CHECK(position->row > 1);
  f.log.Append("last");
  CHECK_FALSE(subscriber.Take().gap());
}

TEST_CASE("A subscriber that is cancelled is ended with why, whatever it was doing") {
  Fixture f;
  SlowSubscriber& parked = f.Subscribe();
  parked.Take();
  f.hub->Cancel(parked, absl::UnauthenticatedError("revoked"));
  CHECK(parked.AwaitEnd() == absl::UnauthenticatedError("revoked"));

  SlowSubscriber& sending = f.Subscribe();
  sending.Peek();
  f.hub->Cancel(sending, absl::UnauthenticatedError("revoked"));
  f.hub->Cancel(sending, absl::CancelledError("it went away as well"));
  sending.Take();
  CHECK(sending.AwaitEnd() == absl::UnauthenticatedError("revoked"));

  SlowSubscriber& broken = f.Subscribe();
  broken.Peek();
  broken.Abort();
  CHECK(broken.AwaitEnd().code() == absl::StatusCode::kCancelled);
  f.hub->Cancel(broken, absl::CancelledError("it went away"));
  CHECK(f.metrics.subscribers->Value() == 0);
}

TEST_CASE("There are at most so many subscribers") {
  SubscriptionHub::Options options;
  options.max_subscribers = 1;
  Fixture f({}, options);
  SlowSubscriber& first = f.Subscribe();
  first.Take();
  SlowSubscriber second(f.hub, {});
  const absl::Status refused = f.hub->Add(second);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(refused) == "TOO_MANY_SUBSCRIBERS");
  f.hub->Cancel(first, absl::CancelledError("it went away"));
  CHECK_FALSE(first.AwaitEnd().ok());
  f.Subscribe().Take();
}

TEST_CASE("Draining lets messages arrive, ends every subscriber and takes no new one") {
  Fixture f;
  SlowSubscriber& parked = f.Subscribe();
  parked.Take();
  SlowSubscriber& sending = f.Subscribe();
  sending.Peek();
  f.hub->Drain();
  CHECK(parked.AwaitEnd().code() == absl::StatusCode::kUnavailable);
  sending.Take();
  CHECK(platform::ReasonOf(sending.AwaitEnd()) == "DRAINING");
  SlowSubscriber late(f.hub, {});
  CHECK(f.hub->Add(late).code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("Stopping waits for no receiver") {
  Fixture f;
  SlowSubscriber& stuck = f.Subscribe();
  stuck.Peek();
  f.hub->Stop();
  CHECK_FALSE(stuck.AwaitEnd().ok());
  f.hub->Stop();
  platform::Encoded<v1::ReadResponse> response;
  absl::Status late;
  f.hub->Read({.filter = Wanting({})}, response, [&](const absl::Status& s) { late = s; });
  CHECK(late.code() == absl::StatusCode::kUnavailable);
}

TEST_CASE("Reads page through what is kept") {
  SubscriptionHub::Options options;
  options.page.max_rows = 2;
  Fixture f({}, options);
  for (int i = 0; i < 9; ++i) f.log.Append(i % 3 == 0 ? "wanted" : "other");

  const auto first = f.Read({.filter = Wanting({"wanted"}), .limit = 2});
  REQUIRE(first.events_size() == 2);
  CHECK(first.next() == first.events(1).position());
  CHECK_FALSE(first.end());
  const auto from = ParsePosition(f.log->id(), first.next());
  REQUIRE(from.ok());
  const auto rest = f.Read({.from = *from, .filter = Wanting({"wanted"}), .limit = 2});
  CHECK(rest.events_size() == 1);
  CHECK(rest.end());
  CHECK(rest.next() > rest.events(0).position());
  CHECK_FALSE(rest.gap());
}

}  // namespace
}  // namespace kantoku::events
