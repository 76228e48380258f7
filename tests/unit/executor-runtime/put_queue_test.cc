#include "services/executor-runtime/put_queue.h"

#include <catch2/catch.hpp>
#include <utility>
#include <vector>

#include "services/executor-runtime/result_limits.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"
#include "tests/support/dispatches.h"

namespace kantoku::executor {
namespace {

using testing::DispatchOf;
using testing::IdOf;

using outputs::v1::PutRequest;
using outputs::v1::PutResponse;

const Registration kPooled{.handler = nullptr, .run_inline = false};
constexpr absl::Duration kNow = absl::Seconds(100);

const platform::SessionId kSession(platform::Uuid::FromBytes("0123456789abcdef").value());

// A queue with its ledger, and the call that is under way.
struct Desk {
  Ledger ledger{20'000};
  PutQueue queue{ledger, kSession, [] { return uint64_t{0}; }};
  PutRequest request;
  PutResponse response;

  HeldTaskPtr Add(uint64_t sequence, std::string data = "data") {
    auto message = DispatchOf(sequence);
    ledger.Receive(message, &kPooled, kNow);
    HeldTaskPtr task = ledger.Begin(kNow);
    Result result{std::move(data), "text/plain"};
    REQUIRE(ledger.End(task, kNow, result));
    queue.Add(task, std::move(result));
    return task;
  }
  bool Fill() { return queue.Fill(request); }
  // Every item gets this code.
  void Answer(int code, const std::string& reason = "") {
    response.Clear();
    for (int i = 0; i < request.items_size(); ++i) {
      auto& result = *response.add_results();
      result.mutable_status()->set_code(code);
      result.mutable_status()->set_reason(reason);
      if (code == 0) result.set_receipt("receipt for " + request.items(i).lease_token());
    }
    queue.OnAnswer(absl::OkStatus(), request, response, kNow);
  }
  void Fail(const absl::Status& status) {
    response.Clear();
    queue.OnAnswer(status, request, response, kNow);
  }
  inputs::v1::PullRequest Reports() {
    inputs::v1::PullRequest reports;
    ledger.FillReports(reports);
    return reports;
  }
};

TEST_CASE("What was handed back meanwhile is not put again") {
  Desk desk;
  desk.Add(1);
  REQUIRE(desk.Fill());
  desk.ledger.Abandon();
  desk.Fail(absl::UnavailableError("away"));
  CHECK_FALSE(desk.Fill());
  CHECK(desk.queue.size() == 0);
}

TEST_CASE("Results that gather leave together, and their receipts become acks") {
  Desk desk;
  CHECK_FALSE(desk.queue.Ready(kNow));
  desk.Add(1);
  REQUIRE(desk.queue.Ready(kNow));
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == 1);
  desk.Add(2);
  desk.Add(3);
  CHECK_FALSE(desk.queue.Ready(kNow));
  desk.Answer(0);
  REQUIRE(desk.Fill());
  REQUIRE(desk.request.items_size() == 2);
  CHECK(desk.request.session_id() == kSession.bytes());
  CHECK(desk.request.items(0).lease_token() == "lease 2");
  CHECK(desk.request.items(0).data() == "data");
  CHECK(desk.request.items(0).content_type() == "text/plain");
  desk.Answer(0);
  const auto reports = desk.Reports();
  REQUIRE(reports.acks_size() == 3);
  CHECK(reports.acks(0).receipt() == "receipt for lease 1");
  CHECK(desk.queue.size() == 0);
}

TEST_CASE("A call holds at most 10,000 results") {
  Desk desk;
  for (uint64_t i = 1; i <= 10'001; ++i) desk.Add(i, "");
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == kMaxPutItems);
  desk.Answer(0);
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == 1);
}

TEST_CASE("A call holds at most 16 MiB") {
  Desk desk;
  for (uint64_t i = 1; i <= 3; ++i) desk.Add(i, std::string(6 << 20, 'x'));
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == 2);
  CHECK(desk.request.ByteSizeLong() <= kMaxPutBytes);
}

TEST_CASE("The largest result goes alone and fits") {
  Desk desk;
  desk.Add(1, std::string(kMaxResultBytes, 'x'));
  desk.Add(2, std::string(4096, 'x'));
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == 1);
  CHECK(desk.request.ByteSizeLong() <= kMaxPutBytes);
}

