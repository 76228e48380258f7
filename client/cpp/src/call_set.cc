#include "client/cpp/src/call_set.h"

#include <utility>
#include <vector>

#include "services/platform/status.h"

namespace kantoku::internal {

thread_local int LibraryThreadScope::depth_ = 0;

absl::Status LibraryThreadScope::CheckMayWait() {
  if (!Inside()) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kFailedPrecondition, "WAITS_IN_CALLBACK",
                         "a callback of the client may not wait; use the call's Async form");
}

bool CallSet::Add(std::shared_ptr<Cancellable> call) {
  platform::MutexLock lock(mutex_);
  if (closed_) return false;
  const Cancellable* const key = call.get();
  calls_.emplace(key, std::move(call));
  return true;
}

void CallSet::Remove(const Cancellable* call) {
  // Destroyed without the lock, but by then the key is free for another call at the same address.
  std::shared_ptr<Cancellable> removed;
  platform::MutexLock lock(mutex_);
  const auto entry = calls_.find(call);
  if (entry == calls_.end()) return;
  removed = std::move(entry->second);
  calls_.erase(entry);
  // Under the lock: whoever waits may destroy this set as soon as the lock is free.
  changed_.SignalAll();
}

void CallSet::CloseAndWait() {
  std::vector<std::shared_ptr<Cancellable>> calls;
  {
    platform::MutexLock lock(mutex_);
    closed_ = true;
    for (const auto& [key, call] : calls_) calls.push_back(call);
  }
  for (const auto& call : calls) call->Cancel();
  calls.clear();
  platform::MutexLock lock(mutex_);
  while (!calls_.empty()) changed_.Wait(mutex_);
}

}  // namespace kantoku::internal
