#ifndef KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ENGINE_WORLD_H_
#define KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ENGINE_WORLD_H_

#include <catch2/catch.hpp>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/support/engine_records.h"

namespace kantoku::inputs::testing {

SessionId SessionOf(uint8_t number);
// Whoever sees the tasks of this subject.
platform::Viewer As(std::string subject = "local");
TaskSpec Spec(std::string type = "work", int32_t priority = 0);
TaskSpec Referenced(std::string reference, uint64_t payload = 1);

// An engine with its records and its clock. What one group brings about is in `effects` until the
// next group ends; `Do…` functions end the group.
class EngineWorld {
 public:
  explicit EngineWorld(const EngineOptions& options = {});

  // Ends the group and commits it.
  const Effects& EndGroup();
  void Pass(absl::Duration time);
  // A new engine from the committed records; the open group is lost. Steady time starts over.
  void Crash();

  absl::StatusOr<SpawnOutcome> Spawn(const std::vector<TaskSpec>& specs, uint64_t request = 0,
                                     uint64_t content = 0);
  // With this app, and the task token of a handler if there is one.
  absl::StatusOr<SpawnOutcome> SpawnAs(const std::optional<SpawningHandler>& handler,
                                       std::string_view app, const std::vector<TaskSpec>& specs,
                                       uint64_t request = 0, uint64_t content = 0);
  // One task; the group has ended.
  TaskId DoSpawn(const TaskSpec& spec = Spec());
  // Returns its connection.
  ConnectionId Open(uint8_t session, uint32_t credit, const std::vector<HeldDispatch>& held = {},
                    const std::vector<std::string>& types = {"work"}, const Labels& labels = {});
  // Spawned, dispatched to session 1 with the number 1, and begun.
  TaskId DoRun(const TaskSpec& spec = Spec());
  absl::StatusOr<TaskState> Control(const TaskId& task, ControlVerb verb);
  absl::StatusOr<TaskState> ControlTree(const TaskId& root, ControlVerb verb);
  absl::StatusOr<TaskState> Cancel(const TaskId& task) {
    return Control(task, ControlVerb::kCancel);
  }
  // What the executor says of a handler; answers the latest thing that it was told.
  void SayPaused(const TaskId& task, bool paused, uint32_t number);
  void Nack(const TaskId& task, uint32_t dispatch, NackKind kind,
            const std::string& reason = "HANDLER_FAILED");
  void AnswerFence(const TaskId& task, uint32_t dispatch,
                   std::optional<TaskState> end = std::nullopt);
  // Closes the dispatch and lets the backoff pass: READY or dispatched again.
  void Redeliver(const TaskId& task, uint32_t dispatch);

  TaskView View(const TaskId& task) const;
  TaskState StateOf(const TaskId& task) const { return View(task).state; }
  std::optional<SessionView> SessionViewOf(uint8_t session) const;
  size_t Events(EventType type) const;
  // The end of the task that the last group recorded.
  std::optional<TaskView> Ended(const TaskId& task) const;

  platform::Now now{absl::FromUnixSeconds(1'700'000'000), absl::Seconds(1'000)};
  EngineOptions options;
  EngineRecords records;
  std::unique_ptr<Engine> engine;
  Effects effects;                    // Of the open group.
  Effects last;                       // Of the group that ended last.
  ConnectionId connection = 0;        // The latest.
  std::vector<HeldVerdict> verdicts;  // The latest.

 private:
  uint64_t next_request_ = 1'000'000;
};

// What a status says to machines, or "OK".
template <typename Result>
std::string Reason(const Result& result) {
  if constexpr (requires { result.status(); }) {
    return Reason(result.status());
  } else {
    return result.ok() ? "OK" : std::string(platform::ReasonOf(result));
  }
}

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_UNIT_INPUTS_ENGINE_ENGINE_WORLD_H_
