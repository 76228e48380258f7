#include "services/events/event_batch.h"

#include <catch2/catch.hpp>
#include <string>

#include "services/platform/status.h"

namespace kantoku::events {
namespace {

v1::EventRun TwoTasks() {
  v1::EventRun run;
  run.set_type("task.started");
  run.set_task_ids(std::string(16, 'a') + std::string(16, 'b'));
  run.add_dispatches(3);
  run.add_dispatches(4);
  run.set_session_id(std::string(16, 's'));
  return run;
}

absl::Status Check(const v1::EventRun& run) {
  v1::EventBatch batch;
  *batch.add_runs() = run;
  v1::EventBatch parsed;
  return ParseEventBatch(batch.SerializeAsString(), parsed);
}

TEST_CASE("A run without tasks is a batch, and one event") {
  v1::EventRun run;
  run.set_type("executor.lost");
  CHECK(Check(run).ok());
  CHECK(CountEvents(run) == 1);
}

TEST_CASE("What does not unfold is refused, naming the run") {
  CHECK(Check(TwoTasks()).ok());

  v1::EventRun cut_ids = TwoTasks();
  cut_ids.mutable_task_ids()->pop_back();
  v1::EventRun odd_dispatches = TwoTasks();
  odd_dispatches.add_dispatches(5);
  v1::EventRun dispatches_alone = TwoTasks();
  dispatches_alone.clear_task_ids();
  v1::EventRun short_session = TwoTasks();
  short_session.set_session_id("s");
  v1::EventRun no_type = TwoTasks();
  no_type.clear_type();
  for (const v1::EventRun& run :
       {cut_ids, odd_dispatches, dispatches_alone, short_session, no_type}) {
    const absl::Status status = Check(run);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(platform::ReasonOf(status) == "INVALID_BATCH");
    CHECK(std::string(status.message()).find("runs[0]") != std::string::npos);
  }
}

TEST_CASE("Bytes that are no batch, or too many of them, are refused") {
  v1::EventBatch parsed;
  CHECK(platform::ReasonOf(ParseEventBatch("no batch", parsed)) == "INVALID_BATCH");
  CHECK(platform::ReasonOf(ParseEventBatch(std::string(kMaxBatchBytes + 1, '\0'), parsed)) ==
        "BATCH_TOO_LARGE");
  v1::EventBatch many;
  for (size_t i = 0; i <= kMaxBatchEvents; ++i) many.add_runs()->set_type("t");
  const absl::Status status = ParseEventBatch(many.SerializeAsString(), parsed);
  CHECK(platform::ReasonOf(status) == "BATCH_TOO_LARGE");
}

}  // namespace
}  // namespace kantoku::events
