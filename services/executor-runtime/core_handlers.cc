// What handlers ask for while they run: items, checkpoints, progress, pauses.
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/executor-runtime/core.h"
#include "services/executor-runtime/result_limits.h"
#include "services/executor-runtime/text.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/status.h"

namespace kantoku::executor {
namespace {

// Progress waits this long for a message that leaves anyway.
constexpr absl::Duration kProgressDelay = absl::Milliseconds(100);
// How long the failure of a handler waits for the items that it has yielded before.
constexpr absl::Duration kFailedItemsPatience = absl::Seconds(5);

absl::Status CheckItem(const HeldTask& task, const Result& item) {
  if (item.data.size() > kMaxItemBytes) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "ITEM_TOO_LARGE",
                           absl::StrCat("item of task ", task.key.task.ToString(), " has ",
                                        item.data.size(), " bytes; at most ", kMaxItemBytes));
  }
  if (item.content_type.size() <= kMaxContentTypeBytes && IsUtf8(item.content_type)) {
    return absl::OkStatus();
  }
  return platform::Error(
      absl::StatusCode::kInvalidArgument, "BAD_CONTENT_TYPE",
      absl::StrCat("content type is not at most ", kMaxContentTypeBytes, " bytes of UTF-8"));
}

std::string_view NameOf(StopCause cause) {
  switch (cause) {
    case StopCause::kCancelled:
      return "CANCELLED";
    case StopCause::kInterrupted:
      return "INTERRUPTED";
    case StopCause::kTimeout:
      return "TIMEOUT";
    case StopCause::kRevoked:
      return "REVOKED";
    case StopCause::kLost:
      return "LOST";
    case StopCause::kDraining:
    case StopCause::kNone:
      break;
  }
  return "DRAINING";
}

absl::Status Stopped(StopCause cause) {
  return platform::Error(absl::StatusCode::kCancelled, NameOf(cause), "the handler is to stop");
}

// Whether the dispatch is somebody else's, or is about to be.
bool IsTakenAway(const HeldTask& task) {
  const StopCause cause = task.stop_cause.load(std::memory_order_relaxed);
  return cause == StopCause::kRevoked || cause == StopCause::kLost;
}

}  // namespace

absl::Status Core::Yield(const HeldTaskPtr& task, Result item, absl::Duration patience) {
  KANTOKU_RETURN_IF_ERROR(CheckItem(*task, item));
  Actions actions;
  {
    platform::MutexLock lock(mu_);
    KANTOKU_RETURN_IF_ERROR(
        AwaitRoom(*task, item.data.size() + item.content_type.size(),
                  task->registration->run_inline ? absl::ZeroDuration() : patience));
    items_->Add(task, std::move(item));
    Collect(Steady(), actions);
  }
  Perform(actions);
  return absl::OkStatus();
}

absl::Status Core::AwaitRoom(const HeldTask& task, size_t bytes, absl::Duration patience) {
  const absl::Duration until = Steady() + patience;
  while (true) {
    const StopCause cause = task.stop_cause.load(std::memory_order_relaxed);
    if (cause != StopCause::kNone || stopping_) return Stopped(cause);
    if (task.items >= kMaxItemsPerDispatch) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "TOO_MANY_ITEMS",
                             absl::StrCat("a dispatch yields at most ", kMaxItemsPerDispatch));
    }
    if (items_->HasRoom(task, bytes)) return absl::OkStatus();
    if (Steady() >= until) {
      return platform::Error(absl::StatusCode::kResourceExhausted, "WINDOW_FULL",
                             "outputs has not taken earlier items in time");
    }
    options_.clock->Wait(mu_, handler_waits_, until);
  }
}

void Core::AwaitItems(const HeldTaskPtr& task, const absl::Status& failure) {
  platform::MutexLock lock(mu_);
  const absl::Duration now = Steady();
  ledger_->Fail(task, now, failure);
  const absl::Duration until = now + kFailedItemsPatience;
  while (!stopping_ && items_->Holds(*task) && Steady() < until &&
         task->stop_cause.load(std::memory_order_relaxed) == StopCause::kNone) {
    options_.clock->Wait(mu_, handler_waits_, until);
  }
}

