#ifndef KANTOKU_CLIENT_CPP_SRC_FAKE_SERVER_H_
#define KANTOKU_CLIENT_CPP_SRC_FAKE_SERVER_H_

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "client/cpp/src/fake_event_log.h"
#include "client/cpp/src/fake_items.h"
#include "kantoku/connection.h"
#include "kantoku/fake.h"
#include "services/platform/mutex.h"

namespace kantoku {

// What all clients of a fake talk to.
//
// Thread-safe.
class FakeKantoku::Server final : public Connection {
 public:
  void Handle(const std::string& type, Generator generator);
  void SetPaused(bool paused);
  void AdvanceTime(absl::Duration by);
  void FailNextSpawn(absl::Status status);
  std::vector<TaskSpec> spawned();

  void Spawn(SpawnRequest request, SpawnDone done) override;
  void Await(AwaitRequest request, AwaitDone done) override;
  void Control(ControlRequest request, ControlDone done) override;
  void Get(TasksRequest request, GetDone done) override;
  void GetOutputs(TasksRequest request, GetOutputsDone done) override;
  absl::StatusOr<TaskPage> List(ListRequest request) override;
  absl::StatusOr<uint64_t> PatchInfo(PatchInfoRequest request) override;
  absl::StatusOr<RestartPage> Restart(RestartRequest request) override;
  absl::StatusOr<std::vector<ExecutorInfo>> ListExecutors(ListExecutorsRequest request) override;
  std::vector<absl::Status> ControlExecutors(ControlExecutorsRequest request) override;
  absl::Status SetRoute(SetRouteRequest request) override;
  absl::StatusOr<std::vector<Route>> ListRoutes(ListRoutesRequest request) override;
  absl::StatusOr<SetLimitsAnswer> SetLimits(SetLimitsRequest request) override;
  absl::StatusOr<LimitPage> ListLimits(ListLimitsRequest request) override;
  absl::Status SetPause(SetPauseRequest request) override;
  absl::StatusOr<std::vector<TypePause>> ListPauses(ListPausesRequest request) override;
  absl::StatusOr<EventPage> ReadEvents(ReadEventsRequest request) override;
  std::unique_ptr<EventStream> Subscribe(SubscribeRequest request) override;
  std::unique_ptr<ItemStream> Stream(StreamRequest request) override;
  absl::Status WaitUntilReachable(absl::Duration /*timeout*/) override { return absl::OkStatus(); }
  absl::Time Now() override;

 private:
  struct Waiter {
    AwaitDone done;
    absl::Time deadline;
  };
  struct Record {
    TaskSpec spec;
    TaskInfo info;  // Its state is that of a task that waits until it runs.
    absl::Time due;
    bool running = false;
    bool paused = false;
    std::optional<Output> output;
    std::vector<Waiter> waiters;
  };
  // What is to be called once the lock is free.
  using Answers = std::vector<std::pair<AwaitDone, absl::StatusOr<Output>>>;

  absl::StatusOr<SpawnedTask> Accept(const std::string& namespace_name, TaskSpec spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Of a batch, each behind those that it depends on.
  std::vector<absl::StatusOr<SpawnedTask>> AcceptAll(const std::string& namespace_name,
                                                     std::vector<TaskSpec> specs)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status CheckDependencies(const std::string& namespace_name, const TaskSpec& spec)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // How many of its dependencies have not ended.
  uint32_t OpenOf(const Record& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Ends those that wait for what has failed.
  void GiveUpBlocked(Answers& answers) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Record* Find(const TaskId& id) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  TaskInfo Describe(const Record& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Say(const Record& record, const std::string& type) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // What a page is to restart, and the token of the one behind it.
  absl::StatusOr<std::vector<TaskId>> PickDead(const RestartRequest& request,
                                               std::string& next) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  RestartedTask RestartOne(const TaskId& id, bool dry_run) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Runs what is due until nothing is.
  void RunDue();
  // The task whose result the spec may be answered with; null: none.
  const Record* FindReusable(const std::string& namespace_name, const TaskSpec& spec) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Puts the record into its parent's tree.
  absl::Status Join(const TaskSpec& spec, Record& record) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::StatusOr<TaskState> Control(Record& record, ControlVerb verb, Answers& answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Record* NextDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Settle(Record& record, absl::StatusOr<std::string> result, Answers& answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Finish(Record& record, Output output, Answers& answers)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::shared_ptr<internal::FakeEventLog> events_ =
      std::make_shared<internal::FakeEventLog>();

  const std::shared_ptr<internal::FakeItems> items_ = std::make_shared<internal::FakeItems>();

  platform::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'767'225'600);
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;
  std::map<std::string, Generator> handlers_ ABSL_GUARDED_BY(mutex_);
  // By namespace and type: selectors.
  std::map<std::pair<std::string, std::string>, std::string> routes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::string> pauses_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Limit>> limits_ ABSL_GUARDED_BY(mutex_);  // By namespace.
  std::deque<absl::Status> spawn_failures_ ABSL_GUARDED_BY(mutex_);
  // In the order of their spawn.
  std::vector<std::unique_ptr<Record>> records_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TaskId, Record*> by_id_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TaskId, ControlVerb> tree_marks_ ABSL_GUARDED_BY(mutex_);  // By root.
  std::map<std::pair<std::string, std::string>, Record*> by_reference_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku

#endif  // KANTOKU_CLIENT_CPP_SRC_FAKE_SERVER_H_
