#include "client/cpp/src/gatherer.h"

#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "kantoku/status.h"
#include "services/platform/mutex.h"
#include "tests/support/fake_clock.h"

namespace kantoku::internal {
namespace {

using TestGatherer = Gatherer<std::string, int>;

class FakeRpc final : public Cancellable {
 public:
  void Cancel() override { cancelled = true; }
  std::vector<std::string> payloads;
  TestGatherer::BatchDone done;
  bool cancelled = false;
};

// A gatherer whose batches wait for the test to answer them. Items that are answered with
// RESOURCE_EXHAUSTED are to be sent again, those with ABORTED after a second.
class Fixture {
 public:
  explicit Fixture(TestGatherer::Limits limits = {.max_items = 100})
      : gatherer(
            limits, timer,
            [this](std::vector<std::string> payloads, TestGatherer::BatchDone done) {
              auto rpc = std::make_shared<FakeRpc>();
              rpc->payloads = std::move(payloads);
              rpc->done = std::move(done);
              platform::MutexLock lock(mutex);
              rpcs.push_back(rpc);
              changed.SignalAll();
              return rpc;
            },
            [](const auto& result) -> std::optional<absl::Duration> {
              if (absl::IsAborted(result.status())) return absl::Seconds(1);
              if (!absl::IsResourceExhausted(result.status())) return std::nullopt;
              return absl::ZeroDuration();
            }) {}

  // A batch that nobody answered holds its call, which holds the batch.
  ~Fixture() {
    for (const auto& rpc : rpcs) rpc->done = nullptr;
  }

  // Submits a call; its results appear in results[name].
  void Submit(const std::string& name, const std::vector<std::string>& payloads,
              absl::Duration timeout = absl::InfiniteDuration()) {
    std::vector<absl::StatusOr<TestGatherer::Item>> items;
    items.reserve(payloads.size());
    for (const auto& payload : payloads) {
      items.emplace_back(TestGatherer::Item{payload, payload.size()});
    }
    gatherer.Submit(std::move(items), timeout, [this, name](TestGatherer::Results answer) {
      platform::MutexLock lock(mutex);
      const bool first = results.emplace(name, std::move(answer)).second;
      CHECK(first);
      changed.SignalAll();
    });
  }

  // Answers the oldest batch with the lengths of its payloads.
  void Answer() {
    const auto rpc = rpcs.at(answered++);
    TestGatherer::Results lengths;
    for (const auto& payload : rpc->payloads)
      lengths.emplace_back(static_cast<int>(payload.size()));
    rpc->done(std::move(lengths));
  }
  void AnswerWith(absl::StatusOr<TestGatherer::Results> answer) {
    rpcs.at(answered++)->done(std::move(answer));
  }

  std::vector<absl::StatusOr<int>> ResultsOf(const std::string& name) {
    platform::MutexLock lock(mutex);
    while (results.count(name) == 0) {
      changed.WaitFor(mutex, std::chrono::seconds(30));
    }
    return results[name];
  }
  // The batch of that number, from 0, which a timer may send.
  std::vector<std::string> AwaitBatch(size_t number) {
    platform::MutexLock lock(mutex);
    while (rpcs.size() <= number) changed.WaitFor(mutex, std::chrono::seconds(30));
    return rpcs[number]->payloads;
  }
  bool answered_call(const std::string& name) {
    platform::MutexLock lock(mutex);
    return results.count(name) > 0;
  }

