#ifndef KANTOKU_TESTS_SIMULATION_WORLD_EXECUTOR_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_EXECUTOR_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "services/executor-runtime/argument_queue.h"
#include "services/executor-runtime/backoff.h"
#include "services/executor-runtime/item_queue.h"
#include "services/executor-runtime/ledger.h"
#include "services/executor-runtime/liveness.h"
#include "services/executor-runtime/put_queue.h"
#include "tests/simulation/world/gateway.h"
#include "tests/simulation/world/handlers.h"
#include "tests/simulation/world/outputs_server.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// An honest executor: the runtime's pure parts, joined as its core joins them, with handlers that
// take as long as the world lets them and stop at once when they are asked to. It can be killed,
// started anew and frozen.
class Executor {
 public:
  Executor(const Scene& scene, int number, Gateway& gateway, OutputsServer& outputs,
           Handlers& handlers);

  // ---- What the world lets happen ----
  // Hears a frame.
  void Hear();
  // A handler begins, ends, or reports.
  void Work();
  // A Put gets to Outputs, its answer back.
  void Put();
  void PutItems();
  // Of arguments.
  void GetResults();
  void LoseConnection();
  // As kill -9 and a new start, with the session's id from its file, or a new one.
  void Kill();
  void Freeze();
  void Thaw();
  bool frozen() const { return frozen_; }
  // Whether its handler goes on: it stands at no pause point and is not to stop.
  bool Runs(const TaskId& task, uint32_t dispatch) const;
  // Stops taking tasks, and begins again.
  void Drain();

  // Does what is due.
  void OnTime();
  absl::Duration NextTime() const;

  // ---- At the end of the world ----
  // Does all it can and wants every type.
  void BecomeDiligent();
  void WorkAll();
  const SessionId& session() const { return session_; }
  const std::string& name_space() const { return name_space_; }
  const platform::Caller& caller() const { return caller_; }

 private:
  struct Running {
    executor::HeldTaskPtr task;
    absl::Duration until;  // Returns by itself no earlier.
    bool stubborn;         // Whatever users ask of it.
  };

  absl::Duration now() const { return scene_.clock.Read().steady; }
  void StartProcess();
  void Announce();
  void Connect();
  void OnClosed();
  void GiveUpConnection();
  bool ReadWelcome(inputs::v1::PullResponse& frame);
  void ReadFrame(inputs::v1::PullResponse& frame);
  // What follows from the present state.
  void Collect();
  void Obey(const inputs::v1::ExecutorControl& control);
  // Does so if it was asked to and it is time.
  bool Leaves();
  void FillFrame();
  void StopHandlers();
  // How many handlers there are room for: a start that waits for its confirmation takes one.
  bool HasWorker() const;
  bool StandsStill(const Running& running);
  void Begin(executor::HeldTaskPtr task);
  void BeginHandler(executor::HeldTaskPtr task);
  // Of those that waited, begins what runs now and lets go of what is never to begin.
  void BeginConfirmed();
  void EndHandler(size_t at, const absl::StatusOr<executor::Result>& result);
  absl::StatusOr<executor::Result> ResultOf(const executor::HeldTask& task);
  void AnswerPut();
  void Yield(const executor::HeldTaskPtr& task);
  void Checkpoint(const executor::HeldTaskPtr& task);
  void AnswerItems(const absl::Status& status);
  void AnswerResults(const absl::Status& status);

  const Scene scene_;
  const int number_;
  Gateway& gateway_;
  OutputsServer& outputs_;
  Handlers& handlers_;
  const platform::Caller caller_;
  const std::string name_space_;
  const executor::Registration registration_;

  SessionId session_;
  std::vector<std::string> types_;
  inputs::v1::Hello announced_;  // Name, labels and version.
  std::unique_ptr<executor::Ledger> ledger_;
  std::unique_ptr<executor::PutQueue> puts_;
  std::unique_ptr<executor::ItemQueue> items_;
  std::unique_ptr<executor::ArgumentQueue> arguments_;
  executor::Liveness liveness_;
  executor::Backoff reconnect_;
  std::shared_ptr<Connection> connection_;
  bool welcomed_ = false;
  bool lost_ = false;  // Handlers were stopped since the last welcome.
  bool frozen_ = false;
  bool diligent_ = false;
  uint64_t hellos_ = 0;
  uint64_t checkpoints_ = 0;
  absl::Duration connect_at_ = absl::ZeroDuration();
  absl::Duration bounced_until_ = absl::ZeroDuration();
  absl::Duration leave_at_ = absl::InfiniteDuration();  // At the latest.
  absl::Duration welcome_by_ = absl::InfiniteDuration();
  absl::Duration progress_at_ = absl::InfiniteDuration();
  std::vector<executor::HeldTaskPtr> starting_;
  std::vector<Running> running_;

  bool putting_ = false;  // A call is under way.
  outputs::v1::PutRequest put_request_;
  std::optional<outputs::v1::PutResponse> put_response_;  // On its way back.
  std::optional<outputs::v1::PutRequest> late_put_;       // Arrives once more, some time.

  bool putting_items_ = false;
  outputs::v1::PutItemsRequest items_request_;
  std::optional<outputs::v1::PutItemsResponse> items_response_;
  std::optional<outputs::v1::PutItemsRequest> late_items_;

  bool getting_ = false;
  outputs::v1::GetRequest get_request_;
  std::optional<outputs::v1::GetResponse> get_response_;
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_EXECUTOR_H_
