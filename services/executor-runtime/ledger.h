#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_LEDGER_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_LEDGER_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.pb.h"
#include "services/executor-runtime/held_task.h"

namespace kantoku::executor {

// Every dispatch that this executor holds, from its arrival until Inputs has confirmed its end, and
// everything that Inputs has still to be told. Pure: no I/O, no threads, no clock.
//
//   queued ──Begin──▸ running ──End──▸ putting ──OnReceipt──▸ acking ──confirmed──▸ gone
//      └─────────────────┴───────────────┴──▸ returning ──a later ping is answered──▸ gone
//
// Where the start is to be confirmed, Begin leads to starting, and OnStartConfirmed to running. A
// task with arguments is fetching before it is queued, until OnArguments.
//
// Whatever is taken away (revoked, refused, omitted after a loss) is gone at once; a handler that
// still runs is asked to stop, and what it returns is forgotten.
//
// Thread-compatible.
class Ledger {
 public:
  using InputsRequest = inputs::v1::PullRequest;

  explicit Ledger(uint32_t max_held) : max_held_(max_held) {}

  // ---- From Inputs ----

  // Takes a dispatch in: into the queue, or, when its handler runs inline, as one that runs from
  // now on and is returned, unless its start is to be confirmed or it has arguments: those are to
  // be fetched first (TakeFetches). Hands it back when it exceeds the credit or has no handler
  // (`registration` null).
  HeldTaskPtr Receive(inputs::v1::Dispatch& dispatch, const Registration* registration,
                      absl::Duration now);
  // The handler of a task that is starting may begin: it runs from now on. Returned when it runs
  // inline; otherwise whoever began it waits for this.
  HeldTaskPtr OnStartConfirmed(std::string_view task_id, uint32_t dispatch, absl::Duration now);
  void OnSettled(std::string_view task_id, uint32_t dispatch);
  // Returns whether the dispatch was held.
  bool OnRefused(std::string_view task_id, uint32_t dispatch, std::string_view reason);
  void OnCheckpoint(const inputs::v1::CheckpointConfirmed& answer);
  void OnControl(const inputs::v1::HandlerControl& control, absl::Duration now);
  void OnRenewal(inputs::v1::LeaseRenewal& renewal);

  // ---- To and from handlers ----

  // The next task of the queue, now running, or starting; null when there is none.
  HeldTaskPtr Begin(absl::Duration now);
  // Whether a task that was starting is not any more, since this was asked last.
  bool TakeStartsDecided() { return std::exchange(starts_decided_, false); }
  // Takes note of what a handler returned. True when `result` is to be put into Outputs; otherwise
  // all is said.
  bool End(const HeldTaskPtr& task, absl::Duration now, const absl::StatusOr<Result>& result);
  // Its handler has failed, and End is to follow once what it has yielded before has left: whatever
  // comes until then changes nothing in what became of it.
  void Fail(const HeldTaskPtr& task, absl::Duration now, const absl::Status& failure);
  void Report(const HeldTaskPtr& task, double fraction, std::string_view message);
  // Takes what a running handler leaves to the next dispatch, in place of what it left before.
  void Checkpoint(const HeldTaskPtr& task, std::string data);
  // The handler has come to a pause point. Whether it is held back there: until `paused` is false,
  // or it is to stop.
  bool ReachPausePoint(const HeldTaskPtr& task, absl::Duration now);
  // The handler's work can, or cannot any more, be held back from outside.
  void SetCanHold(const HeldTaskPtr& task, bool can_hold);
  // It was held back, or let go, as it was to be when TakeHolds had named it.
  void OnHeld(const HeldTaskPtr& task, bool held, absl::Duration now);
  absl::Duration TimeLeft(const HeldTask& task, absl::Duration now) const {
    return task.paused ? task.time_left : task.deadline - now;
  }
  // A token that is signalled when the task is to stop.
  std::stop_token StopToken(HeldTask& task);

  // ---- From Outputs ----

  // Tasks whose arguments are to be fetched.
  std::vector<HeldTaskPtr> TakeFetches() { return std::exchange(fetches_, {}); }
  // It has all its arguments. Returned when it runs inline, from now on.
  HeldTaskPtr OnArguments(const HeldTaskPtr& task, absl::Duration now);
  // It does not get its arguments.
  void ReturnFetch(const HeldTaskPtr& task, const HandBack& how);
  void OnReceipt(const HeldTaskPtr& task, std::string receipt);
  // The result was not accepted.
  void ReturnPut(const HeldTaskPtr& task, const HandBack& how);
  // An item was not accepted, so that nothing that comes after it will be: a handler that runs is
  // asked to stop, and what it returns is forgotten.
  void ReturnItems(const HeldTaskPtr& task, const HandBack& how);
  // The first so many items of the dispatch are durable.
  void OnItemsDurable(const HeldTaskPtr& task, uint64_t items);

  // ---- Time ----

  // A start is reported once its handler has run for this long: most are over by then, and an ack
  // says it all.
  static constexpr absl::Duration kStartReportDelay = absl::Milliseconds(5);

  // Stops handlers whose time is over, and picks the starts that are to be reported.
  void OnTime(absl::Duration now);
  // When OnTime may have something to do next.
  absl::Duration next_time() const { return next_time_; }

  // ---- Ends ----

  // Takes nothing more and hands the queue back.
  void Drain();
  // Asks running handlers to stop.
  void StopHandlers(StopCause cause);
  // As StopHandlers(kLost), and forgets the queue: hello will omit it.
  void OnLost();
  // Hands back what still runs, whatever its handler does, and what Outputs has not taken yet; from
  // here on it is somebody else's.
  void Abandon();

  // ---- To Inputs ----

