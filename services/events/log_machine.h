#ifndef KANTOKU_SERVICES_EVENTS_LOG_MACHINE_H_
#define KANTOKU_SERVICES_EVENTS_LOG_MACHINE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/events/log.h"
#include "services/events/log_records.h"
#include "services/events/log_view.h"
#include "services/events/segment_index.h"
#include "services/platform/clock.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"

namespace kantoku::events {

// What a store held when it was opened.
struct RecoveredLog {
  Head head;
  std::vector<std::pair<platform::RecordKey, Mark>> marks;
  std::vector<Segment> segments;  // Closed ones, oldest first.
  std::vector<LogRowPtr> rows;    // Those of the open segment.
  RowNumber end = 1;
};

// Decides where appended batches stand, which of them are repeats, and what must leave.
//
// Confined to the apply thread of its runner. The view outlives it and learns of everything once it
// is durable.
class LogMachine final : public platform::PartitionMachine {
 public:
  LogMachine(const Retention& retention, const RecoveredLog& recovered, platform::Now now,
             LogView& view);

  // As EventLog::Append.
  void Append(platform::Transaction& transaction, AppendCommand command, EventLog::AppendDone done);

  void FinishGroup(platform::Transaction& transaction) override;
  absl::Duration NextWake() const override;

 private:
  struct Source {
    platform::RecordKey key;
    uint64_t number;
    absl::Time time;
  };

  absl::StatusOr<Source*> FindSource(platform::Transaction& transaction, const std::string& name);
  bool ForgetSilentSource(platform::WriteBatch& batch, absl::Time now);
  LogRowPtr AddRow(platform::WriteBatch& batch, std::string bytes, bool gap, absl::Time now);

  const Retention retention_;
  const uint32_t id_;
  LogView& view_;

  RowNumber end_;
  SegmentIndex segments_;
  std::vector<Segment> unstored_;  // Closed while recovering.
  absl::flat_hash_map<std::string, Source> sources_;
  platform::RecordKey next_source_ = 0;
  platform::Now last_seen_;  // When the last group ended.
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_LOG_MACHINE_H_
