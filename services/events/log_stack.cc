#include "services/events/log_stack.h"

#include <utility>

#include "services/platform/status.h"

namespace kantoku::events {

absl::StatusOr<std::shared_ptr<LogStack>> LogStack::Open(const RecordEventLogOptions& options,
                                                         platform::RecordStoreFactory& stores,
                                                         platform::Clock& clock, Metrics& metrics) {
  KANTOKU_ASSIGN_OR_RETURN(auto log, OpenRecordEventLog(options, stores, clock));
  return std::shared_ptr<LogStack>(new LogStack(std::move(log), metrics));
}

LogStack::LogStack(std::unique_ptr<EventLog> log, Metrics& metrics)
    : metrics_(metrics), log_(std::move(log)), hub_({}, *log_, metrics_) {
  metrics_.SetKept(log_->bounds().end - log_->bounds().first);
}

void LogStack::Stop() {
  if (std::exchange(stopped_, true)) return;
  hub_.Stop();
  log_->Stop();
  metrics_.SetKept(0);
}

}  // namespace kantoku::events
