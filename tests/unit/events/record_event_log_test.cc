#include "services/events/record_event_log.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/events/log_records.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"
#include "tests/support/notification.h"

namespace kantoku::events {
namespace {

using platform::RecordStore;

// Opens stores that fail as told.
class FaultyFactory final : public platform::RecordStoreFactory {
 public:
  explicit FaultyFactory(platform::StoreFaults& faults) : faults_(faults) {}

  platform::StoreTraits traits() const override { return behind_->traits(); }
  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    KANTOKU_ASSIGN_OR_RETURN(auto store, behind_->Open(partition));
    return std::make_unique<platform::FaultInjectingRecordStore>(std::move(store), faults_);
  }

 private:
  platform::StoreFaults& faults_;
  const std::unique_ptr<platform::RecordStoreFactory> behind_ =
      platform::MakeMemoryRecordStoreFactory(EventsSchema());
};

// An append whose answer may be long in coming.
class PendingAppend {
 public:
  PendingAppend(EventLog& log, uint64_t number, std::string bytes, uint64_t previous = 0) {
    AppendCommand command = {.source = "a", .batches = {{number, std::move(bytes), previous}}};
    log.Append(std::move(command), [this](absl::StatusOr<AppendResult> result) {
      result_ = std::move(result);
      done_.Notify();
    });
  }
  bool answered() const { return done_.happened(); }
  absl::StatusOr<AppendResult> Await() {
    done_.Wait();
    return result_;
  }

 private:
  test::Notification done_;
  absl::StatusOr<AppendResult> result_;
};

struct Fixture {
  platform::FakeClock clock;
  platform::StoreFaults faults;
  FaultyFactory stores{faults};
  std::unique_ptr<EventLog> log;

  absl::Status Open(const RecordEventLogOptions& options = {}) {
    log.reset();
    auto opened = OpenRecordEventLog(options, stores, clock);
    if (!opened.ok()) return opened.status();
    log = *std::move(opened);
    return absl::OkStatus();
  }
  uint64_t Append(uint64_t number, const std::string& bytes, uint64_t previous = 0) {
    const auto result = PendingAppend(*log, number, bytes, previous).Await();
    REQUIRE(result.ok());
    return result->durable_number;
  }
  std::vector<std::string> Texts() {
    std::vector<std::string> texts;
    RowNumber from = 1;
    while (from < log->bounds().end) {
      const auto page = log->Read({.from = from});
      REQUIRE(page.ok());
      for (const LogRowPtr& row : page->rows) texts.push_back(row->batch);
      from = page->next;
    }
    return texts;
  }
};

TEST_CASE("Readers see nothing, and nobody is answered, before it is durable") {
  Fixture f;
  REQUIRE(f.Open().ok());
  const int before = f.faults.commits();
  f.faults.CloseGate();
  PendingAppend append(*f.log, 1, "one");
  f.faults.AwaitCommits(before + 1);
  CHECK_FALSE(append.answered());
  CHECK(f.log->bounds().end == 1);
  CHECK(f.log->Read({})->rows.empty());
  f.faults.OpenGate();
  CHECK(append.Await().ok());
  CHECK(f.Texts() == std::vector<std::string>{"one"});
}

TEST_CASE("A batch whose commit failed and was repeated by the source stands there once") {
  Fixture f;
  REQUIRE(f.Open().ok());
  const absl::Status error = platform::Error(absl::StatusCode::kUnavailable, "STORE_FAILING", "no");
  SECTION("the commit did not happen") { f.faults.FailCommit(error); }
  SECTION("the commit happened") { f.faults.LoseOutcome(error); }
  PendingAppend first(*f.log, 1, "one");
  CHECK(first.Await().status().code() == absl::StatusCode::kUnavailable);
  REQUIRE(f.clock.AwaitWaiter(absl::Seconds(1)));
  f.clock.Advance(absl::Seconds(1));
  test::Notification there;
  f.log->NotifyBeyond(1, [&] { there.Notify(); });
  there.Wait();
  CHECK(f.Append(1, "one") == 1);
  CHECK(f.Texts() == std::vector<std::string>{"one"});
}

TEST_CASE("Old rows leave although nothing is appended") {
  Fixture f;
  REQUIRE(f.Open({.retention = {.age = absl::Hours(1)}}).ok());
  f.Append(1, "one");
  const int before = f.faults.commits();
  REQUIRE(f.clock.AwaitWaiter(absl::Hours(1)));
  f.clock.Advance(absl::Hours(1));
  f.faults.AwaitCommits(before + 1);
  f.Append(2, "two");
  CHECK(f.Texts() == std::vector<std::string>{"two"});
}

TEST_CASE("A gap is told from the store as well, and its record leaves with the row") {
  Fixture f;
  REQUIRE(f.Open({.retention = {.age = absl::Hours(1)}, .in_memory = {.max_rows = 1}}).ok());
  f.Append(1, "one");
  f.Append(4, "after two that are lost", 3);
  f.Append(5, "next", 4);
  const auto page = f.log->Read({});
  REQUIRE(page.ok());
  std::vector<bool> gaps;
  for (const LogRowPtr& row : page->rows) gaps.push_back(row->gap);
  CHECK(gaps == std::vector<bool>{false, true, false});

  const int before = f.faults.commits();
  REQUIRE(f.clock.AwaitWaiter(absl::Hours(1)));
  f.clock.Advance(absl::Hours(1));
  f.faults.AwaitCommits(before + 1);
  f.log.reset();
  size_t records = 0;
  const auto count = [&](platform::RecordKey, std::string_view) { ++records; };
  REQUIRE((*f.stores.Open(0))->Scan({.kind = kGapKind}, count).ok());
  CHECK(records == 0);
}

TEST_CASE("A log that another owner took over is lost, and says so") {
  Fixture f;
  REQUIRE(f.Open().ok());
  const auto other = OpenRecordEventLog({}, f.stores, f.clock);
  REQUIRE(other.ok());
  PendingAppend append(*f.log, 1, "one");
  CHECK_FALSE(append.Await().ok());
  CHECK(f.log->health().code() == absl::StatusCode::kAborted);
  CHECK_FALSE(PendingAppend(*f.log, 1, "one").Await().ok());
}

TEST_CASE("Appends that wait when the log is lost are answered") {
  Fixture f;
  REQUIRE(f.Open().ok());
  const int before = f.faults.commits();
  f.faults.CloseGate();
  f.faults.FailCommit(platform::Error(absl::StatusCode::kAborted, "STORE_FENCED", "fenced"));
  std::vector<std::unique_ptr<PendingAppend>> appends;
  appends.push_back(std::make_unique<PendingAppend>(*f.log, 1, "one"));
  f.faults.AwaitCommits(before + 1);
  for (uint64_t i = 2; i < 10; ++i) {
    appends.push_back(std::make_unique<PendingAppend>(*f.log, i, "more"));
  }
  f.faults.OpenGate();
  for (const auto& append : appends) CHECK_FALSE(append->Await().ok());
}

TEST_CASE("Appends are refused while too many bytes wait") {
  Fixture f;
  REQUIRE(f.Open().ok());
  f.faults.CloseGate();
  std::vector<std::unique_ptr<PendingAppend>> appends;
  const std::string megabytes(size_t{64} << 20, 'x');
  for (uint64_t i = 1; i <= 5; ++i) {
    appends.push_back(std::make_unique<PendingAppend>(*f.log, i, megabytes));
  }
  const auto refused = appends.back()->Await().status();
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(refused) == "APPENDS_PENDING");
  f.faults.OpenGate();
  appends.pop_back();
  for (const auto& append : appends) CHECK(append->Await().ok());
  CHECK(f.Append(5, "five") == 5);
}