  platform::FakeClock clock;
  platform::Mutex mutex;
  platform::CondVar changed;
  std::map<std::string, TestGatherer::Results> results;
  std::vector<std::shared_ptr<FakeRpc>> rpcs;
  size_t answered = 0;
  TestGatherer gatherer;
  // Destroyed first: it runs functions of the gatherer.
  Timer timer{clock};
};

TEST_CASE("A call that finds nothing under way leaves at once") {
  Fixture f;
  f.Submit("a", {"x"});
  REQUIRE(f.rpcs.size() == 1);
  CHECK(f.rpcs[0]->payloads == std::vector<std::string>{"x"});
  f.Answer();
  CHECK(f.ResultsOf("a")[0].value() == 1);
  CHECK(f.rpcs.size() == 1);
}

TEST_CASE("Calls made while a batch is under way leave together as the next one, in order") {
  Fixture f;
  f.Submit("a", {"x"});
  f.Submit("b", {"yy", "zzz"});
  f.Submit("c", {"wwww"});
  REQUIRE(f.rpcs.size() == 1);
  f.Answer();
  REQUIRE(f.rpcs.size() == 2);
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"yy", "zzz", "wwww"});
  CHECK_FALSE(f.answered_call("b"));
  f.Answer();
  CHECK(f.ResultsOf("b")[1].value() == 3);
  CHECK(f.ResultsOf("c")[0].value() == 4);
}

TEST_CASE("A call larger than a batch is cut by items and by bytes, and answered once in order") {
  Fixture f({.max_items = 3, .max_bytes = 10});
  f.Submit("a", {"1", "22", "333", "4444", "55555", "666666", "7"});
  std::vector<std::vector<std::string>> batches;
  for (size_t i = 0; i < f.rpcs.size(); ++i) {
    batches.push_back(f.rpcs[i]->payloads);
    f.Answer();
  }
  CHECK(batches == std::vector<std::vector<std::string>>{
                       {"1", "22", "333"}, {"4444", "55555"}, {"666666", "7"}});
  const auto results = f.ResultsOf("a");
  REQUIRE(results.size() == 7);
  for (int i = 0; i < 6; ++i) CHECK(results[i].value() == i + 1);
  CHECK(results[6].value() == 1);
}

TEST_CASE("What an answer had no room for leaves again, before what came later") {
  Fixture f;
  f.Submit("a", {"x", "yy", "zzz"});
  f.Submit("b", {"wwww"});
  const absl::Status no_room = absl::ResourceExhaustedError("no room");
  f.AnswerWith(TestGatherer::Results{1, no_room, no_room});
  REQUIRE(f.rpcs.size() == 2);
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"yy", "zzz", "wwww"});
  CHECK_FALSE(f.answered_call("a"));
  f.AnswerWith(TestGatherer::Results{2, no_room, 4});
  CHECK(f.ResultsOf("b")[0].value() == 4);
  REQUIRE(f.rpcs.size() == 3);
  CHECK(f.rpcs[2]->payloads == std::vector<std::string>{"zzz"});
  f.Answer();
  const auto results = f.ResultsOf("a");
  for (int i = 0; i < 3; ++i) CHECK(results[i].value() == i + 1);
}

TEST_CASE("A server that has room for nothing is not asked in a circle") {
  Fixture f;
  f.Submit("a", {"x", "y"});
  const absl::Status no_room = absl::ResourceExhaustedError("no room");
  f.AnswerWith(TestGatherer::Results{no_room, no_room});
  CHECK(f.rpcs.size() == 1);
  CHECK(f.ResultsOf("a")[1].status() == no_room);
}

TEST_CASE("What is to be sent again and whose time is over is not sent") {
  Fixture f;
  f.Submit("a", {"x"});
  f.Submit("b", {"yy", "zzz"}, absl::Seconds(1));
  f.Answer();
  f.Submit("c", {"wwww"});
  f.clock.Advance(absl::Seconds(1));
  CHECK(f.ResultsOf("b").size() == 2);
  f.AnswerWith(TestGatherer::Results{2, absl::ResourceExhaustedError("no room")});
  REQUIRE(f.rpcs.size() == 3);
  CHECK(f.rpcs[2]->payloads == std::vector<std::string>{"wwww"});
}

