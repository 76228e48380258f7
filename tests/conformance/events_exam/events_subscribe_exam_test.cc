// The exam of EventsService, second part: subscriptions, retention and restarts.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <thread>

#include "tests/conformance/events_exam/exam_client.h"

namespace kantoku::events {
namespace {

TEST_CASE("A subscriber gets what is kept, then what comes", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  exam.Append("two");
  auto subscription = exam.Subscribe();
  CHECK(subscription.Take(2) == Types{"one", "two"});
  exam.Append("three");
  CHECK(subscription.Take(1) == Types{"three"});
}

TEST_CASE("A subscriber can begin now, and knows where that is", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("before");
  v1::SubscribeRequest request;
  request.set_start(v1::START_AT_NOW);
  auto subscription = exam.Subscribe(request);
  const auto greeting = subscription.Next();
  CHECK(greeting.events().empty());
  exam.Append("after");
  CHECK(subscription.Take(1) == Types{"after"});

  v1::ReadRequest read;
  read.set_after(greeting.next());
  CHECK(TypesOf(exam.Read(read).events()) == Types{"after"});
}

TEST_CASE("A subscriber whose stream broke goes on where it was", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::SubscribeRequest request;
  Types seen;
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 3; ++i) exam.Append("event" + std::to_string(3 * round + i));
    auto subscription = exam.Subscribe(request);
    for (const std::string& type : subscription.Take(3)) seen.push_back(type);
    request.set_after(subscription.next());
    subscription.Cancel();
    CHECK(subscription.Finish().code() == absl::StatusCode::kCancelled);
  }
  Types expected;
  for (int i = 0; i < 15; ++i) expected.push_back("event" + std::to_string(i));
  CHECK(seen == expected);
}

TEST_CASE("Subscribers get only what matches", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  v1::SubscribeRequest request;
  request.mutable_filter()->add_types("wanted");
  auto subscription = exam.Subscribe(request);
  for (int i = 0; i < 20; ++i) exam.Append(i % 5 == 4 ? "wanted" : "other");
  CHECK(subscription.Take(4) == Types{"wanted", "wanted", "wanted", "wanted"});
}

TEST_CASE("A reader that does not read loses nothing and holds up nobody", "[keys][load]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  auto slow = exam.Subscribe();
  auto quick = exam.Subscribe();
  v1::EventRun large = Run("large", std::vector<uint64_t>(1000, 1));
  (*large.mutable_details())["message"] = std::string(1000, 'x');
  constexpr size_t kBatches = 20;
  for (size_t i = 0; i < kBatches; ++i) {
    exam.Append({large});
    CHECK(quick.Take(1000).size() == 1000);
  }
  CHECK(slow.Take(kBatches * 1000).size() == kBatches * 1000);
}

TEST_CASE("Many subscribers follow many sources, each in order", "[keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  constexpr int kSources = 4;
  constexpr uint64_t kBatches = 25;
  constexpr size_t kSubscribers = 20;
  std::deque<Subscription> subscriptions;
  auto stub = v1::EventsService::NewStub(exam.subject().channel());
  for (size_t i = 0; i < kSubscribers; ++i)
    subscriptions.emplace_back(*stub, Exam::Here(v1::SubscribeRequest()));
  std::atomic<int> odd = 0;  // Catch2 checks on one thread only.
  std::vector<std::jthread> sources;
  sources.reserve(kSources);
  for (int source = 0; source < kSources; ++source) {
    sources.emplace_back([&exam, &odd, source] {
      const std::string name = "source" + std::to_string(source);
      for (uint64_t i = 1; i <= kBatches; ++i) {
        const auto number = exam.TryAppend(
            Request(Fresh(name), i, Encode({Run(name + " " + std::to_string(100 + i))})));
        if (!number.ok() || *number != i) ++odd;
      }
    });
  }
  Types first;
  for (Subscription& subscription : subscriptions) {
    const Types types = subscription.Take(kSources * kBatches);
    if (first.empty()) first = types;
    CHECK(types == first);
  }
  sources.clear();
  CHECK(odd == 0);
  for (int source = 0; source < kSources; ++source) {
    Types own;
    std::copy_if(first.begin(), first.end(), std::back_inserter(own), [&](const std::string& type) {
      return type.starts_with("source" + std::to_string(source));
    });
    CHECK(own.size() == kBatches);
    CHECK(std::is_sorted(own.begin(), own.end()));
  }
}