TEST_CASE("What could not be put is tried again in its order after a pause") {
  Desk desk;
  desk.Add(1, "one");
  desk.Add(2, "two");
  REQUIRE(desk.Fill());
  desk.Add(3, "three");
  desk.Fail(absl::UnavailableError("away"));
  CHECK_FALSE(desk.queue.Ready(kNow));
  const absl::Duration later = desk.queue.next_time();
  CHECK(later > kNow);
  REQUIRE(desk.queue.Ready(later));
  REQUIRE(desk.Fill());
  REQUIRE(desk.request.items_size() == 3);
  CHECK(desk.request.items(0).data() == "one");
  CHECK(desk.request.items(1).data() == "two");
  CHECK(desk.request.items(2).data() == "three");
}

TEST_CASE("Pauses grow until something is taken") {
  Desk desk;
  desk.Add(1);
  desk.Fill();
  desk.Fail(absl::UnavailableError(""));
  const absl::Duration first = desk.queue.next_time() - kNow;
  desk.Fill();
  desk.Fail(absl::UnavailableError(""));
  CHECK(desk.queue.next_time() - kNow > first);
  desk.Fill();
  desk.Answer(0);
  desk.Add(2);
  CHECK(desk.queue.Ready(kNow));
}

TEST_CASE("A single result that is refused for now is tried again, the others are done") {
  Desk desk;
  desk.Add(1);
  desk.Add(2);
  desk.Fill();
  desk.response.add_results()->mutable_status()->set_code(8);  // RESOURCE_EXHAUSTED
  desk.response.add_results()->set_receipt("receipt");
  desk.queue.OnAnswer(absl::OkStatus(), desk.request, desk.response, kNow);
  CHECK(desk.Reports().acks_size() == 1);
  REQUIRE(desk.Fill());
  REQUIRE(desk.request.items_size() == 1);
  CHECK(desk.request.items(0).lease_token() == "lease 1");
}

