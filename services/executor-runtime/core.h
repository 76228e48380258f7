#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_CORE_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_CORE_H_

#include <grpcpp/channel.h>

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/executor-runtime/argument_queue.h"
#include "services/executor-runtime/backoff.h"
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/held_task.h"
#include "services/executor-runtime/item_queue.h"
#include "services/executor-runtime/journal.h"
#include "services/executor-runtime/ledger.h"
#include "services/executor-runtime/liveness.h"
#include "services/executor-runtime/pull_stream.h"
#include "services/executor-runtime/put_queue.h"
#include "services/platform/mutex.h"

namespace kantoku::executor {

// The executor: joins the pure parts (Ledger, PutQueue, Liveness) with threads, clock and gRPC.
//
// One mutex guards the pure parts. Whoever changes them, the queue's thread with a frame, a worker
// with a result or the caller of Run with the clock, takes it once, and collects into Actions what
// follows: calls to make, threads to wake, handlers to stop. Those are carried out without it.
//
// Thread-safe.
class Core final : public Executor, private PullStream::Listener {
 public:
  // `options` are complete and in range; `journal` may be null. `tokens` are those of the channels;
  // null: they have none.
  Core(ExecutorOptions options, std::unique_ptr<Journal> journal,
       std::shared_ptr<grpc::Channel> inputs, std::shared_ptr<grpc::Channel> outputs,
       std::shared_ptr<platform::TokenSource> tokens);
  ~Core() override;

  absl::Status Handle(std::string_view type, Handler handler) override;
  absl::Status HandleInline(std::string_view type, Handler handler) override;
  absl::Status Run() override;
  void Drain() override;
  void Stop() override;
  platform::SessionId session() const override { return options_.session; }

 private:
  class HandlerContext;

  struct Actions {
    std::shared_ptr<PullStream> open;
    std::shared_ptr<PullStream> write;
    std::shared_ptr<PullStream> cancel;
    bool put = false;
    std::shared_ptr<grpc::ClientContext> cancel_put;
    bool wake_run = false;
    bool put_items = false;
    std::shared_ptr<grpc::ClientContext> cancel_put_items;
    bool get = false;
    std::shared_ptr<grpc::ClientContext> cancel_get;
    bool wake_handlers = false;
    size_t wake_workers = 0;
    bool wake_starting = false;
    bool wake_paused = false;
    std::vector<std::stop_source> stops;
    std::vector<HeldTaskPtr> holds;
    std::vector<std::pair<LogLevel, std::string>> lines;

    bool empty() const {
      return open == nullptr && write == nullptr && cancel == nullptr && cancel_put == nullptr &&
             cancel_put_items == nullptr && cancel_get == nullptr && !put && !put_items && !get &&
             !wake_handlers && stops.empty() && holds.empty() && lines.empty() &&
             wake_workers == 0 && !wake_starting && !wake_paused;
    }
  };

  // The state of a drain, step by step.
  enum class Ending { kNo, kFinishing, kStopping, kConfirming, kDone };

  absl::Status Register(std::string_view type, Handler handler, bool run_inline);

  // From the thread of the queue.
  void OnFrame(PullStream& stream, inputs::v1::PullResponse& frame) override;
  void OnWritten(PullStream& stream) override;
  void OnBroken(PullStream& stream) override;
  void OnClosed(PullStream& stream, const absl::Status& status) override;
  void OnPutDone(const absl::Status& status);
  void OnPutItemsDone(const absl::Status& status);
  void OnGetDone(const absl::Status& status);