  void FillHello(inputs::v1::Hello& hello);
  // Takes note of what became of the tasks that hello presented. False when the answer does not
  // match the question.
  bool OnWelcome(inputs::v1::Welcome& welcome);
  // Puts everything that is to be said into `request`, as far as one message may hold; returns
  // whether there was anything.
  bool FillReports(InputsRequest& request);
  // Whether there is something to be said that does not wait for company, as progress does.
  bool urgent() const {
    return credit_pending_ || !starts_.empty() || !acks_.empty() || !nacks_.empty() ||
           !states_.empty() || !checkpoints_.empty();
  }

  // Whether handlers were asked to stop, or a checkpoint was answered, since this was asked last.
  bool TakeHandlersToWake() { return std::exchange(handlers_to_wake_, false); }
  // Sources that must be signalled, outside of any lock.
  std::vector<std::stop_source> TakeStopped() { return std::exchange(stopped_, {}); }
  // Work that is to be held back from outside, or let go: as `pause_wanted` says when that is done,
  // outside of any lock.
  std::vector<HeldTaskPtr> TakeHolds() { return std::exchange(holds_, {}); }
  // Whether a handler that stands at a pause point may go on or is to stop, since this was asked
  // last.
  bool TakePausesDecided() { return std::exchange(pauses_decided_, false); }

  bool empty() const { return tasks_.empty(); }
  size_t size() const { return tasks_.size(); }
  size_t queued() const { return queue_.size() - stale_in_queue_; }
  size_t running() const { return running_.size(); }
  // Whether anything waits for a handler, runs, or is on its way to Outputs.
  bool works() const { return working_ > 0; }
  bool progress_pending() const { return !progress_.empty(); }

 private:
  struct Presented {
    DispatchKey key;
    bool started;
  };

  template <typename Report>
  static void Name(const DispatchKey& key, Report& report) {
    const std::string_view id = key.task.bytes();
    report.set_task_id(id.data(), id.size());
    report.set_dispatch(key.dispatch);
  }
  HeldTaskPtr Find(std::string_view task_id, uint32_t dispatch) const;
  // Whatever the phase, takes the task out of the lists of those that work.
  void LeaveWork(const HeldTaskPtr& task);
  void MarkRunning(const HeldTaskPtr& task, absl::Duration now);
  void AskToStart(const HeldTaskPtr& task);
  // Into the queue, or, when its handler runs inline, on its way to run; then it is returned if it
  // runs already.
  HeldTaskPtr Enqueue(const HeldTaskPtr& task, absl::Duration now);
  void StartFetching(const HeldTaskPtr& task, inputs::v1::Dispatch& dispatch);
  void OnStopControl(const HeldTaskPtr& task, StopCause cause);
  void OnPauseControl(const HeldTaskPtr& task, const inputs::v1::HandlerControl& control,
                      absl::Duration now);
  void SetPaused(const HeldTaskPtr& task, bool paused, absl::Duration now);
  void SayState(const HeldTaskPtr& task);
  void SendCheckpoint(const HeldTaskPtr& task);
  void Stop(HeldTask& task, StopCause cause);
  void Drop(const HeldTaskPtr& task);
  void Return(const HeldTaskPtr& task, const HandBack& how);
  // How a task whose handler returns this now is handed back; nullopt when its result is to be put.
  static std::optional<HandBack> Judge(const HeldTask& task, absl::Duration now,
                                       const absl::StatusOr<Result>& result);
  void CompactQueue();
  std::vector<HeldTaskPtr> Queued() const;
  // By task and dispatch, so that equal histories say equal things.
  std::vector<HeldTaskPtr> InOrder() const;
  // Those in this phase, in order.
  std::vector<HeldTaskPtr> In(Phase phase) const;
  void PresentAgain();
  bool FillStarts(InputsRequest& request);
  bool FillCheckpoints(InputsRequest& request);
  bool MayAddCheckpoint(const InputsRequest& request) const;
  static bool MayLeave(const HeldTask& task, const LeftCheckpoint& checkpoint);
  // The newest that may leave, if it has not; false when there is no room for it.
  bool AddLastCheckpoint(HeldTask& task, InputsRequest& request);
  void AddCheckpoint(HeldTask& task, const LeftCheckpoint& left, InputsRequest& request);
  bool FillAcks(InputsRequest& request);
  bool FillNacks(InputsRequest& request);
  bool FillProgress(InputsRequest& request);
  bool FillStates(InputsRequest& request);

  const uint32_t max_held_;

  absl::flat_hash_map<DispatchKey, HeldTaskPtr> tasks_;
  std::deque<HeldTaskPtr> queue_;  // Those dropped or in another phase than kQueued are stale.
  size_t stale_in_queue_ = 0;
  std::vector<HeldTaskPtr> running_;
  std::deque<HeldTaskPtr> unreported_;  // Begun, in that order, with the start not reported yet.
  absl::Duration next_time_ = absl::InfiniteDuration();
  size_t working_ = 0;  // In the phases queued, starting, running and putting.
  bool starts_decided_ = false;
  bool handlers_to_wake_ = false;

  bool draining_ = false;
  bool credit_pending_ = false;
  std::vector<Presented> presented_;  // In the last hello.

  std::vector<HeldTaskPtr> fetches_;
  std::deque<HeldTaskPtr> starts_;
  std::deque<HeldTaskPtr> checkpoints_;
  size_t checkpoint_bytes_ = 0;  // In the message that is being filled.
  std::deque<HeldTaskPtr> acks_;
  std::deque<HeldTaskPtr> nacks_;
  std::deque<HeldTaskPtr> progress_;
  std::deque<HeldTaskPtr> states_;
  std::vector<std::stop_source> stopped_;
  std::vector<HeldTaskPtr> holds_;
  bool pauses_decided_ = false;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_LEDGER_H_
