#ifndef KANTOKU_TESTS_SIMULATION_INPUTS_ENGINE_WALK_H_
#define KANTOKU_TESTS_SIMULATION_INPUTS_ENGINE_WALK_H_

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "tests/support/engine_records.h"

namespace kantoku::inputs::testing {

// Outputs as far as the engine is concerned: the first terminal result wins, a closed dispatch
// cannot answer.
class ModelOutputs {
 public:
  // Whether the result is durable now: what a genuine receipt says.
  bool Put(const TaskId& task, uint32_t dispatch);
  std::optional<TaskState> Fence(const FenceMessage& fence);
  std::optional<TaskState> end(const TaskId& task) const;
  uint32_t closed(const TaskId& task) const;

 private:
  struct Entry {
    std::optional<TaskState> end;
    uint32_t winner = 0;
    uint32_t closed = 0;
  };
  std::map<TaskId, Entry> entries_;
};

// A random life of one engine: users who spawn, repeat and cancel; executors that connect, vanish,
// come back and lie; an Outputs whose answers come late, twice or never; clocks that jump; commits
// that lag behind, and crashes that lose what was not committed. After every step the engine is
// held against a model; the first broken promise throws std::logic_error with the seed and the
// step.
class EngineWalk {
 public:
  static constexpr size_t kEnoughIntervals = 1'000'000;  // Of waiting, to merge none.

  explicit EngineWalk(uint64_t seed);

  void Run(int steps);
  // Lets honest executors finish everything, waits until all history is over, and expects that
  // nothing is left.
  void Drain();

  // How often something happened, to see that the walk goes where it should.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  struct Handler {
    uint32_t dispatch = 0;
    bool started = false;
    bool put = false;  // It has a receipt.
    bool cancelled = false;
    bool paused = false;
    std::optional<HandlerMessage> told;  // Of pauses, and not heeded yet.
  };
  struct Executor {
    SessionId session;
    Caller caller;
    std::string name_space;
    std::string name;
    std::set<std::string> types;                // As its last hello told,
    std::map<std::string, std::string> labels;  // as these.
    ConnectionId connection = 0;
    uint32_t max_held = 0;
    bool paused = false;
    bool leaving = false;
    std::map<TaskId, Handler> handlers;
  };
  struct Group {
    Effects effects;
    std::vector<std::function<void()>> on_commit;
    std::vector<std::function<void()>> checks;  // After what it holds was looked at.
  };
  struct Submission {
    std::string name_space;
    std::string owner;
    Digest request;
    Digest content;
    std::vector<TaskSpec> specs;
    std::vector<TaskId> ids;  // Empty until answered.
  };
  // A time that no clock that is set can move, and by how much clocks were set so far.
  struct Moment {
    absl::Duration real;
    absl::Duration clock_set;
  };
  struct ModelTask {
    std::string reference;
    TaskId root;
    std::string name_space;
    std::string owner;
    Digest equal;
    uint32_t retention_s = 0;
    Moment created;
    uint32_t dispatch = 0;
    int ends = 0;
    absl::Duration ended;  // In real time.
    TaskId restarted_as;   // Empty: it was not, as far as the engine that lives knows.
  };
  // A task that names keys, as it was spawned.
  struct Keyed {
    std::string name_space;
    std::string owner;
    std::string type;
    std::shared_ptr<const TaskKeys> keys;
    uint32_t dispatch = 0;  // The latest, of the engine that lives.
  };
  struct Deadlines {
    absl::Time begin_by = absl::InfiniteFuture();
    absl::Time end_by = absl::InfiniteFuture();
  };
  struct ModelBucket {
    double tokens = 0;
    absl::Duration as_of;
  };
  struct Answer {
    TaskId task;
    uint32_t dispatch;
    std::optional<TaskState> end;
  };

  static constexpr uint64_t kTypes = 3;

  // One step each.
  void Spawn();
  void RepeatSpawn();
  void Restart();
  void Patch();
  void RestartDead(const TaskView& dead);
  void Control();
  void ControlTree(const ControlCommand& command);
  void Connect(Executor& executor);
  void Disconnect(Executor& executor);
  void ChangeCredit(Executor& executor);
  void Work(Executor& executor);
  void Lie(Executor& executor);
  void Heed(Executor& executor, const TaskId& task, Handler& handler);
  void Acknowledge(Executor& executor, const TaskId& task);
  void Nack(Executor& executor, const TaskId& task, const Handler& handler);
  void AskOutputs();
  void HearOutputs();
  void Wait();
  void Crash();

  void Submit(Submission& submission);
  void Step();
  void EndGroup();
  void Commit();
  void CommitAll();
  void Deliver(const Effects& effects);
  void DeliverDispatch(const DispatchMessage& message);

  // Promises.
  void CheckGroup(const Effects& effects);
  void CheckCommitted(const Effects& effects);
  void CheckDispatch(const DispatchMessage& message);
  void NoteDeadlines(const TaskId& task, const TaskSpec& spec);
  void CheckDeadlines(const Effects& effects);
  void CheckEnded(const TaskView& view, bool dead);
  void CheckKin(const Submission& submission, const SpawnOutcome& outcome);
  void CheckHello(const Executor& executor, const std::vector<HeldDispatch>& held,
                  const std::vector<HeldVerdict>& verdicts);
  void CheckLiving();
  void CheckEmpty();
  void CheckRestarted(const TaskView& dead, const TaskId& id, const TaskSpec& spec);