  // A worker's thread.
  void Work();
  // Waits while the task is starting; whether its handler is to run.
  bool AwaitStart(const HeldTask& task);
  void End(const HeldTaskPtr& task, absl::StatusOr<Result> result, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::StatusOr<Result> RunHandler(const HeldTaskPtr& task);
  void RunInline(std::span<const HeldTaskPtr> tasks);
  // As many as there are, in parts.
  void RunAllInline(std::span<const HeldTaskPtr> tasks);

  // The thread of Run.
  bool Step();
  absl::Status Finish();
  void OnTime(absl::Duration now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnEnding(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Duration NextTime() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Connect(absl::Duration now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveUpConnection(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  bool ReadWelcome(inputs::v1::PullResponse& frame, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<HeldTaskPtr> ReadTasks(inputs::v1::PullResponse& frame, absl::Duration now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Adds what runs inline.
  void ReadStarts(const inputs::v1::PullResponse& frame, absl::Duration now,
                  std::vector<HeldTaskPtr>& run_inline) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReadReports(inputs::v1::PullResponse& frame, absl::Duration now, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReadCheckpoint(const inputs::v1::CheckpointConfirmed& answer, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ReadExecutorControl(const inputs::v1::ExecutorControl& control, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // What follows from the present state.
  void Collect(absl::Duration now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // A context for a call to Outputs that sends so many bytes.
  std::shared_ptr<grpc::ClientContext> PutContext(size_t bytes) const;
  bool FillFrame(absl::Duration now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Perform(const Actions& actions) ABSL_LOCKS_EXCLUDED(mu_);
  void CallEnded() ABSL_LOCKS_EXCLUDED(mu_);

  absl::Status Yield(const HeldTaskPtr& task, Result item, absl::Duration patience);
  // Waits until the window takes an item of so many bytes.
  absl::Status AwaitRoom(const HeldTask& task, size_t bytes, absl::Duration patience)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Of a handler that has failed: judges it, then waits a while until its items are durable.
  void AwaitItems(const HeldTaskPtr& task, const absl::Status& failure);
  absl::Status Checkpoint(const HeldTaskPtr& task, std::string data);
  absl::Status AwaitCheckpoint(const HeldTask& task);
  void Report(const HeldTaskPtr& task, double fraction, std::string_view message);
  std::stop_token StopToken(HeldTask& task);
  absl::Duration TimeLeft(const HeldTask& task);
  std::string TaskToken(const HeldTask& task);
  bool PausePoint(const HeldTaskPtr& task);
  void OnPause(const HeldTaskPtr& task, std::function<void(bool)> hold);

  // Of work that is held back from outside: does what is wanted now, and says so.
  void HoldBack(const HeldTaskPtr& task);
  void Unhold(HeldTask& task);
  absl::Duration Steady() const { return options_.clock->Read().steady; }

  const ExecutorOptions options_;
  const std::unique_ptr<Journal> journal_;
  const std::shared_ptr<platform::TokenSource> tokens_;
  const std::unique_ptr<inputs::v1::InputsService::Stub> inputs_;
  const std::unique_ptr<outputs::v1::OutputsService::Stub> outputs_;
  platform::CallQueue queue_;
  // Constant once Run has begun.
  std::map<std::string, Registration, std::less<>> handlers_;
  std::vector<std::thread> workers_;
  uint32_t max_held_ = 0;

  platform::Mutex mu_;
  platform::CondVar run_wakes_;
  platform::CondVar work_waits_;     // Workers that have nothing to do.
  platform::CondVar start_waits_;    // Workers whose task is starting.
  platform::CondVar pause_waits_;    // Handlers that are held back at a pause point.
  platform::CondVar handler_waits_;  // Handlers that wait for Outputs, or for a checkpoint.
  platform::CondVar calls_end_;

  std::optional<Ledger> ledger_ ABSL_GUARDED_BY(mu_);
  std::optional<PutQueue> puts_ ABSL_GUARDED_BY(mu_);
  std::optional<ItemQueue> items_ ABSL_GUARDED_BY(mu_);
  std::optional<ArgumentQueue> arguments_ ABSL_GUARDED_BY(mu_);
  Liveness liveness_ ABSL_GUARDED_BY(mu_);
  Backoff reconnect_ ABSL_GUARDED_BY(mu_);

  uint64_t hellos_ ABSL_GUARDED_BY(mu_) = 0;  // Which connection the latest was.
  bool ran_ ABSL_GUARDED_BY(mu_) = false;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;  // Nothing is begun any more.
  Ending ending_ ABSL_GUARDED_BY(mu_) = Ending::kNo;
  absl::Duration ending_until_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  absl::Status verdict_ ABSL_GUARDED_BY(mu_);  // Of Inputs, when it is final.
  int idle_workers_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Duration run_wakes_at_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
  bool busy_ ABSL_GUARDED_BY(mu_) = false;  // Tasks came since Run last waited.

  std::shared_ptr<PullStream> stream_ ABSL_GUARDED_BY(mu_);  // While writes may be claimed.
  int calls_ ABSL_GUARDED_BY(mu_) = 0;                       // Connections and puts that live.
  bool connected_ ABSL_GUARDED_BY(mu_) = false;              // From Connect to OnClosed.
  bool welcomed_ ABSL_GUARDED_BY(mu_) = false;               // By this connection.
  bool ever_welcomed_ ABSL_GUARDED_BY(mu_) = false;
  bool writing_ ABSL_GUARDED_BY(mu_) = false;
  bool inputs_failed_ ABSL_GUARDED_BY(mu_) = false;   // Said so, and not since that it is back.
  bool outputs_failed_ ABSL_GUARDED_BY(mu_) = false;  // Likewise.
  bool speak_ ABSL_GUARDED_BY(mu_) = false;           // Even what is not urgent.
  bool lost_ ABSL_GUARDED_BY(mu_) = false;  // Handlers were stopped since the last welcome.
  absl::Duration connect_at_ ABSL_GUARDED_BY(mu_) = absl::ZeroDuration();
  absl::Duration bounce_until_ ABSL_GUARDED_BY(mu_) = -absl::InfiniteDuration();
  absl::Duration welcome_by_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  absl::Duration progress_at_ ABSL_GUARDED_BY(mu_) = absl::InfiniteDuration();
  std::optional<uint64_t> pong_ ABSL_GUARDED_BY(mu_);
  std::string newer_token_ ABSL_GUARDED_BY(mu_);  // Empty: Inputs wants none, or there is none.

  std::shared_ptr<grpc::ClientContext> put_context_ ABSL_GUARDED_BY(mu_);
  // Of the put under way; nobody else touches them meanwhile.
  outputs::v1::PutRequest put_request_;
  outputs::v1::PutResponse put_response_;
  std::shared_ptr<grpc::ClientContext> put_items_context_ ABSL_GUARDED_BY(mu_);
  outputs::v1::PutItemsRequest put_items_request_;
  outputs::v1::PutItemsResponse put_items_response_;
  std::shared_ptr<grpc::ClientContext> get_context_ ABSL_GUARDED_BY(mu_);
  outputs::v1::GetRequest get_request_;
  outputs::v1::GetResponse get_response_;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_CORE_H_