absl::Status Core::Checkpoint(const HeldTaskPtr& task, std::string data) {
  if (data.size() > kMaxCheckpointBytes) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "CHECKPOINT_TOO_LARGE",
                           absl::StrCat("checkpoint of task ", task->key.task.ToString(), " has ",
                                        data.size(), " bytes; at most ", kMaxCheckpointBytes));
  }
  Actions actions;
  {
    platform::MutexLock lock(mu_);
    if (IsTakenAway(*task) || stopping_) return Stopped(task->stop_cause.load());
    ledger_->Checkpoint(task, std::move(data));
    Collect(Steady(), actions);
  }
  Perform(actions);
  return absl::OkStatus();
}

absl::Status Core::AwaitCheckpoint(const HeldTask& task) {
  if (task.registration->run_inline) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "WAITS_INLINE",
                           "a handler that runs inline cannot wait for a checkpoint");
  }
  platform::MutexLock lock(mu_);
  const uint64_t number = task.checkpoint_number;
  while (task.checkpoint_answered < number) {
    // Whoever is to stop for another reason may want to keep where it was.
    if (IsTakenAway(task) || stopping_) return Stopped(task.stop_cause.load());
    handler_waits_.Wait(mu_);
  }
  return task.checkpoint_status;
}

void Core::Report(const HeldTaskPtr& task, double fraction, std::string_view message) {
  Actions actions;
  const absl::Duration now = Steady();
  {
    platform::MutexLock lock(mu_);
    ledger_->Report(task, fraction, message);
    if (progress_at_ == absl::InfiniteDuration() && ledger_->progress_pending()) {
      progress_at_ = now + kProgressDelay;
    }
    Collect(now, actions);
  }
  Perform(actions);
}

absl::Duration Core::TimeLeft(const HeldTask& task) {
  platform::MutexLock lock(mu_);
  return ledger_->TimeLeft(task, Steady());
}

std::string Core::TaskToken(const HeldTask& task) {
  if (tokens_ == nullptr) return std::string();
  std::string lease_token;
  {
    platform::MutexLock lock(mu_);  // Renewals come at any time.
    lease_token = task.lease_token;
  }
  return platform::TaskTokenOf(lease_token);
}

bool Core::PausePoint(const HeldTaskPtr& task) {
  if (task->pause_wanted) {
    Actions actions;
    bool held = false;
    const absl::Duration now = Steady();
    {
      platform::MutexLock lock(mu_);
      held = !stopping_ && ledger_->ReachPausePoint(task, now);
      if (!stopping_) Collect(now, actions);
    }
    Perform(actions);
    platform::MutexLock lock(mu_);
    while (held && task->paused && task->stop_cause.load() == StopCause::kNone) {
      pause_waits_.Wait(mu_);
    }
  }
  return task->stop_cause.load() == StopCause::kNone;
}

void Core::OnPause(const HeldTaskPtr& task, std::function<void(bool)> hold) {
  Actions actions;
  const bool can_hold = hold != nullptr;
  {
    platform::MutexLock lock(task->hold_mu);
    task->hold = std::move(hold);
  }
  {
    platform::MutexLock lock(mu_);
    ledger_->SetCanHold(task, can_hold);
    if (!stopping_) Collect(Steady(), actions);
  }
  Perform(actions);
}

// Whoever changes what is wanted calls this afterwards, so that the last call does the last wish.
void Core::HoldBack(const HeldTaskPtr& task) {
  Actions actions;
  {
    // Until the ledger knows of it, so that what it knows is what was done last.
    platform::MutexLock hold(task->hold_mu);
    const bool held = task->pause_wanted;
    if (!task->hold || (held && task->stop_cause.load() != StopCause::kNone)) return;
    task->hold(held);
    const absl::Duration now = Steady();
    platform::MutexLock lock(mu_);
    ledger_->OnHeld(task, held, now);
    if (!stopping_) Collect(now, actions);
  }
  Perform(actions);
}

// A handler that threw has not withdrawn it.
void Core::Unhold(HeldTask& task) {
  platform::MutexLock lock(task.hold_mu);
  task.hold = nullptr;
}

std::stop_token Core::StopToken(HeldTask& task) {
  platform::MutexLock lock(mu_);
  return ledger_->StopToken(task);
}

}  // namespace kantoku::executor
