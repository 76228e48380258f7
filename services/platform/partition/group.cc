#include "services/platform/partition/group.h"

#include <utility>

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

void Group::OnDurable(absl::AnyInvocable<void()> release) {
  waiting_.emplace_back(std::in_place_type<Release>, std::move(release));
}

void Group::Reply(absl::AnyInvocable<void(const absl::Status&)> reply) {
  waiting_.emplace_back(std::in_place_type<ReplyTo>, std::move(reply));
}

void Group::FailReplies(const absl::Status& error) {
  for (; failed_ < waiting_.size(); ++failed_) {
    if (ReplyTo* reply = std::get_if<ReplyTo>(&waiting_[failed_])) {
      std::exchange(*reply, nullptr)(error);
    }
  }
}

void Group::Close(uint64_t& next_number) {
  if (batch_.empty()) return;
  batch_.set_number(next_number++);
}

CommitVerdict Group::Settle(const absl::Status& outcome) {
  const CommitVerdict verdict = Judge(outcome);
  switch (verdict) {
    case CommitVerdict::kDurable:
      for (auto& waiting : waiting_) {
        if (Release* release = std::get_if<Release>(&waiting)) {
          (*release)();
        } else if (ReplyTo& reply = std::get<ReplyTo>(waiting); reply != nullptr) {
          reply(absl::OkStatus());
        }
      }
      waiting_.clear();
      break;
    case CommitVerdict::kRepeat:
      FailReplies(outcome);
      break;
    case CommitVerdict::kLost:
      Abandon(outcome);
      break;
  }
  return verdict;
}

void Group::Abandon(const absl::Status& error) {
  FailReplies(error);
  waiting_.clear();
}

void Group::Clear() {
  batch_.Clear();
  waiting_.clear();
  failed_ = 0;
}

}  // namespace kantoku::platform
