#include "services/platform/blocks/blocks_peer.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "services/platform/blocks/block_proto.h"
#include "services/platform/log/log.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/service_identity.h"

namespace kantoku::platform {
namespace {

constexpr std::chrono::seconds kDeadline(5);
// Who is blocked is refused within a second by whoever can be reached.
constexpr absl::Duration kLongestPause = absl::Milliseconds(500);
constexpr absl::Duration kAgain = absl::Seconds(10);

void LogState(const absl::Status& state) {
  if (state.ok()) {
    Log(LogLevel::kInfo, "blocks: a server hears of them again");
  } else {
    Log(LogLevel::kWarn, "blocks: a server does not hear of them; it may let in who is blocked",
        {{"why", state}});
  }
}

}  // namespace

BlocksPeer::BlocksPeer(const std::shared_ptr<grpc::Channel>& channel, Clock& clock,
                       const MacKeys& keys)
    : stub_(auth::v1::BlocksService::NewStub(channel)),
      clock_(clock),
      keys_(keys),
      sender_({.longest_pause = kLongestPause, .later = kAgain, .on_state = LogState}, clock,
              [this](const auto& told) { return Send(told); }) {}

void BlocksPeer::Tell(KnownBlocks blocks) {
  const size_t weight = blocks.list->size();
  sender_.Add(std::move(blocks), weight);
}

void BlocksPeer::Stop() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    if (under_way_ != nullptr) under_way_->TryCancel();
  }
  sender_.Stop();
}

// Of all that wait the newest alone counts, and alone is said again.
absl::Status BlocksPeer::Send(const std::vector<KnownBlocks>& told) {
  const KnownBlocks& newest = *std::ranges::max_element(told, {}, &KnownBlocks::version);
  if (newest.version < latest_) return absl::OkStatus();
  latest_ = newest.version;
  grpc::ClientContext context;
  PresentAsService(context, keys_, "inputs", clock_.Read().wall);
  context.set_deadline(std::chrono::system_clock::now() + kDeadline);
  {
    MutexLock lock(mutex_);
    if (stopped_) return absl::CancelledError("stopped");
    under_way_ = &context;
  }
  auth::v1::ReplaceBlocksResponse response;
  absl::Status status = FromGrpc(stub_->ReplaceBlocks(&context, WriteBlocks(newest), &response));
  {
    MutexLock lock(mutex_);
    under_way_ = nullptr;
  }
  if (status.ok()) sender_.AddLater(newest, newest.list->size());
  return status;
}

}  // namespace kantoku::platform
