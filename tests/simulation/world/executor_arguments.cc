#include <optional>
#include <utility>

#include "tests/simulation/world/executor.h"

// Results of others that handlers begin with.
namespace kantoku::simulation {

void Executor::GetResults() {
  if (frozen_ || !getting_) return;
  if (get_response_.has_value()) return AnswerResults(absl::OkStatus());
  const uint64_t fate = diligent_ ? 100 : scene_.random.Pick(100);
  if (fate < 8) {
    scene_.Did(Deed::kGetLost);
    return AnswerResults(absl::DeadlineExceededError("lost"));
  }
  scene_.coverage.Count(Deed::kGet);
  auto answer = outputs_.Get(get_request_, caller_);
  if (!answer.ok()) return AnswerResults(answer.status());
  get_response_ = *std::move(answer);
}

void Executor::AnswerResults(const absl::Status& status) {
  auto response = std::exchange(get_response_, std::nullopt).value_or(outputs::v1::GetResponse());
  getting_ = false;
  for (const executor::HeldTaskPtr& task : arguments_->OnAnswer(status, response, now())) {
    (void)ledger_->OnArguments(task, now());
  }
  OnTime();
}

}  // namespace kantoku::simulation
