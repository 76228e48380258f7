#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_QUEUE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_QUEUE_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/executor-runtime/backoff.h"
#include "services/executor-runtime/held_task.h"
#include "services/executor-runtime/ledger.h"
#include "services/platform/ids.h"

namespace kantoku::executor {

// Results of other tasks on their way from Outputs to handlers that have them as arguments: while
// one Get is under way, the others gather, and leave with the next. A task goes on when it has all
// of them. One whose argument is no longer kept fails for good (DEPENDENCY_EXPIRED), as does one
// whose arguments are too large together (ARGUMENTS_TOO_LARGE); one that waits in vain is handed
// back, which costs it no attempt. Pure: the caller makes the calls.
//
// Thread-compatible. What becomes of tasks goes to `ledger`, which outlives the queue.
class ArgumentQueue {
 public:
  // How long a task waits for its arguments before it is handed back: less than Inputs waits for
  // its start.
  static constexpr absl::Duration kPatience = absl::Seconds(30);
  static constexpr size_t kMaxBytes = size_t{64} << 20;  // Of one task.

  ArgumentQueue(Ledger& ledger, const platform::SessionId& session,
                std::function<uint64_t()> random);

  // `task` is in phase kFetching.
  void Add(const HeldTaskPtr& task, absl::Duration now);
  // Hands back those that have waited too long.
  void OnTime(absl::Duration now);

  // Whether Fill would find something now.
  bool Ready(absl::Duration now) const {
    return !in_flight_ && !waiting_.empty() && now >= retry_at_;
  }
  // When there is something for OnTime or Fill to do by itself.
  absl::Duration next_time() const;

  // Fills `request` with what is to be got next; false when nothing is left of it. After true, the
  // call is to be made and its end told to OnAnswer.
  bool Fill(outputs::v1::GetRequest& request);
  // The end of a call; returns the tasks that have all their arguments now, in their order.
  std::vector<HeldTaskPtr> OnAnswer(const absl::Status& status, outputs::v1::GetResponse& response,
                                    absl::Duration now);

  size_t size() const { return waiting_.size() + sent_.size(); }

 private:
  struct Wanted {
    HeldTaskPtr task;
    size_t index;  // Among the task's arguments.
  };

  // Returns whether the argument is to be asked for again.
  bool OnItem(const Wanted& wanted, outputs::v1::GetResult& result);
  void Take(const Wanted& wanted, outputs::v1::Result& result);

  Ledger& ledger_;
  const platform::SessionId session_;
  const std::function<uint64_t()> random_;
  std::deque<Wanted> waiting_;
  std::vector<Wanted> sent_;
  std::deque<std::pair<absl::Duration, HeldTaskPtr>> patience_;  // Until when.
  bool in_flight_ = false;
  Backoff backoff_;
  absl::Duration retry_at_ = absl::ZeroDuration();
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_ARGUMENT_QUEUE_H_