TEST_CASE("Readers that come after retention are told of the gap", "[keys][limits]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("first");
  v1::ReadRequest read;
  read.set_after(exam.Read().events(0).position());
  exam.Append("second");
  CHECK_FALSE(exam.Read(read).gap());
  v1::EventRun large = Run("large");
  (*large.mutable_details())["message"] = std::string(100'000, 'x');
  for (int i = 0; i < 60; ++i) exam.Append({large});

  const auto page = exam.Read(read);
  CHECK(page.gap());
  CHECK(page.events(0).type() == "large");
  v1::SubscribeRequest request;
  request.set_after(read.after());
  auto late = exam.Subscribe(request);
  const auto message = late.Next();
  CHECK(message.gap());
  CHECK(message.events(0).type() == "large");
  read.clear_after();
  CHECK_FALSE(exam.Read(read).gap());
}

TEST_CASE("Readers are told of events that their source has dropped, between those that are there",
          "[empty][keys]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  const auto append = [&](uint64_t number, uint64_t previous, const std::string& type) {
    REQUIRE(exam.TryAppend(Request("a", number, Encode({Run(type)}, previous))).ok());
  };
  append(1, 0, "one");
  append(2, 1, "two");
  auto follower = exam.Subscribe();
  CHECK(follower.Take(2) == Types{"one", "two"});
  append(5, 4, "five");
  const auto told = follower.Next();
  CHECK(told.gap());
  CHECK(TypesOf(told.events()) == Types{"five"});
  append(6, 5, "six");
  CHECK(follower.Take(1) == Types{"six"});
  if (entry.durable) exam.Restart();

  // Whoever comes later is told at the same place, also when nothing there matches.
  auto late = exam.Subscribe();
  CHECK(late.Take(2) == Types{"one", "two"});
  const auto told_late = late.Next();
  CHECK(told_late.gap());
  CHECK(TypesOf(told_late.events()) == Types{"five", "six"});
  v1::SubscribeRequest only;
  only.mutable_filter()->add_types("one");
  auto filtered = exam.Subscribe(only);
  CHECK(filtered.Take(1) == Types{"one"});
  const auto told_nothing = filtered.Next();
  CHECK(told_nothing.gap());
  CHECK(told_nothing.events().empty());

  v1::ReadRequest read;
  read.set_limit(2);
  const auto before = exam.Read(read);
  CHECK_FALSE(before.gap());
  read.set_after(before.next());
  const auto after = exam.Read(read);
  CHECK(after.gap());
  CHECK(TypesOf(after.events()) == Types{"five", "six"});
  CHECK(exam.Read().gap());
}

TEST_CASE("A service that stops ends its streams, and says what to do", "[keys][restart]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  exam.Append("one");
  auto subscription = exam.Subscribe();
  subscription.Take(1);
  std::thread stop([&] { exam.subject().Stop(); });
  const absl::Status ended = subscription.Finish();
  stop.join();
  CHECK_REFUSED(ended, kUnavailable, "DRAINING");
}

TEST_CASE("After a restart a durable service goes on, and any other knows no old position",
          "[keys][restart]") {
  FOR_EVERY_SERVICE(entry);
  Exam exam(entry);
  for (int i = 0; i < 10; ++i) exam.Append("event" + std::to_string(i));
  const auto before = exam.Read();
  exam.Restart();
  v1::SubscribeRequest request;
  request.set_after(before.events(4).position());
  if (!entry.durable) {
    CHECK(exam.Read().events().empty());
    CHECK_REFUSED(exam.Subscribe(request).Finish(), kOutOfRange, "UNKNOWN_POSITION");
    return;
  }
  CHECK(exam.Read().SerializeAsString() == before.SerializeAsString());
  CHECK(*exam.TryAppend(Request(Fresh("inputs/0"), 10, Encode({Run("repeat")}))) == 10);
  exam.Append("after");
  auto subscription = exam.Subscribe(request);
  CHECK(subscription.Take(6) == Types{"event5", "event6", "event7", "event8", "event9", "after"});
}

}  // namespace
}  // namespace kantoku::events
