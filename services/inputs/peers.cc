#include "services/inputs/peers.h"

#include <chrono>
#include <functional>
#include <string>
#include <utility>

#include "services/platform/log/log.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

constexpr std::chrono::seconds kDeadline(5);
// Nobody waits for an event line more closely than this, and each call costs Events a sync.
constexpr absl::Duration kEventInterval = absl::Milliseconds(10);

void Prepare(grpc::ClientContext& context, const platform::MacKeys& keys, platform::Clock& clock) {
  platform::PresentAsService(context, keys, "inputs", clock.Read().wall);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
}

// What is said when another service stops to answer, and when it begins again.
std::function<void(const absl::Status&)> LogState(std::string_view stopped,
                                                  std::string_view again) {
  return [stopped, again](const absl::Status& state) {
    if (state.ok()) {
      platform::Log(platform::LogLevel::kInfo, std::string("inputs: ").append(again));
    } else {
      platform::Log(platform::LogLevel::kWarn, std::string("inputs: ").append(stopped),
                    {{"why", state}});
    }
  };
}

// Whether the i-th item was decided.
absl::Status StatusOf(const outputs::v1::FenceResponse& response, int i) {
  if (i >= response.results_size()) return absl::InternalError("there was no answer");
  const task::v1::ItemStatus& status = response.results(i).status();
  if (status.code() == 0) return absl::OkStatus();
  return platform::Error(static_cast<absl::StatusCode>(status.code()), status.reason(),
                         status.message());
}

// Whether Events refuses a line for what it is, so that no repetition helps; not the whole call.
bool IsOfOneLine(const absl::Status& status) {
  const std::string reason = platform::ReasonOf(status);
  return reason == "BATCH_TOO_LARGE" || reason == "INVALID_BATCH";
}

}  // namespace

OutputsPeer::OutputsPeer(const std::shared_ptr<grpc::Channel>& channel, platform::Clock& clock,
                         const platform::MacKeys& keys, Partition& partition)
    : stub_(outputs::v1::OutputsService::NewStub(channel)),
      clock_(clock),
      keys_(keys),
      partition_(partition),
      sender_({.on_state = LogState("outputs answers no fences; retries, failures and cancels wait",
                                    "outputs answers fences again")},
              clock, [this](const auto& items) { return Send(items); }),
      ends_(channel, clock, keys) {}

void OutputsPeer::Ask(std::vector<outputs::v1::FenceItem> items) {
  std::vector<std::pair<outputs::v1::FenceItem, size_t>> sized;
  sized.reserve(items.size());
  for (auto& item : items) {
    const size_t bytes = item.ByteSizeLong();
    sized.emplace_back(std::move(item), bytes);
  }
  sender_.AddAll(std::move(sized));
}

absl::Status OutputsPeer::Send(const std::vector<outputs::v1::FenceItem>& items) {
  grpc::ClientContext context;
  Prepare(context, keys_, clock_);
  outputs::v1::FenceRequest request;
  request.set_epoch(partition_.epoch());
  request.mutable_items()->Assign(items.begin(), items.end());
  outputs::v1::FenceResponse response;
  absl::Status status = platform::FromGrpc(stub_->Fence(&context, request, &response));
  if (platform::ReasonOf(status) == "STALE_EPOCH") {
    OnStaleEpoch(status);
    return absl::OkStatus();  // Not to be asked again by this owner.
  }
  if (!status.ok()) return status;
  std::vector<FenceAnswer> answers;
  size_t undecided = 0;
  absl::Status why;
  for (size_t i = 0; i < items.size(); ++i) {
    const absl::Status decided = StatusOf(response, static_cast<int>(i));
    const auto task = TaskId::FromBytes(items[i].task_id());
    if (decided.ok() && task.ok()) {
      const auto& result = response.results(static_cast<int>(i));
      answers.push_back({*task, items[i].dispatch(), StateOf(result.terminal())});
      continue;
    }
    sender_.AddLater(items[i], items[i].ByteSizeLong());
    if (undecided++ == 0) why = decided;
  }
  if (undecided > 0) Complain(undecided, why);
  partition_.AnswerFences(std::move(answers));
  return absl::OkStatus();
}

void OutputsPeer::OnStaleEpoch(const absl::Status& why) {
  if (std::exchange(stale_, true)) return;
  platform::Log(platform::LogLevel::kError,
                "inputs: outputs knows a later owner of these tasks, so this server stops taking "
                "any: another inputs runs, or the data directory is new or was restored",
                {{"why", why}});
  partition_.Lose(
      platform::Error(absl::StatusCode::kAborted, "STALE_EPOCH", platform::ToStd(why.message())));
}

void OutputsPeer::Complain(size_t items, const absl::Status& why) {
  const absl::Duration now = clock_.Read().steady;
  if (now < next_complaint_) return;
  next_complaint_ = now + absl::Minutes(1);
  platform::Log(platform::LogLevel::kWarn,
                "inputs: outputs cannot decide some fences and is asked again; their tasks wait",
                {{"fences", items}, {"why", why}});
}

EventsPeer::EventsPeer(std::shared_ptr<grpc::Channel> channel, platform::Clock& clock,
                       const platform::MacKeys& keys, Partition& partition,
                       size_t max_backlog_bytes)
    : stub_(events::v1::EventsService::NewStub(std::move(channel))),
      clock_(clock),
      keys_(keys),
      partition_(partition),
      sender_(
          {.max_bytes = max_backlog_bytes,
           .interval = kEventInterval,
           .on_state = LogState("events takes no lines; they wait", "events takes lines again")},
          clock, [this](const auto& lines) { return Deliver(lines); }) {}

void EventsPeer::Send(uint64_t number, std::string batch) {
  const size_t bytes = batch.size();
  sender_.Add({number, std::move(batch)}, bytes);
}

absl::Status EventsPeer::Deliver(std::span<const Line> lines) {
  absl::Status status = Append(lines);
  if (!IsOfOneLine(status)) return status;
  if (lines.size() == 1) {
    const uint64_t number = lines[0].first;
    platform::Log(platform::LogLevel::kError,
                  "inputs: events refuses a line for good, its events are lost",
                  {{"line", number}, {"bytes", lines[0].second.size()}, {"why", status}});
    partition_.ConfirmEvents(number);
    return absl::OkStatus();
  }
  KANTOKU_RETURN_IF_ERROR(Deliver(lines.first(lines.size() / 2)));
  return Deliver(lines.subspan(lines.size() / 2));
}

absl::Status EventsPeer::Append(std::span<const Line> lines) {
  grpc::ClientContext context;
  Prepare(context, keys_, clock_);
  events::v1::AppendRequest request;
  request.set_source(partition_.event_source());
  for (const auto& [number, batch] : lines) {
    auto& numbered = *request.add_batches();
    numbered.set_number(number);
    numbered.set_batch(batch);
  }
  events::v1::AppendResponse response;
  absl::Status status = platform::FromGrpc(stub_->Append(&context, request, &response));
  if (status.ok()) partition_.ConfirmEvents(response.durable_number());
  return status;
}

}  // namespace kantoku::inputs