TEST_CASE("What the server has no room for rests for as long as it says, and then leaves first") {
  Fixture f;
  f.Submit("a", {"x", "yy", "zzz"});
  const absl::Status full = absl::AbortedError("full");
  f.AnswerWith(TestGatherer::Results{1, full, full});
  CHECK(f.rpcs.size() == 1);
  f.Submit("b", {"wwww"});
  f.Submit("c", {"vvvvv"});
  f.Submit("last alarm", {"late"}, absl::Seconds(1));
  REQUIRE(f.rpcs.size() == 2);
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"wwww"});
  f.clock.Advance(absl::Seconds(1));
  f.ResultsOf("last alarm");
  CHECK_FALSE(f.answered_call("a"));
  f.Answer();
  REQUIRE(f.rpcs.size() == 3);
  CHECK(f.rpcs[2]->payloads == std::vector<std::string>{"yy", "zzz", "vvvvv"});
  f.Answer();
  const auto results = f.ResultsOf("a");
  for (int i = 0; i < 3; ++i) CHECK(results[i].value() == i + 1);
  CHECK(f.ResultsOf("c")[0].value() == 5);
}

TEST_CASE("What rests leaves by itself, and is not sent twice") {
  Fixture f;
  f.Submit("a", {"x"});
  f.AnswerWith(TestGatherer::Results{absl::AbortedError("full")});
  f.clock.Advance(absl::Seconds(1));
  CHECK(f.AwaitBatch(1) == std::vector<std::string>{"x"});
  f.Answer();
  CHECK(f.ResultsOf("a")[0].value() == 1);
  f.gatherer.WakeAll();
  CHECK(f.rpcs.size() == 2);
}

