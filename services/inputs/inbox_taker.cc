#include "services/inputs/inbox_taker.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// One batch of the partition, and what it reads for it.
constexpr size_t kMostAtOnce = 256;
constexpr size_t kMostLeft = 10'000;
constexpr absl::Duration kLookAnyway = absl::Seconds(5);
constexpr absl::Duration kPause = absl::Seconds(1);
// Anybody who uses the database can notify, as often as he likes.
constexpr absl::Duration kLeastBetween = absl::Milliseconds(5);
constexpr absl::Duration kBetweenLeft = absl::Milliseconds(100);
// After a pass that took longer it rests as long, but not longer than this.
constexpr absl::Duration kLongestRest = absl::Milliseconds(100);

uint32_t SlotOf(TaskKey key) { return static_cast<uint32_t>(key >> TaskId::kSequenceBits); }
TaskKey FirstOf(uint32_t slot) { return TaskKey{slot} << TaskId::kSequenceBits; }

}  // namespace

struct InboxTaker::Answer {
  platform::Mutex mutex;
  platform::CondVar changed;
  std::optional<absl::StatusOr<InboxStep>> step ABSL_GUARDED_BY(mutex);

  void Set(absl::StatusOr<InboxStep> answer) {
    const platform::MutexLock lock(mutex);
    step = std::move(answer);
    changed.SignalAll();
  }
  absl::StatusOr<InboxStep> Await() {
    const platform::MutexLock lock(mutex);
    while (!step.has_value()) changed.Wait(mutex);
    return *std::move(step);
  }
};

InboxTaker::InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Take take, TellLeft tell_left,
                       platform::Clock& clock)
    : watch_(std::move(watch)),
      take_(std::move(take)),
      tell_left_(std::move(tell_left)),
      clock_(clock),
      thread_([this] { Run(); }) {}

void InboxTaker::BeginStop() {
  {
    const platform::MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.SignalAll();
  }
  watch_->Interrupt();
}

void InboxTaker::Stop() {
  BeginStop();
  if (thread_.joinable()) thread_.join();
}

void InboxTaker::Run() {
  while (!stopping_) {
    const absl::Duration begun = Now();
    absl::Status state = TakeAll();
    tell_left_(CountLeft());
    const absl::Duration ended = Now();
    const absl::Duration rested = ended + std::min(ended - begun, kLongestRest);
    if (state.ok()) state = watch_->Wait(kLookAnyway);
    NoteState(state);
    PauseUntil(state.ok() ? std::max(begun + kLeastBetween, rested) : Now() + kPause);
  }
  tell_left_(0);  // Whoever has the partition then will tell.
}

void InboxTaker::PauseUntil(absl::Duration steady) {
  const platform::MutexLock lock(mutex_);
  while (!stopping_ && Now() < steady) clock_.Wait(mutex_, stopped_, steady);
}

absl::Status InboxTaker::TakeAll() {
  for (bool more = true; more && !stopping_;) {
    // Also within a pass, as it may not end while more comes all the time.
    ForgetOldLeft();
    KANTOKU_ASSIGN_OR_RETURN(more, TakeRound());
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> InboxTaker::TakeRound() {
  bool some = false;
  for (uint32_t slot = 0; !stopping_; some = true) {
    KANTOKU_ASSIGN_OR_RETURN(std::vector<TaskKey> keys, NextFrom(slot));
    if (keys.empty()) break;
    slot = SlotOf(keys.back()) + 1;
    KANTOKU_ASSIGN_OR_RETURN(const InboxStep step, TakeSome(keys));
    NoteLeft(keys, step);
  }
  return some;
}

void InboxTaker::ForgetOldLeft() {
  const absl::Duration now = Now();
  if (now - all_at_ < kLookAnyway) return;
  left_.clear();
  all_at_ = now;
}

// From the beginning of each slot: a transaction that was open may have committed lower keys.
absl::StatusOr<std::vector<TaskKey>> InboxTaker::NextFrom(uint32_t slot) {
  for (TaskKey from = FirstOf(slot);;) {
    if (const auto left = left_.find(SlotOf(from)); left != left_.end()) {
      from = std::max(from, left->second.behind);
    }
    KANTOKU_ASSIGN_OR_RETURN(std::vector<TaskKey> keys, watch_->Find(from, kMostAtOnce));
    if (keys.empty()) return keys;
    from = keys.back() + 1;
    std::erase_if(keys, [this](TaskKey key) {
      const auto left = left_.find(SlotOf(key));
      return left != left_.end() && (key < left->second.behind || left->second.keys.contains(key));
    });
    if (!keys.empty()) return keys;
  }
}

void InboxTaker::NoteLeft(const std::vector<TaskKey>& looked_at, const InboxStep& step) {
  bool is_full = false;
  for (const TaskKey key : step.left) {
    Left& left = left_[SlotOf(key)];
    if (left.keys.size() < kMostLeft) {
      left.keys.insert(key);
    } else {
      left.behind = key + 1;
      is_full = true;
    }
  }
  // It costs the partition time, and brings nobody anything.
  if (is_full && step.left.size() == looked_at.size()) PauseUntil(Now() + kBetweenLeft);
}

absl::StatusOr<InboxStep> InboxTaker::TakeSome(std::vector<TaskKey> keys) {
  const auto answer = std::make_shared<Answer>();
  take_(std::move(keys),
        [answer](absl::StatusOr<InboxStep> step) { answer->Set(std::move(step)); });
  return answer->Await();
}

size_t InboxTaker::CountLeft() const {
  size_t count = 0;
  for (const auto& [slot, left] : left_) count += left.keys.size();
  return count;
}

void InboxTaker::NoteState(const absl::Status& state) {
  if (stopping_ || failing_ == !state.ok()) return;
  failing_ = !state.ok();
  if (failing_) {
    platform::Log(platform::LogLevel::kWarn,
                  "inputs: what was spawned by SQL cannot be taken, and waits in the database",
                  {{"why", state}});
  } else {
    platform::Log(platform::LogLevel::kInfo, "inputs: what is spawned by SQL is taken again");
  }
}

}  // namespace kantoku::inputs