  // Waiting.
  void Pass(absl::Duration time);
  void CheckWaits();
  void HearOfHeld();
  int64_t HeldFor(const TaskView& view) const;
  void RecoverWaits();

  // Reuse.
  void MakePure(const Submission& submission, TaskSpec& spec);
  void CheckReused(const Submission& submission, const SpawnOutcome& outcome, const Moment& then);
  bool Put(const TaskId& task, uint32_t dispatch);

  // Placement.
  void Place(TaskSpec& spec);
  void Describe(TaskSpec& spec);
  void RecoverInfos();
  void CheckQuotas(const std::vector<TaskView>& living) const;
  void CheckInfo(const TaskView& view) const;
  void CheckContexts(const std::vector<TaskView>& living) const;
  Labels Label(Executor& executor);
  bool Fits(const Executor& executor, const std::string& type, const Placement* placement) const;
  void CheckPlaced(const DispatchMessage& message, const Executor& executor);
  void CheckCause(const TaskView& view);
  void CancelWhatFitsNobody();
  void ChangeRoute();
  void AskToLeave(Executor& executor);

  // Dependencies.
  void Depend(TaskSpec& spec, uint64_t place);
  absl::flat_hash_map<TaskId, TaskState> EndsOf(const SpawnCommand& command);
  void CheckDependencies(const Submission& submission, const SpawnCommand& command,
                         const SpawnOutcome& outcome);
  void CheckMayRun(const TaskId& task);
  void CheckBlocked(const TaskView& view);
  void CheckSkipped(const TaskView& view);
  void CheckGivenUp() const;

  // Admission.
  void NameKeys(TaskSpec& spec);
  void ChangeLimit();
  void ChangePause();
  void LiftPauses();
  bool IsPaused(std::string_view name_space, std::string_view type) const;
  void NoteKeys(const Submission& submission, const SpawnOutcome& outcome);
  bool Runs(const TaskId& task, const Keyed& keyed) const;
  uint32_t Running(const std::string& name_space, const KeyName& name) const;
  void CheckAdmitted(const Effects& effects);
  void TakeTokens(const std::string& name_space, const std::string& name, uint32_t cost);
  void RecoverAdmission();
  void CheckKeyCause(const TaskView& view);
  bool HasRival(const TaskView& view) const;
  void CheckLacks(const TaskView& view) const;
  void CheckNothingIdles();
  void CheckNothingLeaks();

  void Expect(bool holds, const std::string& promise) const;

  uint64_t Pick(uint64_t below) { return random_() % below; }
  bool Chance(uint32_t percent) { return Pick(100) < percent; }
  Executor& AnyExecutor() { return executors_[Pick(executors_.size())]; }
  SessionId NewSession();
  std::optional<TaskId> AnyTask();
  std::vector<TaskView> Living() const;
  Executor* Connected(ConnectionId connection);
  std::string TypeOf(uint64_t number) const { return "type-" + std::to_string(number); }

  const uint64_t seed_;
  EngineOptions options_;
  std::mt19937_64 random_;
  int step_ = 0;
  platform::Now now_;
  Moment moment_;

  std::unique_ptr<Engine> engine_;
  Group open_;
  std::deque<Group> committing_;
  EngineRecords records_;
  ModelOutputs outputs_;
  std::vector<FenceMessage> asked_;   // Not yet at Outputs, or to be repeated.
  std::vector<FenceMessage> ghosts_;  // Sent by an engine that is gone.
  std::vector<Answer> answers_;       // On their way back.

  std::array<Executor, 5> executors_;
  ConnectionId next_connection_ = 1;
  uint64_t next_session_ = 1;
  std::vector<Submission> submissions_;
  std::map<TaskId, ModelTask> tasks_;                               // Accepted ones.
  std::vector<TaskId> recent_;                                      // Ids to pick from.
  std::map<std::pair<std::string, std::string>, Selector> routes_;  // Of the engine that lives.
  std::map<TaskId, std::shared_ptr<const Placement>> placements_;   // Of spawns, as they came.
  std::map<TaskId, std::vector<Dependency>> dependencies_;          // Of those that have some.
  std::map<TaskId, OnFailure> given_up_;                            // For what they depend on.
  std::map<TaskId, Info> infos_;  // Of those that have some, as the engine that lives knows.
  // What trees were asked last but steps, as the engine knows and as is recorded. By root.
  std::map<TaskId, ControlVerb> marks_;
  std::map<TaskId, ControlVerb> marks_for_good_;
  std::map<TaskId, CauseTimes> waits_;  // Of living tasks, and of some that have ended.
  std::map<TaskId, Deadlines> deadlines_;
  std::map<TaskId, int64_t> unheard_;  // Held since before a crash: for so long before it was over.
  int64_t recovered_at_ = 0;           // Milliseconds of steady time.
  std::map<TaskId, Keyed> keyed_;
  std::map<std::string, uint32_t> set_limits_;                 // Of "set", by namespace.
  std::set<std::pair<std::string, std::string>> type_pauses_;  // Namespace, and type or "".
  std::map<std::pair<std::string, std::string>, ModelBucket> buckets_;  // Namespace and key.
  std::map<TaskId, absl::Duration> put_at_;                             // In real time.
  std::map<std::string, int> counts_;
};

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_SIMULATION_INPUTS_ENGINE_WALK_H_
