#include "tests/simulation/world/couriers.h"

#include <algorithm>

namespace kantoku::simulation {
namespace {

constexpr size_t kMostLate = 50;

template <typename Item>
Item TakeOut(std::vector<Item>& items, size_t at) {
  std::swap(items[at], items.back());
  Item item = std::move(items.back());
  items.pop_back();
  return item;
}

}  // namespace

void Couriers::Ask(std::vector<outputs::v1::FenceItem> items) {
  for (auto& item : items) {
    model_.OnAsked(item);
    asked_.push_back(std::move(item));
  }
}

void Couriers::Send(uint64_t number, std::string batch) {
  model_.OnLine(number, batch);
  scene_.Expect(lines_.empty() || lines_.back().first < number,
                "event lines leave in the order of their numbers");
  lines_.emplace_back(number, std::move(batch));
}

bool Couriers::AskOutputs(uint64_t epoch, const outputs::v1::FenceItem& item) {
  const auto response = outputs_.Fence(epoch, item);
  scene_.Expect(!absl::IsAborted(response.status()), "Outputs answers the owner");
  if (!response.ok()) return false;
  const auto& result = response->results(0);
  scene_.Expect(result.status().code() == 0, "Outputs decides every fence");
  inputs::FenceAnswer answer{.task = *TaskId::FromBytes(item.task_id()),
                             .dispatch = item.dispatch()};
  switch (result.terminal()) {
    case outputs::v1::RESULT_STATUS_SUCCEEDED:
      answer.terminal = TaskState::kSucceeded;
      break;
    case outputs::v1::RESULT_STATUS_FAILED:
      answer.terminal = TaskState::kFailed;
      break;
    case outputs::v1::RESULT_STATUS_CANCELLED:
      answer.terminal = TaskState::kCancelled;
      break;
    default:
      break;
  }
  answers_.push_back(answer);
  return true;
}

void Couriers::AskEnds(inputs::EndsQuestion question,
                       absl::AnyInvocable<void(const absl::StatusOr<inputs::Ends>&)> done) {
  if (scene_.random.Chance(20)) return done(absl::UnavailableError("nobody is there to ask"));
  inputs::Ends ends;
  ends.reserve(question.tasks.size());
  for (const TaskId& id : question.tasks) {
    const ModelTask* const task = model_.Find(id);
    ends.push_back(task == nullptr ? std::nullopt : task->outputs_end);
  }
  done(ends);
}

void Couriers::CarryFence(uint64_t epoch) {
  if (asked_.empty()) return;
  const size_t at = scene_.random.Pick(asked_.size());
  const uint64_t fate = scene_.random.Pick(100);
  if (fate < 5) return scene_.Did(Deed::kFenceLost);
  if (!AskOutputs(epoch, asked_[at])) return;
  if (fate < 10) {
    answers_.pop_back();
    return scene_.Did(Deed::kFenceAnswerLost);
  }
  if (fate < 90) TakeOut(asked_, at);  // Else answered, and yet asked again.
}

void Couriers::CarryAnswer(const Tell& tell) {
  if (answers_.empty()) return;
  const size_t at = scene_.random.Pick(answers_.size());
  if (scene_.random.Chance(10)) {
    scene_.Did(Deed::kFenceAnswerAgain);
    return tell(answers_[at]);
  }
  tell(TakeOut(answers_, at));
}

void Couriers::Append(const std::deque<Line>& lines, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    if (lines[i].first <= events_hold_) continue;
    model_.OnEventsHold(lines[i].first, lines[i].second);
    events_hold_ = lines[i].first;
  }
}

void Couriers::CarryLines(inputs::Partition& partition) {
  if (lines_.empty()) return;
  const uint64_t fate = scene_.random.Pick(100);
  if (fate < 5) return scene_.Did(Deed::kAppendLost);
  const size_t count = 1 + scene_.random.Pick(lines_.size());
  Append(lines_, count);
  if (fate < 10) return scene_.Did(Deed::kAppendAnswerLost);
  partition.ConfirmEvents(events_hold_);
  lines_.erase(lines_.begin(), lines_.begin() + static_cast<std::ptrdiff_t>(count));
}

void Couriers::CarryLate() {
  if (!late_lines_.empty() && scene_.random.Chance(50)) {
    scene_.Did(Deed::kLateAppend);
    Append(late_lines_, late_lines_.size());
    late_lines_.clear();
  }
  if (late_fences_.empty()) return;
  scene_.Did(Deed::kLateFence);
  const LateFence late = TakeOut(late_fences_, scene_.random.Pick(late_fences_.size()));
  (void)outputs_.Fence(late.epoch, late.item);  // Nobody hears the answer.
}

void Couriers::CarryAll(inputs::Partition& partition, const Tell& tell) {
  for (auto& item : std::exchange(asked_, {})) {
    if (!AskOutputs(partition.epoch(), item)) asked_.push_back(std::move(item));
  }
  for (const auto& answer : std::exchange(answers_, {})) tell(answer);
  if (lines_.empty()) return;
  Append(lines_, lines_.size());
  partition.ConfirmEvents(events_hold_);
  lines_.clear();
}

void Couriers::OwnerLost(uint64_t epoch) {
  for (auto& item : asked_) {
    if (late_fences_.size() < kMostLate) late_fences_.push_back({epoch, std::move(item)});
  }
  asked_.clear();
  answers_.clear();
  late_lines_ = std::exchange(lines_, {});
}

}  // namespace kantoku::simulation
