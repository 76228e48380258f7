#ifndef KANTOKU_TESTS_UNIT_EVENTS_TEST_LOG_H_
#define KANTOKU_TESTS_UNIT_EVENTS_TEST_LOG_H_

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kantoku/events/v1/events.pb.h"
#include "services/events/event_filter.h"
#include "services/events/log_records.h"
#include "services/events/record_event_log.h"
#include "services/platform/clock.h"
#include "services/platform/store/memory/memory_record_store.h"
#include "tests/support/notification.h"

namespace kantoku::events {

// Events of one type; one alone is about no task.
inline v1::EventRun MakeRun(const std::string& type, int events = 1,
                            const std::string& owner = "local") {
  v1::EventRun run;
  run.set_type(type);
  run.set_namespace_("default");
  if (events > 1) {
    run.set_owner(owner);
    run.set_task_ids(std::string(16 * static_cast<size_t>(events), 't'));
  }
  return run;
}

// A log in memory that a test appends to and waits for.
class TestLog {
 public:
  explicit TestLog(const RecordEventLogOptions& options = {})
      : stores_(platform::MakeMemoryRecordStoreFactory(EventsSchema())),
        log_(*OpenRecordEventLog(options, *stores_, platform::Clock::Real())) {}

  void Append(const std::string& type, int events = 1) { Append({MakeRun(type, events)}); }

  void Append(const std::vector<v1::EventRun>& runs) {
    v1::EventBatch batch;
    batch.mutable_runs()->Add(runs.begin(), runs.end());
    test::Notification done;
    absl::Status outcome;
    AppendCommand command = {
        .source = "test/0",
        .batches = {{++number_, batch.SerializeAsString(), std::exchange(lost_, 0)}}};
    log_->Append(std::move(command), [&](const absl::StatusOr<AppendResult>& result) {
      outcome = result.status();
      done.Notify();
    });
    done.Wait();
    CHECK(outcome.ok());
  }

  // A batch is lost on its way, as the next one tells.
  void Lose() { lost_ = ++number_; }

  EventLog& operator*() { return *log_; }
  EventLog* operator->() { return log_.get(); }

 private:
  std::unique_ptr<platform::RecordStoreFactory> stores_;
  std::unique_ptr<EventLog> log_;
  uint64_t number_ = 0;
  uint64_t lost_ = 0;  // That the next batch follows; 0: none is.
};

// What the owner of MakeRun's events sees of these types.
inline EventFilter Wanting(const std::vector<std::string>& types) {
  v1::EventFilter filter;
  for (const std::string& type : types) filter.add_types(type);
  return *EventFilter::Make(filter, platform::Onlooker("local", {platform::kEveryNamespace}));
}

}  // namespace kantoku::events

#endif  // KANTOKU_TESTS_UNIT_EVENTS_TEST_LOG_H_
