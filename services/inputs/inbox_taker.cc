#include "services/inputs/inbox_taker.h"

#include <chrono>
#include <optional>
#include <utility>

#include "services/platform/log/log.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// One batch of the partition, and what it reads for it.
constexpr size_t kMostAtOnce = 256;
constexpr absl::Duration kLookAnyway = absl::Seconds(5);
constexpr std::chrono::seconds kPause(1);

}  // namespace

struct InboxTaker::Answer {
  platform::Mutex mutex;
  platform::CondVar changed;
  std::optional<absl::Status> status ABSL_GUARDED_BY(mutex);

  void Set(const absl::Status& answer) {
    const platform::MutexLock lock(mutex);
    status = answer;
    changed.SignalAll();
  }
  absl::Status Await() {
    const platform::MutexLock lock(mutex);
    while (!status.has_value()) changed.Wait(mutex);
    return *status;
  }
};

InboxTaker::InboxTaker(std::unique_ptr<platform::InboxWatch> watch, Partition& partition)
    : watch_(std::move(watch)), partition_(partition), thread_([this] { Run(); }) {}

void InboxTaker::Stop() {
  {
    const platform::MutexLock lock(mutex_);
    stopping_ = true;
    stopped_.SignalAll();
  }
  watch_->Interrupt();
  if (thread_.joinable()) thread_.join();
}

void InboxTaker::Run() {
  while (!stopping_) {
    absl::Status state = TakeAll();
    if (state.ok()) state = watch_->Wait(kLookAnyway);
    NoteState(state);
    if (!state.ok()) Pause();
  }
}

void InboxTaker::Pause() {
  const platform::MutexLock lock(mutex_);
  if (!stopping_) stopped_.WaitFor(mutex_, kPause);
}

absl::Status InboxTaker::TakeAll() {
  platform::RecordKey from = 0;
  while (!stopping_) {
    KANTOKU_ASSIGN_OR_RETURN(std::vector<platform::RecordKey> keys,
                             watch_->Find(from, kMostAtOnce));
    if (keys.empty()) break;
    from = keys.back() + 1;
    KANTOKU_RETURN_IF_ERROR(Take(std::move(keys)));
  }
  return absl::OkStatus();
}

absl::Status InboxTaker::Take(std::vector<platform::RecordKey> keys) {
  const auto answer = std::make_shared<Answer>();
  partition_.TakeInbox(std::move(keys), [answer](const absl::StatusOr<InboxStep>& taken) {
    answer->Set(taken.status());
  });
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