TEST_CASE("A result that found no room is kept, and tried again when Outputs says") {
  Desk desk;
  desk.Add(1, "one");
  desk.Fill();
  task::v1::ItemStatus& full = *desk.response.add_results()->mutable_status();
  full.set_code(8);  // RESOURCE_EXHAUSTED
  full.set_reason("OUTPUTS_FULL");
  full.mutable_retry_after()->set_seconds(7);
  desk.queue.OnAnswer(absl::OkStatus(), desk.request, desk.response, kNow);
  CHECK(desk.queue.next_time() == kNow + absl::Seconds(7));
  REQUIRE(desk.Fill());
  CHECK(desk.request.items(0).data() == "one");
  full.mutable_retry_after()->set_seconds(86'400);
  desk.queue.OnAnswer(absl::OkStatus(), desk.request, desk.response, kNow);
  CHECK(desk.queue.next_time() == kNow + absl::Seconds(30));
}

TEST_CASE("A fenced result is handed back and costs no attempt") {
  Desk desk;
  desk.Add(1);
  desk.Fill();
  desk.Answer(9, "FENCED");
  const auto reports = desk.Reports();
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
  CHECK(reports.nacks(0).error().reason() == "FENCED");
  CHECK(desk.queue.size() == 0);
}

TEST_CASE("A result for a task that has another is handed back") {
  Desk desk;
  desk.Add(1);
  desk.Fill();
  desk.Answer(6, "ALREADY_EXISTS");
  CHECK(desk.Reports().nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
}

TEST_CASE("A result that Outputs calls invalid fails the task finally") {
  Desk desk;
  desk.Add(1);
  desk.Fill();
  desk.Answer(3, "RESULT_TOO_LARGE");
  const auto reports = desk.Reports();
  CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_FAILED_FINALLY);
  CHECK(reports.nacks(0).error().reason() == "RESULT_TOO_LARGE");
}

TEST_CASE("A lease that was renewed meanwhile is tried again at once") {
  Desk desk;
  const HeldTaskPtr renewed = desk.Add(1);
  desk.Fill();
  renewed->lease_token = "renewed";
  desk.Answer(7, "INVALID_LEASE");
  REQUIRE(desk.Fill());
  CHECK(desk.request.items(0).lease_token() == "renewed");
  CHECK(desk.request.items(0).data() == "data");
}

TEST_CASE("A result whose lease has ended waits for another lease, and holds nothing up") {
  Desk desk;
  const HeldTaskPtr waiting = desk.Add(1);
  desk.Fill();
  desk.Answer(7, "INVALID_LEASE");
  CHECK(desk.queue.size() == 1);
  desk.queue.OnTime(kNow);
  CHECK_FALSE(desk.queue.Ready(kNow));
  CHECK(desk.queue.next_time() == kNow + PutQueue::kRenewalPatience);

  desk.Add(2);
  REQUIRE(desk.queue.Ready(kNow));
  REQUIRE(desk.Fill());
  CHECK(desk.request.items_size() == 1);
  desk.Answer(0);

  SECTION("which comes") {
    waiting->lease_token = "renewed";
    desk.queue.OnTime(kNow);
    REQUIRE(desk.queue.Ready(kNow));
    REQUIRE(desk.Fill());
    CHECK(desk.request.items(0).lease_token() == "renewed");
    CHECK(desk.request.items(0).data() == "data");
    CHECK(desk.request.items(0).content_type() == "text/plain");
  }
  SECTION("which does not come: it is handed back and costs no attempt") {
    desk.queue.OnTime(kNow + PutQueue::kRenewalPatience - absl::Nanoseconds(1));
    CHECK(desk.Reports().nacks_size() == 0);
    desk.queue.OnTime(kNow + PutQueue::kRenewalPatience);
    const auto reports = desk.Reports();
    REQUIRE(reports.nacks_size() == 1);
    CHECK(reports.nacks(0).kind() == inputs::v1::NACK_KIND_RETURNED);
    CHECK(reports.nacks(0).error().reason() == "INVALID_LEASE");
    CHECK(desk.queue.size() == 0);
  }
  SECTION("and is forgotten when the dispatch is taken away") {
    desk.ledger.Abandon();
    desk.queue.OnTime(kNow);
    CHECK(desk.queue.size() == 0);
  }
}

TEST_CASE("A revoked dispatch is not put, nor tried again") {
  Desk desk;
  desk.Add(1);
  desk.Add(2);
  inputs::v1::HandlerControl revoke;
  revoke.set_task_id(IdOf(1));
  revoke.set_dispatch(1);
  revoke.set_action(inputs::v1::HANDLER_ACTION_REVOKE);
  SECTION("when it waits") {
    desk.ledger.OnControl(revoke, kNow);
    REQUIRE(desk.Fill());
    CHECK(desk.request.items_size() == 1);
  }
  SECTION("when it is under way") {
    REQUIRE(desk.Fill());
    desk.ledger.OnControl(revoke, kNow);
    desk.Fail(absl::UnavailableError("away"));
    REQUIRE(desk.Fill());
    CHECK(desk.request.items_size() == 1);
  }
  CHECK(desk.request.session_id() == kSession.bytes());
  CHECK(desk.request.items(0).lease_token() == "lease 2");
}

TEST_CASE("Nothing is called for when all that waited is revoked") {
  Desk desk;
  desk.Add(1)->dropped = true;
  CHECK_FALSE(desk.Fill());
  CHECK_FALSE(desk.queue.Ready(kNow));
}

TEST_CASE("A call that is refused as a whole is repeated item by item to find the culprit") {
  Desk desk;
  desk.Add(1);
  desk.Add(2);
  desk.Fill();
  desk.Fail(platform::Error(absl::StatusCode::kInvalidArgument, "BAD", "something"));
  REQUIRE(desk.queue.Ready(kNow));
  REQUIRE(desk.Fill());
  REQUIRE(desk.request.items_size() == 1);
  desk.Fail(platform::Error(absl::StatusCode::kInvalidArgument, "BAD", "something"));
  REQUIRE(desk.Fill());
  REQUIRE(desk.request.items_size() == 1);
  desk.Answer(0);
  const auto reports = desk.Reports();
  CHECK(reports.acks_size() == 1);
  REQUIRE(reports.nacks_size() == 1);
  CHECK(reports.nacks(0).error().reason() == "BAD");
}

TEST_CASE("An answer of the wrong length counts as none") {
  Desk desk;
  desk.Add(1);
  desk.Fill();
  desk.Fail(absl::OkStatus());
  CHECK(desk.Reports().acks_size() == 0);
  CHECK(desk.queue.size() == 1);
}

}  // namespace
}  // namespace kantoku::executor
