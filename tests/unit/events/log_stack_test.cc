#include "services/events/log_stack.h"

#include <prometheus/registry.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "services/events/log_records.h"
#include "services/events/position.h"
#include "services/platform/status.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/fake_clock.h"
#include "tests/support/notification.h"

namespace kantoku::events {
namespace {

// One store, and processes that have the log one after the other.
struct Fixture {
  std::shared_ptr<LogStack> Open(uint32_t new_id) {
    auto stack = LogStack::Open({.new_id = new_id}, *stores, clock, metrics);
    REQUIRE(stack.ok());
    return *std::move(stack);
  }
  static absl::StatusOr<AppendResult> Append(LogStack& stack, uint64_t number) {
    test::Notification done;
    absl::StatusOr<AppendResult> answer;
    stack.log().Append({.source = "a", .batches = {{number, "batch"}}},
                       [&](absl::StatusOr<AppendResult> result) {
                         answer = std::move(result);
                         done.Notify();
                       });
    done.Wait();
    return answer;
  }

  platform::FakeClock clock;
  std::unique_ptr<platform::RecordStoreFactory> stores =
      platform::MakeMemoryRecordStoreFactory(EventsSchema());
  prometheus::Registry registry;
  Metrics metrics{registry};
};

TEST_CASE("A position, and what was appended, is good with the next owner of the log") {
  Fixture f;
  const auto first = f.Open(7);
  REQUIRE(Fixture::Append(*first, 1).ok());
  REQUIRE(Fixture::Append(*first, 2).ok());
  PositionWriter writer(first->log().id());
  const std::string position(writer.Write({.row = 2}));
  SECTION("The one before has closed it") { first->Stop(); }
  SECTION("The one before knows nothing of it") {}

  const auto second = f.Open(8);
  const auto same = ParsePosition(second->log().id(), position);
  REQUIRE(same.ok());
  CHECK(*same == Position{.row = 2});
  CHECK(second->log().bounds().end == 3);
  const auto repeat = Fixture::Append(*second, 2);
  REQUIRE(repeat.ok());
  CHECK(repeat->repeats == 1);
}

TEST_CASE("An owner that was replaced appends nothing, and tells nobody that it has") {
  Fixture f;
  const auto first = f.Open(7);
  REQUIRE(Fixture::Append(*first, 1).ok());
  const auto second = f.Open(8);
  CHECK_FALSE(Fixture::Append(*first, 2).ok());
  CHECK(first->log().bounds().end == 2);
  CHECK(absl::IsAborted(first->log().health()));
  CHECK(second->log().bounds().end == 2);
}

TEST_CASE("Only who has the log counts what is kept") {
  Fixture f;
  const auto first = f.Open(7);
  REQUIRE(Fixture::Append(*first, 1).ok());
  first->Stop();
  CHECK(f.metrics.kept_batches->Value() == 0);
  const auto second = f.Open(8);
  CHECK(f.metrics.kept_batches->Value() == 1);
}

}  // namespace
}  // namespace kantoku::events
