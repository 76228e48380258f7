#include "services/executor-runtime/item_queue.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "services/executor-runtime/result_limits.h"
#include "services/platform/status.h"
#include "tests/support/dispatches.h"

namespace kantoku::executor {
namespace {

using outputs::v1::PutItemsRequest;
using outputs::v1::PutItemsResponse;
using testing::DispatchOf;
using testing::IdOf;

const Registration kPooled{.handler = nullptr, .run_inline = false};
constexpr absl::Duration kNow = absl::Seconds(100);
const platform::SessionId kSession(platform::Uuid::FromBytes("0123456789abcdef").value());

// A queue with what is around it, and the call that is under way.
struct ItemDesk {
  Ledger ledger{20'000};
  PutQueue puts{ledger, kSession, [] { return uint64_t{0}; }};
  ItemQueue queue{ledger, puts, kSession, [] { return uint64_t{0}; }};
  PutItemsRequest request;
  PutItemsResponse response;
  absl::Duration now = kNow;

  HeldTaskPtr Begin(uint64_t sequence) {
    auto message = DispatchOf(sequence);
    ledger.Receive(message, &kPooled, now);
    return ledger.Begin(now);
  }
  void Yield(const HeldTaskPtr& task, std::string data) {
    queue.Add(task, {std::move(data), "text/plain"});
  }
  void End(const HeldTaskPtr& task, const absl::StatusOr<Result>& result = Result{"done", ""}) {
    if (ledger.End(task, now, result)) {
      queue.Finish(task, *result);
    } else {
      queue.Drop(*task);
    }
  }
  // What leaves next, as "task:first:items joined"; empty when nothing does.
  std::vector<std::string> Fill() {
    std::vector<std::string> batches;
    if (!queue.Ready(now) || !queue.Fill(request)) return batches;
    for (const auto& batch : request.batches()) {
      std::string text = batch.lease_token() + ":" + std::to_string(batch.first_sequence()) + ":";
      for (const auto& item : batch.items()) text += item.data();
      batches.push_back(text);
    }
    return batches;
  }
  void Answer(
      const std::map<std::string, std::pair<absl::StatusCode, std::string>>& refusals = {}) {
    response.Clear();
    for (const auto& batch : request.batches()) {
      auto& result = *response.add_results();
      const auto refusal = refusals.find(batch.lease_token());
      if (refusal == refusals.end()) continue;
      result.mutable_status()->set_code(static_cast<int>(refusal->second.first));
      result.mutable_status()->set_reason(refusal->second.second);
    }
    queue.OnAnswer(absl::OkStatus(), request, response, now);
  }
  void Fail(const absl::Status& status) {
    response.Clear();
    queue.OnAnswer(status, request, response, now);
  }
  inputs::v1::PullRequest Reports() {
    inputs::v1::PullRequest reports;
    ledger.FillReports(reports);
    return reports;
  }
  // The item count of the result that is to be put; -1 when there is none.
  int64_t PutCount() {
    outputs::v1::PutRequest put;
    if (!puts.Ready(now) || !puts.Fill(put)) return -1;
    return static_cast<int64_t>(put.items(0).item_count());
  }
};

using Batches = std::vector<std::string>;

TEST_CASE("Items that gather while others are on their way leave together") {
  ItemDesk desk;
  const auto one = desk.Begin(1);
  const auto two = desk.Begin(2);
  CHECK(desk.Fill().empty());
  desk.Yield(one, "a");
  CHECK(desk.Fill() == Batches{"lease 1:1:a"});
  desk.Yield(one, "b");
  desk.Yield(two, "x");
  desk.Yield(one, "c");
  CHECK(desk.Fill().empty());
  desk.Answer();
  CHECK(desk.Fill() == Batches{"lease 2:1:x", "lease 1:2:bc"});
  desk.Answer();
  CHECK(desk.Fill().empty());
  CHECK_FALSE(desk.queue.Holds(*one));
}

TEST_CASE("A result is put when all items before it are durable, and tells how many they are") {
  ItemDesk desk;
  const auto task = desk.Begin(1);
  desk.Yield(task, "a");
  REQUIRE(desk.Fill().size() == 1);
  desk.Yield(task, "b");
  desk.End(task);
  CHECK(desk.PutCount() == -1);
  desk.Answer();
  CHECK(desk.PutCount() == -1);
  CHECK(desk.Fill() == Batches{"lease 1:2:b"});
  desk.Answer();
  CHECK(desk.PutCount() == 2);
}

TEST_CASE("What was not answered is sent again as it was") {
  ItemDesk desk;
  const auto task = desk.Begin(1);
  desk.Yield(task, "a");
  desk.Fill();
  desk.Yield(task, "b");
  desk.Fail(absl::UnavailableError("away"));
  CHECK(desk.Fill().empty());
  desk.now = desk.queue.next_time();
  CHECK(desk.Fill() == Batches{"lease 1:1:ab"});
  desk.Answer();
  CHECK_FALSE(desk.queue.Holds(*task));
}

TEST_CASE("A window is bounded in items and bytes, and has room again when items are durable") {
  ItemDesk desk;
  const auto task = desk.Begin(1);
  CHECK(desk.queue.HasRoom(*task, 4 << 20));
  for (size_t i = 0; i < ItemQueue::kWindowItems; ++i) {
    REQUIRE(desk.queue.HasRoom(*task, 1));
    desk.Yield(task, "x");
  }
  CHECK_FALSE(desk.queue.HasRoom(*task, 1));
  CHECK(desk.queue.HasRoom(*desk.Begin(2), 1));
  desk.Fill();
  CHECK_FALSE(desk.queue.TakeRoomMade());
  CHECK_FALSE(desk.queue.HasRoom(*task, 1));
  desk.Answer();
  CHECK(desk.queue.TakeRoomMade());
  CHECK(desk.queue.HasRoom(*task, 1));
  desk.Yield(task, std::string(ItemQueue::kWindowBytes - 100, 'x'));
  CHECK_FALSE(desk.queue.HasRoom(*task, 200));
  CHECK(desk.queue.HasRoom(*task, 50));
}

TEST_CASE("When Outputs is full items are sent again when it says") {
  ItemDesk desk;
  const auto task = desk.Begin(1);
  desk.Yield(task, "a");
  desk.Fill();
  desk.response.Clear();
  auto& status = *desk.response.add_results()->mutable_status();
  status.set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
  status.mutable_retry_after()->set_seconds(7);
  desk.queue.OnAnswer(absl::OkStatus(), desk.request, desk.response, desk.now);
  CHECK(desk.queue.next_time() == kNow + absl::Seconds(7));
  desk.now = desk.queue.next_time();
  CHECK(desk.Fill() == Batches{"lease 1:1:a"});
}

TEST_CASE("A fenced dispatch is handed back, and its handler asked to stop") {
  ItemDesk desk;
  const auto running = desk.Begin(1);
  const auto putting = desk.Begin(2);
  desk.Yield(running, "a");
  desk.Yield(putting, "x");
  desk.End(putting);
  desk.Fill();
  desk.Answer({{"lease 1", {absl::StatusCode::kFailedPrecondition, "FENCED"}},
               {"lease 2", {absl::StatusCode::kAlreadyExists, "HAS_RESULT"}}});
  CHECK(running->stop_cause.load() == StopCause::kRevoked);
  const auto reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 2);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(reports.nacks(0).error().reason() == "FENCED");
  CHECK(desk.Fill().empty());
  CHECK(desk.PutCount() == -1);
  desk.End(running);
  CHECK(desk.PutCount() == -1);
}

TEST_CASE("An item that Outputs calls invalid fails its task for good, and no other") {
  ItemDesk desk;
  const auto bad = desk.Begin(1);
  const auto good = desk.Begin(2);
  desk.Yield(bad, "a");
  desk.Yield(good, "x");
  desk.Fill();
  // As a whole, so that they go one by one.
  desk.Fail(absl::InvalidArgumentError("one of them"));
  CHECK(desk.Fill() == Batches{"lease 1:1:a"});
  desk.Fail(platform::Error(absl::StatusCode::kInvalidArgument, "BAD", "this one"));
  CHECK(desk.Fill() == Batches{"lease 2:1:x"});
  desk.Answer();
  const auto reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(reports.nacks(0).task_id() == IdOf(1));
}

TEST_CASE("Items whose lease has ended wait for its renewal, and are handed back without one") {
  ItemDesk desk;
  const auto renewed = desk.Begin(1);
  const auto forgotten = desk.Begin(2);
  desk.Yield(renewed, "a");
  desk.Yield(forgotten, "x");
  desk.Fill();
  desk.Answer({{"lease 1", {absl::StatusCode::kPermissionDenied, "INVALID_LEASE"}},
               {"lease 2", {absl::StatusCode::kPermissionDenied, "INVALID_LEASE"}}});
  CHECK(desk.Fill().empty());
  desk.Yield(renewed, "b");
  CHECK(desk.Fill().empty());
  renewed->lease_token = "new lease";
  desk.queue.OnTime(desk.now);
  CHECK(desk.Fill() == Batches{"new lease:1:ab"});
  desk.Answer();
  CHECK(desk.queue.next_time() == kNow + PutQueue::kRenewalPatience);
  desk.now = desk.queue.next_time();
  desk.queue.OnTime(desk.now);
  REQUIRE(desk.Reports().nacks_size() == 1);
  CHECK(forgotten->stop_cause.load() == StopCause::kRevoked);
}

TEST_CASE("What was taken away or handed back meanwhile is not sent again") {
  ItemDesk desk;
  const auto task = desk.Begin(1);
  desk.Yield(task, "a");
  desk.End(task);
  desk.Fill();
  desk.ledger.Abandon();
  desk.Fail(absl::UnavailableError("away"));
  desk.now += absl::Seconds(10);
  CHECK(desk.Fill().empty());
  const auto failed = desk.Begin(2);
  desk.Yield(failed, "x");
  desk.End(failed, absl::InternalError("broken"));
  CHECK(desk.Fill().empty());
}

TEST_CASE("One call holds no more than Outputs takes") {
  ItemDesk desk;
  for (uint64_t i = 1; i <= 200; ++i) {
    const auto task = desk.Begin(i);
    desk.Yield(task, std::string(size_t{1} << 20, 'x'));
  }
  size_t batches = 0;
  while (!desk.Fill().empty()) {
    size_t bytes = 0;
    for (const auto& batch : desk.request.batches()) bytes += batch.items(0).data().size();
    CHECK(bytes <= kMaxPutBytes);
    batches += desk.request.batches_size();
    desk.Answer();
  }
  CHECK(batches == 200);
}

TEST_CASE("Whatever answers are lost, each item arrives once and in order") {
  std::mt19937 random(11);
  ItemDesk desk;
  constexpr uint64_t kTasks = 5;
  std::vector<HeldTaskPtr> tasks;
  std::map<std::string, std::string> there;
  std::map<std::string, std::string> yielded;
  for (uint64_t i = 1; i <= kTasks; ++i) tasks.push_back(desk.Begin(i));
  for (int step = 0; step < 5000; ++step) {
    const HeldTaskPtr& task = tasks[random() % kTasks];
    if (random() % 2 == 0 && desk.queue.HasRoom(*task, 1)) {
      const std::string data(1, static_cast<char>('a' + random() % 26));
      yielded[task->lease_token] += data;
      desk.Yield(task, data);
    }
    if (random() % 4 == 0) {
      desk.now += absl::Seconds(3);
      if (desk.Fill().empty()) continue;
      // The call arrives or not, and is answered or not.
      const bool arrives = random() % 3 > 0;
      for (const auto& batch : desk.request.batches()) {
        std::string& text = there[batch.lease_token()];
        REQUIRE(batch.first_sequence() <= text.size() + 1);
        for (int i = 0; arrives && i < batch.items_size(); ++i) {
          if (batch.first_sequence() + i == text.size() + 1) text += batch.items(i).data();
        }
      }
      if (arrives && random() % 2 == 0) {
        desk.Answer();
      } else {
        desk.Fail(absl::DeadlineExceededError("slow"));
      }
    }
  }
  while (true) {
    desk.now += absl::Seconds(3);
    if (desk.Fill().empty()) break;
    for (const auto& batch : desk.request.batches()) {
      std::string& text = there[batch.lease_token()];
      for (int i = 0; i < batch.items_size(); ++i) {
        if (batch.first_sequence() + i == text.size() + 1) text += batch.items(i).data();
      }
    }
    desk.Answer();
  }
  CHECK((there == yielded));
}

}  // namespace
}  // namespace kantoku::executor
