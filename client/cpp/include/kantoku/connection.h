#ifndef KANTOKU_CONNECTION_H_
#define KANTOKU_CONNECTION_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/event.h"
#include "kantoku/item.h"
#include "kantoku/output.h"
#include "kantoku/task.h"
#include "kantoku/task_info.h"

namespace kantoku {

// What a Client talks to: a server (Client::Connect), a fake (kantoku/fake.h), or a decorator of
// either. Specs that arrive here are final; plugins have run.
//
// Every request is answered once, item by item in its order. Answers come on any thread, also on
// the caller's before the call returns; they must not block. A timeout counts from the call and
// ends in DEADLINE_EXCEEDED. Client describes what the calls do and how they fail.
//
// Thread-safe. Its destructor answers what is open with CANCELLED and returns when every answer has
// been taken, unless it runs inside one of them.
class Connection {
 public:
  virtual ~Connection() = default;

  struct SpawnRequest {
    std::string namespace_name;
    std::vector<TaskSpec> specs;  // Dependencies by index are places in here.
    absl::Duration timeout = absl::InfiniteDuration();
  };
  using SpawnDone = std::function<void(std::vector<absl::StatusOr<SpawnedTask>>)>;
  virtual void Spawn(SpawnRequest request, SpawnDone done) = 0;

  struct AwaitRequest {
    TaskId id;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  using AwaitDone = std::function<void(absl::StatusOr<Output>)>;
  virtual void Await(AwaitRequest request, AwaitDone done) = 0;

  struct TasksRequest {
    std::vector<TaskId> ids;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  struct ControlRequest {
    std::vector<TaskId> ids;
    ControlVerb verb = ControlVerb::kCancel;
    ControlOptions options;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  using ControlDone = std::function<void(std::vector<absl::StatusOr<TaskState>>)>;
  virtual void Control(ControlRequest request, ControlDone done) = 0;
  using GetDone = std::function<void(std::vector<absl::StatusOr<TaskInfo>>)>;
  virtual void Get(TasksRequest request, GetDone done) = 0;
  using GetOutputsDone = std::function<void(std::vector<absl::StatusOr<Output>>)>;
  virtual void GetOutputs(TasksRequest request, GetOutputsDone done) = 0;

  struct ListRequest {
    std::string namespace_name;
    TaskQuery query;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<TaskPage> List(ListRequest request) = 0;

  struct PatchInfoRequest {
    TaskId id;
    InfoPatch patch;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<uint64_t> PatchInfo(PatchInfoRequest request) = 0;

  // Of `ids`, one answer each; without ids a page of what `query` describes.
  struct RestartRequest {
    std::string namespace_name;
    std::vector<TaskId> ids;
    DeadTaskQuery query;
    RestartOptions options;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<RestartPage> Restart(RestartRequest request) = 0;

  struct ListExecutorsRequest {
    std::string namespace_name;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<std::vector<ExecutorInfo>> ListExecutors(ListExecutorsRequest request) = 0;

  struct ControlExecutorsRequest {
    std::string namespace_name;
    std::vector<std::string> session_ids;
    ExecutorVerb verb = ExecutorVerb::kDrain;
    ExecutorControlOptions what;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual std::vector<absl::Status> ControlExecutors(ControlExecutorsRequest request) = 0;

  struct SetRouteRequest {
    std::string namespace_name;
    Route route;  // Without a selector: the route is removed.
    ChangeOptions what{};
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::Status SetRoute(SetRouteRequest request) = 0;

  struct ListRoutesRequest {
    std::string namespace_name;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<std::vector<Route>> ListRoutes(ListRoutesRequest request) = 0;

  struct SetLimitsRequest {
    std::string namespace_name;
    std::vector<Limit> set;
    std::vector<LimitName> remove;
    ChangeOptions what{};
    absl::Duration timeout = absl::InfiniteDuration();
  };
  struct SetLimitsAnswer {
    std::vector<absl::Status> set;
    std::vector<absl::Status> removed;
  };
  virtual absl::StatusOr<SetLimitsAnswer> SetLimits(SetLimitsRequest request) = 0;

  struct ListLimitsRequest {
    std::string namespace_name;
    std::string page_token;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  struct LimitPage {
    std::vector<LimitInfo> limits;
    std::string next_page_token;  // Empty on the last page.
  };
  virtual absl::StatusOr<LimitPage> ListLimits(ListLimitsRequest request) = 0;

  struct SetPauseRequest {
    std::string namespace_name;
    TypePause pause;
    bool paused = true;  // Otherwise the pause is lifted, and has no reason.
    ChangeOptions what{};
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::Status SetPause(SetPauseRequest request) = 0;

  struct ListPausesRequest {
    std::string namespace_name;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<std::vector<TypePause>> ListPauses(ListPausesRequest request) = 0;

  struct ReadEventsRequest {
    std::string namespace_name;
    EventQuery query;
    absl::Duration timeout = absl::InfiniteDuration();
  };
  virtual absl::StatusOr<EventPage> ReadEvents(ReadEventsRequest request) = 0;

  struct SubscribeRequest {
    std::string namespace_name;
    EventSubscription subscription;
  };
  virtual std::unique_ptr<EventStream> Subscribe(SubscribeRequest request) = 0;

  struct StreamRequest {
    TaskId id;
    ItemPosition from;
  };
  virtual std::unique_ptr<ItemStream> Stream(StreamRequest request) = 0;

  // OK once the server can be reached; DEADLINE_EXCEEDED, UNREACHABLE when it cannot in time.
  virtual absl::Status WaitUntilReachable(absl::Duration timeout) = 0;

  // The wall clock from which Delay counts.
  virtual absl::Time Now() = 0;
};

}  // namespace kantoku

#endif  // KANTOKU_CONNECTION_H_
