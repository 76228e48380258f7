#include "services/platform/partition/group.h"

#include <utility>

#include "services/platform/planted.h"

namespace kantoku::platform {

CommitVerdict Judge(const absl::Status& outcome) {
  switch (outcome.code()) {
    case absl::StatusCode::kOk:
      return CommitVerdict::kDurable;
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kDataLoss:
    case absl::StatusCode::kFailedPrecondition:
      return CommitVerdict::kLost;
    default:
      return CommitVerdict::kRepeat;
  }
}

void Group::Answer(const absl::Status& status) {
  for (ReplyTo& reply : replies_) reply(status);
  replies_.clear();
}

void Group::Close(uint64_t& next_number) {
  if (KANTOKU_PLANTED("reply before commit")) Answer(absl::OkStatus());
  if (batch_.empty()) return;
  batch_.set_number(next_number++);
}

CommitVerdict Group::Settle(const absl::Status& outcome) {
  const CommitVerdict verdict = Judge(outcome);
  switch (verdict) {
    case CommitVerdict::kDurable:
      for (Release& release : releases_) release();
      releases_.clear();
      Answer(absl::OkStatus());
      break;
    case CommitVerdict::kRepeat:
      Answer(outcome);
      break;
    case CommitVerdict::kLost:
      Abandon(outcome);
      break;
  }
  return verdict;
}

void Group::Abandon(const absl::Status& error) {
  Answer(error);
  releases_.clear();
}

void Group::Clear() {
  batch_.Clear();
  releases_.clear();
  replies_.clear();
}

}  // namespace kantoku::platform
