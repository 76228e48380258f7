#include "services/events/event_batch.h"

#include "absl/strings/str_cat.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

constexpr size_t kIdSize = platform::Uuid::kSize;

absl::Status InvalidRun(int run, std::string_view why) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_BATCH",
                         absl::StrCat("runs[", run, "]: ", platform::ToAbsl(why)));
}

absl::Status CheckRun(int index, const v1::EventRun& run) {
  if (run.type().empty()) return InvalidRun(index, "type is empty");
  if (run.task_ids().size() % kIdSize != 0) {
    return InvalidRun(index, absl::StrCat("task_ids has ", run.task_ids().size(),
                                          " bytes, which is no multiple of ", kIdSize));
  }
  if (run.dispatches_size() != 0 &&
      static_cast<size_t>(run.dispatches_size()) != run.task_ids().size() / kIdSize) {
    return InvalidRun(index, absl::StrCat("dispatches has ", run.dispatches_size(), " entries for ",
                                          run.task_ids().size() / kIdSize, " tasks"));
  }
  if (!run.session_id().empty() && run.session_id().size() != kIdSize) {
    return InvalidRun(index, absl::StrCat("session_id has ", run.session_id().size(),
                                          " bytes instead of ", kIdSize));
  }
  return absl::OkStatus();
}

absl::Status TooLarge(std::string_view what, size_t size, size_t limit) {
  return platform::Error(
      absl::StatusCode::kInvalidArgument, "BATCH_TOO_LARGE",
      absl::StrCat("batch: has ", size, " ", platform::ToAbsl(what), ", the limit is ", limit));
}

}  // namespace

absl::Status ParseEventBatch(std::string_view encoded, v1::EventBatch& batch) {
  if (encoded.size() > kMaxBatchBytes) return TooLarge("bytes", encoded.size(), kMaxBatchBytes);
  if (!batch.ParseFromArray(encoded.data(), static_cast<int>(encoded.size()))) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_BATCH",
                           "batch: is not an encoded EventBatch");
  }
  size_t events = 0;
  for (int i = 0; i < batch.runs_size(); ++i) {
    KANTOKU_RETURN_IF_ERROR(CheckRun(i, batch.runs(i)));
    events += CountEvents(batch.runs(i));
  }
  if (events > kMaxBatchEvents) return TooLarge("events", events, kMaxBatchEvents);
  return absl::OkStatus();
}

}  // namespace kantoku::events
