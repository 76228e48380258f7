// Await over gRPC with clients that read slowly, and a store that commits when a test says so.
#include "services/outputs/await_stream.h"

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/unit/outputs/test_replica.h"

namespace kantoku::outputs {
namespace {

constexpr size_t kMiB = size_t{1} << 20;

// A server that has all there is.
class Place {
 public:
  explicit Place(const OutputsServiceImpl::Options& options) : replica_(options, map_) {
    replica_.Open(0);
  }

  v1::OutputsService::Stub& stub() { return replica_.stub(); }
  size_t deferred() { return replica_.partition(0).deferred(); }
  platform::StoreFaults& faults() { return replica_.faults(0); }
  double answered() const { return replica_.answered(); }
  double waiters() const { return replica_.waiters(); }

  std::future<void> Put(uint64_t task, size_t bytes) { return replica_.Put(0, Task(task), bytes); }
  void PutAll(uint64_t first, uint64_t last, size_t bytes) {
    for (uint64_t i = first; i < last; ++i) Put(i, bytes);
    Put(last, bytes).wait();
    Put(1'000'000 + last, 1).wait();  // What was told before has been told.
  }
  // Lets the apply thread wait until the promise is kept.
  std::promise<void> Block() {
    std::promise<void> promise;
    replica_.Post(0, [until = promise.get_future()](OutputsPartition&, platform::Transaction&) {
      until.wait();
    });
    return promise;
  }
  template <typename Predicate>
  void Until(Predicate predicate) {
    replica_.Until(0, predicate);
  }

 private:
  const platform::AllHere map_{1};
  TestReplica replica_;
};

TEST_CASE("While answers are deferred no further request is read") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  AwaitClient client(place.stub());
  client.AskFor(1, 20);
  place.Until([&] { return place.deferred() > 0; });
  client.Ask({"ping"});  // No id, so it is answered as soon as it is read.
  client.HalfClose();
  const auto& read = client.ReadUntil(22);
  CHECK(read.size() == 21);
  CHECK(read.back() == "ping");
  CHECK(client.CountRead() == 21);
  CHECK(client.Finish().ok());
  CHECK(place.deferred() == 0);
}

TEST_CASE("However many answers are deferred, a client that reads gets them all") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  place.PutAll(21, 5000, 1);
  AwaitClient client(place.stub());
  client.AskFor(1, 5000);
  client.HalfClose();
  place.Until([&] { return place.deferred() > 4900; });
  client.ReadUntil(5001);
  CHECK(client.CountRead() == 5000);
  CHECK(client.Finish().ok());
}

TEST_CASE("A client that asks for no more and reads slowly gets every answer that it is owed") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  AwaitClient client(place.stub());
  client.AskFor(1, 21);
  client.HalfClose();
  place.Until([&] { return place.waiters() == 21; });
  place.PutAll(1, 20, kMiB);
  const size_t deferred = place.deferred();
  REQUIRE(deferred > 0);

  // The last one that waits is resolved; meanwhile the client reads, and what was deferred is to be
  // looked up when the apply thread has time for it.
  const int commits = place.faults().commits();
  place.faults().CloseGate();
  const auto put = place.Put(21, 1);
  place.faults().AwaitCommits(commits + 1);
  std::promise<void> go_on = place.Block();
  client.ReadUntil(20 - deferred);
  place.faults().OpenGate();
  client.ReadUntil(21 - deferred);
  go_on.set_value();

  client.ReadUntil(22);
  CHECK(client.CountRead() == 21);
  CHECK(client.Finish().ok());
}

TEST_CASE("Clients that do not read share a bound, and each that reads gets all its answers") {
  constexpr size_t kClients = 10;
  constexpr size_t kResults = 20;
  Place place({.max_answer_bytes = 4 * kMiB});
  place.PutAll(1, kResults, kMiB);
  std::vector<std::unique_ptr<AwaitClient>> clients;
  for (size_t i = 0; i < kClients; ++i) {
    clients.push_back(std::make_unique<AwaitClient>(place.stub()));
    clients.back()->AskFor(1, kResults);
    clients.back()->HalfClose();
  }
  const auto told = [&] { return static_cast<size_t>(place.answered()); };
  place.Until([&] { return told() + place.deferred() == kClients * kResults; });
  // The budget, and one more for each client.
  CHECK(told() <= 4 + kClients);
  for (const auto& client : clients) {
    client->ReadUntil(kResults + 1);
    CHECK(client->CountRead() == kResults);
    CHECK(client->Finish().ok());
  }
  CHECK(place.deferred() == 0);
}

TEST_CASE("A client that leaves takes what was deferred for it along") {
  Place place({.max_answer_bytes_per_stream = 4 * kMiB});
  place.PutAll(1, 20, kMiB);
  {
    AwaitClient client(place.stub());
    client.AskFor(1, 20);
    place.Until([&] { return place.deferred() > 0; });
  }
  place.Until([&] { return place.deferred() == 0; });
}

TEST_CASE("Await calls beyond the bound are refused, until one ends") {
  Place place({.max_await_streams = 2});
  auto first = std::make_unique<AwaitClient>(place.stub());
  AwaitClient second(place.stub());
  for (AwaitClient* const client : {first.get(), &second}) {
    client->Ask({"ping"});
    CHECK(client->ReadUntil(1).size() == 1);
  }
  const auto refusal = [&] {
    AwaitClient client(place.stub());
    client.HalfClose();
    return client.Finish();
  };
  const absl::Status refused = refusal();
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(refused) == "TOO_MANY_STREAMS");
  first.reset();
  place.Until([&] { return refusal().ok(); });
}

}  // namespace
}  // namespace kantoku::outputs
