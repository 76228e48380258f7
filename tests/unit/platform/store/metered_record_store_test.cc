#include "services/platform/store/decorators/metered_record_store.h"

#include <prometheus/text_serializer.h>

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fault_injecting_record_store.h"

namespace kantoku::platform {
namespace {

// Opens stores that take some time, and fail as told.
class SlowFactory final : public RecordStoreFactory {
 public:
  SlowFactory(FakeClock& clock, StoreFaults& faults)
      : clock_(clock),
        faults_(faults),
        behind_(MakeMemoryRecordStoreFactory(
            {.component = "test", .format = 1, .kinds = {{.kind = 1, .name = "thing"}}})) {}

  StoreTraits traits() const override { return {.name = "slow", .durable = true}; }
  absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) override {
    return std::make_unique<FaultInjectingRecordStore>(
        std::make_unique<Slow>(*behind_->Open(partition), clock_), faults_);
  }

 private:
  struct Slow : ForwardingRecordStore {
    Slow(std::unique_ptr<RecordStore> behind, FakeClock& clock)
        : ForwardingRecordStore(std::move(behind)), clock(clock) {}
    absl::Status Commit(const WriteBatch& batch) override {
      clock.Advance(absl::Milliseconds(3));
      return ForwardingRecordStore::Commit(batch);
    }
    FakeClock& clock;
  };

  FakeClock& clock_;
  StoreFaults& faults_;
  const std::unique_ptr<RecordStoreFactory> behind_;
};

TEST_CASE("Commits, reads and failures are measured per partition") {
  FakeClock clock;
  StoreFaults faults;
  prometheus::Registry registry;
  auto factory = MakeMeteredRecordStoreFactory(std::make_unique<SlowFactory>(clock, faults), "test",
                                               registry, clock);
  CHECK(factory->traits().name == "slow");
  auto store = *factory->Open(5);
  auto other = *factory->Open(6);
  WriteBatch batch;
  batch.set_number(1);
  batch.Put(1, 1, "value");
  batch.Erase(1, 2);
  faults.FailCommit(absl::UnavailableError("busy"));
  CHECK(store->Commit(batch).code() == absl::StatusCode::kUnavailable);
  CHECK(store->Commit(batch).ok());
  CHECK(store->Scan({.kind = 1}, [](RecordKey, std::string_view) {}).ok());
  faults.FailRead(absl::DataLossError("damaged"));
  CHECK_FALSE(store->Scan({.kind = 1}, [](RecordKey, std::string_view) {}).ok());

  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  const auto has = [&](const std::string& line) {
    CAPTURE(text);
    CHECK_THAT(text, Catch::Contains(line + "\n"));
  };
  const std::string labels = "component=\"test\",partition=\"5\"";
  has("kantoku_store_commit_seconds_count{" + labels + "} 1");
  has("kantoku_store_commit_seconds_sum{" + labels + "} 0.003");
  has("kantoku_store_read_seconds_count{" + labels + "} 1");
  has("kantoku_store_commit_bytes_total{" + labels + "} " + std::to_string(batch.bytes()));
  has("kantoku_store_commit_records_total{" + labels + "} 2");
  has("kantoku_store_failures_total{code=\"UNAVAILABLE\",component=\"test\","
      "operation=\"commit\",partition=\"5\"} 1");
  has("kantoku_store_failures_total{code=\"DATA_LOSS\",component=\"test\","
      "operation=\"read\",partition=\"5\"} 1");
  has("kantoku_store_commit_seconds_count{component=\"test\",partition=\"6\"} 0");
}

}  // namespace
}  // namespace kantoku::platform
