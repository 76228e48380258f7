#ifndef KANTOKU_SERVICES_INPUTS_SILENT_CALLS_H_
#define KANTOKU_SERVICES_INPUTS_SILENT_CALLS_H_

#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/mutex.h"

namespace kantoku::inputs {

// Calls that have not said yet what they are about, and so are nobody's. When the next one comes,
// those that have taken longer than `limit` are closed, and the oldest if there are kMost. `First`
// has `Close(status)`, harmless once it has spoken.
//
// Thread-safe.
template <typename First>
class SilentCalls {
 public:
  static constexpr size_t kMost = 10'000;

  explicit SilentCalls(absl::Duration limit) : limit_(limit) {}

  // `now` is steady time.
  void Add(const std::shared_ptr<First>& call, absl::Duration now, const absl::Status& why) {
    std::vector<std::shared_ptr<First>> late;
    {
      platform::MutexLock lock(mutex_);
      while (!calls_.empty() && (calls_.front().first <= now || calls_.size() >= kMost)) {
        if (auto each = calls_.front().second.lock()) late.push_back(std::move(each));
        calls_.pop_front();
      }
      calls_.emplace_back(now + limit_, call);
    }
    for (const auto& each : late) each->Close(why);
  }

 private:
  const absl::Duration limit_;
  platform::Mutex mutex_;
  std::deque<std::pair<absl::Duration, std::weak_ptr<First>>> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SILENT_CALLS_H_