TEST_CASE("A read that fails is an error, and the next one is not") {
  Fixture f;
  REQUIRE(f.Open({.in_memory = {.max_rows = 1}}).ok());
  for (uint64_t i = 1; i <= 5; ++i) f.Append(i, "x");
  f.faults.FailRead(platform::Error(absl::StatusCode::kUnavailable, "STORE_FAILING", "no"));
  CHECK(f.log->Read({}).status().code() == absl::StatusCode::kUnavailable);
  CHECK(f.log->Read({})->rows.size() == 5);
}

TEST_CASE("A log with a missing or damaged row does not open") {
  Fixture f;
  REQUIRE(f.Open().ok());
  for (uint64_t i = 1; i <= 5; ++i) f.Append(i, "x");
  f.log.reset();
  {
    auto store = f.stores.Open(0);
    REQUIRE(store.ok());
    platform::WriteBatch batch;
    batch.set_number(*(*store)->LastBatch() + 1);
    SECTION("missing") { batch.Erase(kRowKind, 3); }
    SECTION("damaged row") { batch.Put(kRowKind, 3, ""); }
    SECTION("damaged mark") { batch.Put(kMarkKind, 0, "?"); }
    REQUIRE((*store)->Commit(batch).ok());
  }
  const absl::Status opened = f.Open();
  CHECK(opened.code() == absl::StatusCode::kDataLoss);
  CHECK_THAT(std::string(opened.message()), Catch::Contains("recover the event log"));
}

TEST_CASE("The log remembers so many sources, and forgets only silent ones") {
  Fixture f;
  REQUIRE(f.Open({.retention = {.age = absl::Hours(1)}}).ok());
  const auto append = [&f](const std::string& source) {
    test::Notification done;
    absl::Status status;
    f.log->Append({.source = source, .batches = {{1, "x"}}},
                  [&](const absl::StatusOr<AppendResult>& result) {
                    status = result.status();
                    done.Notify();
                  });
    done.Wait();
    return status;
  };
  for (int i = 0; i < 4096; ++i) REQUIRE(append(absl::StrCat("source", i)).ok());
  CHECK(platform::ReasonOf(append("one more")) == "TOO_MANY_SOURCES");
  f.clock.Advance(absl::Hours(1));
  CHECK(append("one more").ok());
  REQUIRE(f.Open().ok());
  CHECK(append("one more").ok());
  CHECK(append("source4000").ok());
}

}  // namespace
}  // namespace kantoku::events
