#include <utility>

#include "absl/strings/str_cat.h"
#include "tests/simulation/world/executor.h"
#include "tests/simulation/world/names.h"

// What handlers give out before they end: items, and checkpoints.
namespace kantoku::simulation {

void Executor::Yield(const executor::HeldTaskPtr& task) {
  if (task->stop_cause.load() != executor::StopCause::kNone) return;
  std::string item = ItemText(task->key.task, task->key.dispatch, task->items + 1);
  if (!items_->HasRoom(*task, item.size())) return;
  items_->Add(task, {.data = std::move(item), .content_type = {}});
}

void Executor::Checkpoint(const executor::HeldTaskPtr& task) {
  const auto cause = task->stop_cause.load();
  if (cause == executor::StopCause::kRevoked || cause == executor::StopCause::kLost) return;
  ledger_->Checkpoint(task, CheckpointText(session_, ++checkpoints_, task->items));
}

void Executor::PutItems() {
  if (late_items_.has_value() && scene_.random.Chance(20)) {
    scene_.Did(Deed::kPutItemsAgain);
    (void)outputs_.PutItems(*late_items_, caller_);
    late_items_.reset();
  }
  if (frozen_ || !putting_items_) return;
  if (items_response_.has_value()) return AnswerItems(absl::OkStatus());
  const uint64_t fate = diligent_ ? 100 : scene_.random.Pick(100);
  if (fate < 6) {
    scene_.Did(Deed::kPutItemsLost);
    if (scene_.random.Chance(50)) late_items_ = items_request_;
    return AnswerItems(absl::DeadlineExceededError("lost"));
  }
  scene_.coverage.Count(Deed::kPutItems);
  auto answer = outputs_.PutItems(items_request_, caller_);
  if (!answer.ok()) return AnswerItems(answer.status());
  items_response_ = *std::move(answer);
  if (fate >= 12) return;
  scene_.Did(Deed::kPutItemsAnswerLost);
  AnswerItems(absl::DeadlineExceededError("lost"));
}

void Executor::AnswerItems(const absl::Status& status) {
  const auto response = std::exchange(items_response_, std::nullopt);
  putting_items_ = false;
  items_->OnAnswer(status, items_request_,
                   response.has_value() ? *response : outputs::v1::PutItemsResponse(), now());
  OnTime();
}

}  // namespace kantoku::simulation
