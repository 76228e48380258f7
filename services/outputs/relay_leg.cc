#include "services/outputs/relay_leg.h"

#include <utility>

#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::MutexLock;

constexpr char kPath[] = "/kantoku.outputs.v1.OutputsService/Await";

std::string Encode(const AwaitWish& wish) {
  v1::AwaitRequest request;
  request.mutable_task_ids()->Reserve(static_cast<int>(wish.added.size()));
  for (const platform::TaskId& task : wish.added) request.add_task_ids(std::string(task.bytes()));
  for (const platform::TaskId& task : wish.forgotten) request.add_forget(std::string(task.bytes()));
  request.set_access_token(wish.access_token);
  return request.SerializeAsString();
}

absl::Status Lost(std::string_view message) {
  return platform::Error(absl::StatusCode::kUnavailable, "OWNER_LEFT", message);
}

}  // namespace

std::shared_ptr<RelayLeg> RelayLeg::Open(std::shared_ptr<AwaitTrunk> trunk,
                                         platform::Forwarder& forwarder,
                                         const grpc::ServerContextBase& call,
                                         const platform::Forwarder::Target& target,
                                         std::string_view token) {
  std::shared_ptr<RelayLeg> leg(new RelayLeg(std::move(trunk)));
  leg->relay_ =
      platform::Relay::Open(forwarder, call, kPath, target,
                            std::shared_ptr<platform::Relay::Receiver>(leg, leg.get()), token);
  return leg;
}

void RelayLeg::Ask(AwaitWish wish) {
  std::string request = Encode(wish);
  {
    MutexLock lock(mutex_);  // Before there is room again, it is known what for.
    if (!relay_->Write(request)) {
      unwritten_ = std::move(request);
      return;
    }
  }
  trunk_->LegReady();
}

void RelayLeg::OnRelayWritable() {
  {
    MutexLock lock(mutex_);
    if (!unwritten_.has_value() || !relay_->Write(*unwritten_)) return;
    unwritten_.reset();
  }
  trunk_->LegReady();
}

void RelayLeg::EndWhenIdle() {
  {
    MutexLock lock(mutex_);
    ending_ = true;
  }
  relay_->Finish();
}

void RelayLeg::OnRelayed(std::string_view message) {
  MutexLock lock(mutex_);
  if (Say(message)) return;
  unsaid_ = message;
  relay_->PauseReading();
}

void RelayLeg::OnWritable() {
  {
    MutexLock lock(mutex_);
    if (!unsaid_.has_value() || !Say(*unsaid_)) return;
    unsaid_.reset();
  }
  relay_->ResumeReading();
}

// What comes when the trunk is closed is said to nobody.
bool RelayLeg::Say(std::string_view message) {
  return !absl::IsResourceExhausted(
      trunk_->PostEncoded(message.size(), [message](platform::Encoded<v1::AwaitResponse>& next) {
        next.mutable_bytes().append(message);
      }));
}

void RelayLeg::OnRelayEnded(const absl::Status& status) {
  bool ending = false;
  {
    MutexLock lock(mutex_);
    ending = ending_;
  }
  if (status.ok() && ending) return trunk_->LegEnded();
  // A server that ends while the client does not read can say no more than that.
  const bool cut_short = status.ok() || absl::IsCancelled(status);
  trunk_->Close(cut_short ? Lost("the replica that has the tasks ended the call") : status);
}

void RelayLeg::Leave() { relay_->Cancel(); }

}  // namespace kantoku::outputs
