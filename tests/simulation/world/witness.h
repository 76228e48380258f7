#ifndef KANTOKU_TESTS_SIMULATION_WORLD_WITNESS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_WITNESS_H_

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "tests/simulation/world/coverage.h"
#include "tests/simulation/world/inputs_server.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"

namespace kantoku::simulation {

// A command about a task, as it is said to Inputs.
struct Said {
  Command command;
  TaskId task;
  uint32_t dispatch = 0;
  SessionId session;                  // Of the executor that says it.
  bool started = false;               // kPresented.
  bool in_hello = false;              // Counts only if the hello is accepted.
  bool shows_receipt = false;         // In a hello that was refused.
  std::optional<TaskState> terminal;  // kFenceEnded.
};

// For people.
std::string Describe(const TaskView& view);

// Looks at tasks directly before and directly after a command and knows what the command may do to
// a task in each state. To add a command, add its rule to Check.
class Witness {
 public:
  Witness(const Scene& scene, InputsServer& server, const Model& model)
      : scene_(scene), server_(server), model_(model) {}

  // Whether the handler of a dispatch goes on, where a session holds it.
  using Runs = std::function<bool(const SessionId&, const TaskId&, uint32_t dispatch)>;
  void AskHandlers(Runs runs) { runs_ = std::move(runs); }

  // Whether who says something may speak for the session.
  enum class Standing : uint8_t { kSpeaks, kStranger, kUnknown };

  // `act` posts the command that says it all. `standing` is asked when that is applied; null:
  // kSpeaks.
  void Around(std::vector<Said> said, absl::FunctionRef<void()> act,
              std::function<Standing()> standing = nullptr);

 private:
  using Views = std::vector<absl::StatusOr<TaskView>>;

  void Look(const std::vector<Said>& said, inputs::Partition::Done<Views> done);
  void Count(const std::vector<Said>& said, const Views& before);
  // What changes its task is a step; what one frame says of a task, one step.
  void CountSteps(const std::vector<Said>& said, const Views& before, const Views& after);
  bool Changes(const Said& said, const absl::StatusOr<TaskView>& before,
               const absl::StatusOr<TaskView>& after);
  void CheckAll(const std::vector<Said>& said, const Views& before, const Views& after);
  void Check(const Said& said, const TaskView& before, const TaskView& after);
  void CheckControl(Command command, const TaskView& before, const TaskView& after);
  void CheckHandlerState(const TaskView& before, const TaskView& after) const;
  void CheckHeld(const Said& said, const TaskView& before, const TaskView& after);

  const Scene scene_;
  InputsServer& server_;
  const Model& model_;
  Runs runs_;
  uint64_t epoch_ = 0;
  std::map<TaskId, uint32_t> closed_;  // Dispatches of which this owner knows.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_WITNESS_H_