TEST_CASE("A call whose time is over while it rests says that there was no room, and is not sent") {
  Fixture f;
  f.Submit("a", {"x"}, absl::Milliseconds(500));
  f.AnswerWith(TestGatherer::Results{absl::AbortedError("full")});
  f.clock.Advance(absl::Milliseconds(500));
  const auto results = f.ResultsOf("a");
  CHECK(results[0].status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(std::string(results[0].status().message()).find("no room") != std::string::npos);
  f.gatherer.WakeAll();
  CHECK(f.rpcs.size() == 1);
}

TEST_CASE("An item that has rested long enough is answered as it is") {
  Fixture f({.max_items = 100, .max_rest = absl::Milliseconds(1'500)});
  f.Submit("a", {"x"});
  const absl::Status full = absl::AbortedError("full");
  f.AnswerWith(TestGatherer::Results{full});
  f.clock.Advance(absl::Seconds(1));
  f.AwaitBatch(1);
  CHECK_FALSE(f.answered_call("a"));
  f.AnswerWith(TestGatherer::Results{full});
  CHECK(f.ResultsOf("a")[0].status() == full);
  CHECK(f.rpcs.size() == 2);
}

TEST_CASE("What rests counts as waiting") {
  Fixture f({.max_items = 100, .max_bytes = 100, .max_queued_bytes = 10});
  f.Submit("a", {"0123456789"});
  f.AnswerWith(TestGatherer::Results{absl::AbortedError("full")});
  f.Submit("b", {"x"});
  CHECK(ReasonOf(f.ResultsOf("b")[0].status()) == "CLIENT_QUEUE_FULL");
  f.gatherer.WakeAll();
  CHECK(f.AwaitBatch(1) == std::vector<std::string>{"0123456789"});
  f.Submit("c", {"x"});
  f.Answer();
  CHECK(f.AwaitBatch(2) == std::vector<std::string>{"x"});
}

TEST_CASE("What rested for a call that is over makes room at once") {
  Fixture f({.max_items = 100, .max_bytes = 100, .max_queued_bytes = 10});
  f.Submit("a", {"0123456789"}, absl::Seconds(1));
  f.clock.Advance(absl::Seconds(1));
  f.ResultsOf("a");
  f.AnswerWith(TestGatherer::Results{absl::AbortedError("full")});
  f.Submit("b", {"x"});
  REQUIRE(f.rpcs.size() == 2);
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"x"});
}

TEST_CASE("An item that fits into no batch is refused and does not stop the others") {
  Fixture f({.max_items = 3, .max_bytes = 4});
  f.Submit("a", {"12345", "1234"});
  REQUIRE(f.rpcs.size() == 1);
  f.Answer();
  const auto results = f.ResultsOf("a");
  CHECK(results[0].status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(results[0].status()) == "TOO_LARGE");
  CHECK(results[1].value() == 4);
}

TEST_CASE("A call of which nothing is left to send is answered at once") {
  Fixture f({.max_items = 3, .max_bytes = 4});
  f.Submit("a", {"12345"});
  f.Submit("b", {});
  CHECK(f.rpcs.empty());
  CHECK(f.ResultsOf("a").size() == 1);
  CHECK(f.ResultsOf("b").empty());
}

TEST_CASE("An error of the whole batch reaches every call in it, and the next batch goes out") {
  Fixture f;
  f.Submit("a", {"x"});
  f.Submit("b", {"y", "z"});
  f.AnswerWith(absl::NotFoundError("no such namespace"));
  CHECK(f.ResultsOf("a")[0].status() == absl::NotFoundError("no such namespace"));
  REQUIRE(f.rpcs.size() == 2);
  f.AnswerWith(absl::NotFoundError("still none"));
  CHECK(f.ResultsOf("b")[1].status() == absl::NotFoundError("still none"));
}

TEST_CASE("A wrong number of answers is the server's fault and nobody gets another's answer") {
  Fixture f;
  f.Submit("a", {"x", "y"});
  TestGatherer::Results one;
  one.emplace_back(1);
  f.AnswerWith(std::move(one));
  CHECK(f.ResultsOf("a")[0].status().code() == absl::StatusCode::kInternal);
  CHECK(f.ResultsOf("a")[1].status().code() == absl::StatusCode::kInternal);
}

TEST_CASE("A call whose time is over while it queues is never sent, and says so") {
  Fixture f;
  f.Submit("a", {"x"});
  f.Submit("b", {"late"}, absl::Seconds(5));
  f.Submit("c", {"y"});
  f.clock.Advance(absl::Seconds(5));
  const auto late = f.ResultsOf("b");
  CHECK(late[0].status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(std::string(late[0].status().message()).find("never sent") != std::string::npos);
  f.Answer();
  REQUIRE(f.rpcs.size() == 2);
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"y"});
}

TEST_CASE("A call whose time is over under way says that its outcome is unknown") {
  Fixture f;
  f.Submit("a", {"x"}, absl::Seconds(5));
  f.clock.Advance(absl::Seconds(5));
  const auto results = f.ResultsOf("a");
  CHECK(results[0].status().code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(std::string(results[0].status().message()).find("unknown") != std::string::npos);
}

TEST_CASE("A batch is cancelled when the last call in it has run out of time, not before") {
  Fixture f;
  f.Submit("first", {"x"});
  f.Submit("a", {"y"}, absl::Seconds(5));
  f.Submit("b", {"z"}, absl::Seconds(9));
  f.Answer();
  REQUIRE(f.rpcs.size() == 2);
  f.clock.Advance(absl::Seconds(5));
  f.ResultsOf("a");
  CHECK_FALSE(f.rpcs[1]->cancelled);
  f.clock.Advance(absl::Seconds(4));
  f.ResultsOf("b");
  // The call is answered after its batch was cancelled.
  CHECK(f.rpcs[1]->cancelled);
  f.AnswerWith(absl::CancelledError("as asked"));
  f.Submit("c", {"w"});
  CHECK(f.rpcs.size() == 3);
}

TEST_CASE("What waits is bounded: a call beyond it is refused and not sent") {
  Fixture f({.max_items = 100, .max_bytes = 100, .max_queued_bytes = 10});
  f.Submit("a", {"under way"});
  f.Submit("b", {"0123456789"});
  f.Submit("c", {"x"});
  CHECK(f.ResultsOf("c")[0].status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(ReasonOf(f.ResultsOf("c")[0].status()) == "CLIENT_QUEUE_FULL");
  f.Answer();
  CHECK(f.rpcs[1]->payloads == std::vector<std::string>{"0123456789"});
  f.Submit("d", {"room again"});
  f.Answer();
  CHECK(f.rpcs.size() == 3);
}

}  // namespace
}  // namespace kantoku::internal
