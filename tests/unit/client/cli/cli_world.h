#ifndef KANTOKU_TESTS_UNIT_CLIENT_CLI_CLI_WORLD_H_
#define KANTOKU_TESTS_UNIT_CLIENT_CLI_CLI_WORLD_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "kantoku/client.h"
#include "kantoku/connection.h"
#include "kantoku/fake.h"

namespace kantoku::cli::testing {

// What a command did.
struct Said {
  int code = -1;
  std::string out;
  std::string err;

  std::vector<std::string> out_lines() const;
  // The names of the fields of the object on the only line of `out`, joined by spaces.
  std::string out_fields() const;
};

// The command line over a fake.
//
// Thread-compatible.
class CliWorld {
 public:
  // Runs `kantoku` with these arguments.
  Said Run(const std::vector<std::string>& arguments);
  // Spawns and returns the id that was printed.
  std::string Spawn(std::vector<std::string> arguments);

  FakeKantoku fake;
  std::shared_ptr<Connection> connection;  // Instead of the fake, unless null.
  std::string in;                          // Standard input of what runs next.
  bool out_is_terminal = false;
  bool err_is_terminal = false;
  absl::Duration later;   // How long after the fake's time it is for the commands.
  std::string address;    // Where the last one connected.
  ClientOptions options;  // Of the last one's client.
};

// A server that answers everything with a status, and keeps the last timeout.
//
// Thread-compatible.
class RefusingConnection : public Connection {
 public:
  explicit RefusingConnection(absl::Status status) : status_(std::move(status)) {}

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
  absl::Status WaitUntilReachable(absl::Duration timeout) override;
  absl::Time Now() override { return absl::UnixEpoch(); }

  bool reachable = true;
  absl::Duration timeout;

 private:
  const absl::Status status_;
};

}  // namespace kantoku::cli::testing

#endif  // KANTOKU_TESTS_UNIT_CLIENT_CLI_CLI_WORLD_H_
