#include "services/inputs/inbox_taker.h"

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

InboxTaker::InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Take take,
                       platform::Clock& clock)
    : watch_(std::move(watch)), take_(std::move(take)), clock_(clock), thread_([this] { Run(); }) {}

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
    if (state.ok()) state = watch_->Wait(kLookAnyway);
    NoteState(state);
    PauseUntil(state.ok() ? begun + kLeastBetween : Now() + kPause);
  }
}

void InboxTaker::PauseUntil(absl::Duration steady) {
  const platform::MutexLock lock(mutex_);
  while (!stopping_ && Now() < steady) clock_.Wait(mutex_, stopped_, steady);
}

absl::Status InboxTaker::TakeAll() {
  for (bool begins = true; !stopping_; begins = false) {
    // Also within a pass, as it may not end while more comes all the time; but what is behind very
    // many has to be reached some time.
    if (begins || behind_left_ == 0) ForgetOldLeft();
    KANTOKU_ASSIGN_OR_RETURN(std::vector<TaskKey> keys, Next());
    if (keys.empty()) break;
    KANTOKU_ASSIGN_OR_RETURN(const InboxStep step, TakeSome(keys));
    NoteLeft(keys, step);
  }
  return absl::OkStatus();
}

void InboxTaker::ForgetOldLeft() {
  const absl::Duration now = Now();
  if (now - all_at_ < kLookAnyway) return;
  left_.clear();
  behind_left_ = 0;
  all_at_ = now;
}

// From the beginning each time: a transaction that was open may have committed lower keys.
absl::StatusOr<std::vector<TaskKey>> InboxTaker::Next() {
  for (TaskKey from = behind_left_;;) {
    KANTOKU_ASSIGN_OR_RETURN(std::vector<TaskKey> keys, watch_->Find(from, kMostAtOnce));
    if (keys.empty()) return keys;
    from = keys.back() + 1;
    std::erase_if(keys, [this](TaskKey key) { return left_.contains(key); });
    if (!keys.empty()) return keys;
  }
}

void InboxTaker::NoteLeft(const std::vector<TaskKey>& looked_at, const InboxStep& step) {
  if (left_.size() < kMostLeft) {
    left_.insert(step.left.begin(), step.left.end());
    return;
  }
  if (!step.left.empty()) behind_left_ = step.left.back() + 1;
  // It costs the partition time, and brings nobody anything.
  if (step.left.size() == looked_at.size()) PauseUntil(Now() + kBetweenLeft);
}

absl::StatusOr<InboxStep> InboxTaker::TakeSome(std::vector<TaskKey> keys) {
  const auto answer = std::make_shared<Answer>();
  take_(std::move(keys),
        [answer](absl::StatusOr<InboxStep> step) { answer->Set(std::move(step)); });
  return answer->Await();
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
