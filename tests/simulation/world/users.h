#ifndef KANTOKU_TESTS_SIMULATION_WORLD_USERS_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_USERS_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "services/inputs/partition/spawn_batch.h"
#include "services/platform/rpc/received.h"
#include "tests/simulation/world/inputs_server.h"
#include "tests/simulation/world/model.h"
#include "tests/simulation/world/scene.h"
#include "tests/simulation/world/witness.h"

namespace kantoku::simulation {

// Users: they spawn, with keys and dependencies and without, repeat calls that were not answered
// and some that were, use a request id twice, and control tasks and whole trees.
class Users {
 public:
  Users(const Scene& scene, InputsServer& server, Witness& witness, const Model& model)
      : scene_(scene), server_(server), witness_(witness), model_(model) {}

  void Spawn();
  // Enough of one type that fairness keys have to take turns.
  void SpawnShares();
  // With the task token of a handler.
  void SpawnAsHandler();
  void Repeat();
  void Control();
  // Dead tasks.
  void Restart();
  void PatchInfo();
  // Of a type or a namespace, or goes on with it.
  void Pause();
  // Of a type.
  void Route();
  // Sets a limit for a key, or removes one.
  void SetLimit();
  // This caller's executors are out, or somebody's block is lifted.
  void Block(const platform::Caller& caller);
  // All that is paused is resumed, nobody is blocked, and there are no routes any more.
  void ResumeAll();

 private:
  // A call, as a client would make it again.
  struct Submission {
    std::shared_ptr<const inputs::SpawnBatch> batch;
    std::vector<TaskId> ids;  // Of the first answer; empty before.
    uint64_t record = 0;      // That of the request then.
    bool other_content = false;
  };
  using Shared = std::shared_ptr<Submission>;
  // Restarts what matches, page by page.
  struct RestartSearch {
    inputs::RestartCommand command;
    std::set<TaskId> missing;  // That matched when it began, and were on no page yet.
    bool asked = false;
  };

  // Lets a spec of the caller wait for others: by id, or by place among those before it.
  void Depend(std::string_view name_space, std::string_view owner, uint64_t place,
              task::v1::TaskSpec& spec);
  void DependAsHandler(const ModelTask& parent, uint64_t place, task::v1::TaskSpec& spec);
  // A parent, mostly one that lives, and perhaps its root.
  void FillKin(const std::string& name_space, const std::string& owner, task::v1::TaskSpec& spec);
  const ModelTask* AnyTask();
  inputs::ControlCommand AnyControl();
  void ControlTask(const ModelTask& task, const inputs::ControlCommand& command);
  void ControlTree(const ModelTask& member, inputs::ControlCommand command);

  // Gives it info, and perhaps a context.
  void Describe(task::v1::TaskSpec& spec);
  // With a payload of few, for this place.
  void MakePure(size_t place, task::v1::TaskSpec& spec);
  // An item of a batch that was answered for the first time: the result of this task is its own.
  void OnReused(const inputs::SpawnBatch& batch, size_t item, const TaskId& id,
                absl::Duration asked_at);
  void OnPatched(const inputs::InfoPatch& patch, const inputs::InfoAnswer& answer);
  void RestartSome(const ModelTask& dead);
  void Search(const ModelTask& like);
  static bool Matches(const inputs::RestartCommand& command, const ModelTask& dead);
  void GoOn(const std::shared_ptr<RestartSearch>& search);
  void OnPage(const inputs::RestartPage& page, bool dry_run);
  void OnRestarted(const inputs::RestartPage::Restarted& restarted, bool dry_run);

  void OnLimit(const inputs::LimitsCommand& done);
  void OnOverQuota(const inputs::SpawnBatch& batch, const inputs::TaskSpec& spec) const;
  void SetRoute(const Model::LaneName& lane, std::optional<size_t> route);
  void SetPause(const Model::LaneName& lane, bool paused);
  void SetBlock(const platform::BlockNames& names, bool blocked);
  // What was asked for, and is sound.
  void Send(const platform::Received<inputs::v1::SpawnRequest>& received,
            const platform::Identity& caller);
  void Submit(const Shared& submission);
  struct Asked {
    std::optional<uint64_t> known;  // The record of the request, if it surely had one.
    absl::Duration at;
  };
  void OnAnswer(const Shared& submission, const Asked& asked,
                const absl::StatusOr<inputs::SpawnOutcome>& outcome);

  const Scene scene_;
  InputsServer& server_;
  Witness& witness_;
  const Model& model_;
  uint64_t calls_ = 0;
  std::deque<Shared> submissions_;
  std::vector<std::shared_ptr<RestartSearch>> searches_;
  std::map<Model::LaneName, uint64_t> pause_calls_;
  std::map<std::string, uint64_t> block_calls_;  // By user.
  std::map<Model::LaneName, uint64_t> route_calls_;
  std::set<std::pair<std::string, inputs::KeyName>> limits_asked_;  // And not answered.
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_USERS_H_
