#include "services/all-in-one/bench/load.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/roles.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

absl::Status Check(const absl::StatusOr<Output>& output) {
  if (!output.ok()) return output.status();
  if (output->succeeded() && output->data.size() == kEchoBytes) return absl::OkStatus();
  return absl::InternalError("a result is not what was put");
}

class BatchRun {
 public:
  BatchRun(Client& client, const Batches& batches) : client_(client), batches_(batches) {}

  absl::StatusOr<double> Go() {
    const absl::Time begin = absl::Now();
    size_t done = 0;
    while (done < batches_.tasks) {
      const size_t count = std::min(batches_.tasks - done, batches_.batch);
      if (!AwaitRoomFor(count)) break;
      if (batches_.per_second > 0) {
        const double due = static_cast<double>(done) / batches_.per_second;
        absl::SleepFor(begin + absl::Seconds(due) - absl::Now());
      }
      Spawn(done, count);
      done += count;
    }
    platform::MutexLock lock(mutex_);
    while (open_ > 0) changed_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    return static_cast<double>(done) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

 private:
  // False: something has failed.
  bool AwaitRoomFor(size_t count) {
    platform::MutexLock lock(mutex_);
    while (failure_.ok() && open_ > 0 && open_ + count > batches_.in_flight) changed_.Wait(mutex_);
    open_ += failure_.ok() ? count : 0;
    return failure_.ok();
  }

  void Spawn(size_t first, size_t count) {
    std::vector<Task> tasks;
    tasks.reserve(count);
    for (size_t i = 0; i < count; ++i) tasks.push_back(batches_.make(first + i));
    client_.SpawnBatchAsync(
        std::move(tasks), {}, [this](const std::vector<absl::StatusOr<SpawnedTask>>& spawned) {
          for (const auto& task : spawned) {
            if (!task.ok() || !batches_.awaited) {
              Resolved(task.status());
            } else {
              client_.AwaitAsync(task->id, {}, [this](const absl::StatusOr<Output>& output) {
                Resolved(Check(output));
              });
            }
          }
        });
  }

  void Resolved(const absl::Status& status) {
    platform::MutexLock lock(mutex_);
    --open_;
    failure_.Update(status);
    if (open_ == 0 || open_ + batches_.batch <= batches_.in_flight || !status.ok()) {
      changed_.Signal();
    }
  }

  Client& client_;
  const Batches& batches_;
  platform::Mutex mutex_;
  platform::CondVar changed_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

class CallersRun {
 public:
  // `goes_on` false ends it before; null: nothing does.
  CallersRun(Client& client, size_t callers, size_t tasks, const std::atomic<bool>* goes_on)
      : client_(client), goes_on_(goes_on), left_(tasks) {
    callers_.resize(std::min(callers, tasks));
  }

  absl::StatusOr<std::vector<absl::Duration>> Go() {
    {
      platform::MutexLock lock(mutex_);
      running_ = callers_.size();
    }
    for (Caller& caller : callers_) {
      bool more = false;
      {
        platform::MutexLock lock(mutex_);
        more = TakeOne();
      }
      if (more) SpawnNext(caller);
    }
    platform::MutexLock lock(mutex_);
    while (running_ > 0) ended_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    return std::move(times_);
  }

 private:
  struct Caller {
    absl::Time begin;
  };

  // Whether there is another task for a caller; else it has ended.
  bool TakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (left_ > 0 && failure_.ok() && (goes_on_ == nullptr || *goes_on_)) {
      --left_;
      return true;
    }
    if (--running_ == 0) ended_.Signal();
    return false;
  }

  void SpawnNext(Caller& caller) {
    caller.begin = absl::Now();
    client_.SpawnAsync(EchoTask(0), {},
                       [this, &caller](const absl::StatusOr<SpawnedTask>& spawned) {
                         if (!spawned.ok()) return Ended(caller, spawned.status());
                         client_.AwaitAsync(spawned->id, {},
                                            [this, &caller](const absl::StatusOr<Output>& output) {
                                              Ended(caller, Check(output));
                                            });
                       });
  }

  void Ended(Caller& caller, const absl::Status& status) {
    bool more = false;
    {
      platform::MutexLock lock(mutex_);
      times_.push_back(absl::Now() - caller.begin);
      failure_.Update(status);
      more = TakeOne();
    }
    if (more) SpawnNext(caller);
  }

  Client& client_;
  const std::atomic<bool>* const goes_on_;
  std::vector<Caller> callers_;
  platform::Mutex mutex_;
  platform::CondVar ended_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  size_t running_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<absl::Duration> times_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

Task EchoTask(size_t /*number*/) { return Task(kEchoType, std::string(100, 'x')); }

absl::StatusOr<double> Run(Client& client, const Batches& batches) {
  return BatchRun(client, batches).Go();
}

absl::StatusOr<std::vector<absl::Duration>> RunCallers(Client& client, size_t callers,
                                                       size_t tasks) {
  return CallersRun(client, callers, tasks, nullptr).Go();
}

absl::StatusOr<std::vector<absl::Duration>> RunCallerWhile(Client& client,
                                                           const std::atomic<bool>& goes_on) {
  return CallersRun(client, 1, SIZE_MAX, &goes_on).Go();
}

absl::StatusOr<std::vector<absl::Duration>> RunBlocking(Client& client, size_t tasks) {
  std::vector<absl::Duration> times;
  for (size_t i = 0; i < tasks; ++i) {
    const absl::Time begin = absl::Now();
    KANTOKU_ASSIGN_OR_RETURN(const SpawnedTask spawned, client.Spawn(EchoTask(i)));
    KANTOKU_RETURN_IF_ERROR(Check(client.Await(spawned.id)));
    times.push_back(absl::Now() - begin);
  }
  return times;
}

}  // namespace kantoku::bench
