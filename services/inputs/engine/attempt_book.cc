#include "services/inputs/engine/attempt_book.h"

#include <string>
#include <utility>

#include "services/platform/utf8.h"

namespace kantoku::inputs {

// What others were shown stays as it is.
void AttemptBook::Add(TaskKey task, uint32_t dispatch, absl::Time at, const Failure& failure) {
  auto& kept = attempts_[task];
  auto attempts = kept == nullptr ? std::make_shared<FailedAttempts>()
                                  : std::make_shared<FailedAttempts>(*kept);
  if (attempts->size() == kKeptAttempts) attempts->erase(attempts->begin());
  attempts->push_back({dispatch, at, failure});
  std::string& message = attempts->back().failure.message;
  message.resize(platform::Utf8Prefix(message, kAttemptMessageBytes));
  kept = std::move(attempts);
}

void AttemptBook::Recover(TaskKey task, const FailedAttempts& attempts) {
  if (!attempts.empty()) attempts_[task] = std::make_shared<const FailedAttempts>(attempts);
}

std::shared_ptr<const FailedAttempts> AttemptBook::Of(TaskKey task) const {
  const auto attempts = attempts_.find(task);
  return attempts == attempts_.end() ? nullptr : attempts->second;
}

}  // namespace kantoku::inputs
