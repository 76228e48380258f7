#include "tests/simulation/world/stepped_runner.h"

#include <utility>

#include "services/platform/status.h"

namespace kantoku::simulation {

using platform::CommitVerdict;
using platform::Group;

SteppedRunner::SteppedRunner(platform::RecordStore& store, platform::PartitionMachine& machine,
                             platform::Clock& clock, uint64_t last_batch)
    : store_(store), machine_(machine), clock_(clock), next_number_(last_batch + 1) {}

absl::Status SteppedRunner::Post(Command command, Urgency urgency) {
  if (stopped_ || lost_) {
    return platform::Error(absl::StatusCode::kUnavailable, "PARTITION_STOPPED", "it has stopped");
  }
  if (urgency == Urgency::kNormal) KANTOKU_RETURN_IF_ERROR(health_);
  inbox_.push_back(std::move(command));
  return absl::OkStatus();
}

void SteppedRunner::Stop() {
  if (std::exchange(stopped_, true)) return;
  const absl::Status killed = absl::UnavailableError("killed");
  if (durable_ != nullptr) durable_->Abandon(killed);
  if (handed_over_ != nullptr) handed_over_->Abandon(killed);
  open_->Abandon(killed);
  inbox_.clear();
}

void SteppedRunner::Apply() {
  open_->set_now(clock_.Read());
  // Commands may post others, which come next time.
  for (Command& command : std::exchange(inbox_, {})) {
    command(*open_);
    ++applied_;
  }
  if (!health_.ok()) open_->Answer(health_);
}

bool SteppedRunner::CanClose() const {
  if (handed_over_ != nullptr || stopped_ || lost_) return false;
  return applied_ > 0 || machine_.NextWake() <= clock_.Read().steady;
}

void SteppedRunner::Close() {
  open_->set_now(clock_.Read());
  machine_.FinishGroup(*open_);
  applied_ = 0;
  if (open_->empty()) return;
  open_->Close(next_number_);
  handed_over_ = std::exchange(open_, std::make_unique<Group>());
}

void SteppedRunner::Commit() {
  health_ =
      handed_over_->needs_commit() ? store_.Commit(handed_over_->closed_batch()) : absl::OkStatus();
  if (health_.ok()) {
    durable_ = std::move(handed_over_);
  } else {
    failed_ = true;
  }
}

void SteppedRunner::Settle() {
  if (durable_ != nullptr) {
    // Releases post commands, and may look whether we are quiet.
    const std::unique_ptr<Group> group = std::move(durable_);
    group->Settle(absl::OkStatus());
    return;
  }
  failed_ = false;
  if (handed_over_->Settle(health_) == CommitVerdict::kLost) {
    lost_ = true;
    inbox_.clear();
    open_->Abandon(health_);
  } else {
    open_->Answer(health_);
  }
}

}  // namespace kantoku::simulation
