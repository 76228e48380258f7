#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_QUEUE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/outputs/v1/outputs.pb.h"
#include "services/executor-runtime/backoff.h"
#include "services/executor-runtime/held_task.h"
#include "services/executor-runtime/ledger.h"
#include "services/platform/ids.h"

namespace kantoku::executor {

// Results on their way to Outputs. While one Put is under way the others gather, and leave together
// in the next. What Outputs could not take for now is tried again, after a pause, until it is taken
// or its dispatch is no longer ours. A result whose lease has ended waits apart for Inputs to renew
// that, as it does when a clock was set, and is handed back when none comes. Pure: the caller makes
// the calls.
//
// Thread-compatible. Confirmations and refusals go to `ledger`, which outlives the queue.
class PutQueue {
 public:
  PutQueue(Ledger& ledger, const platform::SessionId& session, std::function<uint64_t()> random);

  // How long a result waits for its lease to be renewed.
  static constexpr absl::Duration kRenewalPatience = absl::Minutes(2);

  // `task` is in phase kPutting.
  void Add(HeldTaskPtr task, Result result);

  // Moves those that waited for a renewal on, if it came, and hands them back, if it did not.
  void OnTime(absl::Duration now);

  // Whether Fill would find something now.
  bool Ready(absl::Duration now) const {
    return !in_flight_ && !waiting_.empty() && now >= retry_at_;
  }
  // When there is something for OnTime or Fill to do by itself.
  absl::Duration next_time() const;

  // Fills `request` with what is to be put next; false when nothing is left of it. After true, the
  // call is to be made and its end told to OnAnswer.
  bool Fill(outputs::v1::PutRequest& request);
  // The end of a call. Takes back from `request` what is to be tried again.
  void OnAnswer(const absl::Status& status, outputs::v1::PutRequest& request,
                outputs::v1::PutResponse& response, absl::Duration now);

  // Of the call under way, roughly.
  size_t sent_bytes() const { return sent_bytes_; }
  size_t size() const { return waiting_.size() + sent_.size() + unleased_.size(); }

 private:
  struct Waiting {
    HeldTaskPtr task;
    Result result;
  };

  struct Unleased {
    Waiting waiting;
    std::string refused_token;
    outputs::v1::PutResult answer;
    absl::Duration until;
  };

  // Returns whether the item is to be tried again.
  bool OnItem(const HeldTaskPtr& task, outputs::v1::PutItem& item, outputs::v1::PutResult& result,
              absl::Duration now);
  void HandBack(const HeldTaskPtr& task, const outputs::v1::PutResult& answer);
  // The result goes back out of the request.
  static Waiting TakeOut(HeldTaskPtr task, outputs::v1::PutItem& item);
  void TakeBack(std::vector<size_t> indexes, outputs::v1::PutRequest& request);

  Ledger& ledger_;
  const platform::SessionId session_;
  const std::function<uint64_t()> random_;
  std::deque<Waiting> waiting_;
  std::vector<HeldTaskPtr> sent_;
  std::deque<Unleased> unleased_;  // The first was refused first.
  size_t sent_bytes_ = 0;
  bool in_flight_ = false;
  int alone_ = 0;  // How many of the next results leave one by one.
  Backoff backoff_;
  absl::Duration retry_at_ = absl::ZeroDuration();
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_QUEUE_H_
