#include "client/cpp/src/timer.h"

#include "client/cpp/src/call_set.h"

namespace kantoku::internal {

Timer::~Timer() {
  std::thread thread;
  {
    platform::MutexLock lock(mutex_);
    stopping_ = true;
    thread = std::move(thread_);
  }
  changed_.SignalAll();
  if (thread.joinable()) thread.join();
}

Timer::Id Timer::After(absl::Duration delay, absl::AnyInvocable<void()> run) {
  if (delay == absl::InfiniteDuration()) return kNone;
  const absl::Duration deadline = clock_.Read().steady + delay;
  platform::MutexLock lock(mutex_);
  const Id id = ++last_id_;
  const auto entry = waiting_.emplace(Key{deadline, id}, std::move(run)).first;
  deadlines_.emplace(id, deadline);
  if (entry == waiting_.begin()) changed_.Signal();
  if (!thread_.joinable() && !stopping_) thread_ = std::thread([this] { Run(); });
  return id;
}

bool Timer::Cancel(Id id) {
  absl::AnyInvocable<void()> dropped;  // Destroyed without the lock: it may own anything.
  platform::MutexLock lock(mutex_);
  const auto deadline = deadlines_.find(id);
  if (deadline == deadlines_.end()) return false;
  const auto entry = waiting_.find(Key{deadline->second, id});
  dropped = std::move(entry->second);
  waiting_.erase(entry);
  deadlines_.erase(deadline);
  return true;
}

void Timer::Run() {
  const LibraryThreadScope scope;
  while (true) {
    absl::AnyInvocable<void()> run;
    {
      platform::MutexLock lock(mutex_);
      while (!stopping_ &&
             (waiting_.empty() || waiting_.begin()->first.first > clock_.Read().steady)) {
        clock_.Wait(mutex_, changed_,
                    waiting_.empty() ? absl::InfiniteDuration() : waiting_.begin()->first.first);
      }
      if (stopping_) return;
      run = std::move(waiting_.begin()->second);
      deadlines_.erase(waiting_.begin()->first.second);
      waiting_.erase(waiting_.begin());
    }
    run();
  }
}

}  // namespace kantoku::internal
