#include "tests/unit/client/cli/cli_world.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

#include "client/cli/cli.h"

namespace kantoku::cli::testing {
namespace {

class NoEvents final : public EventStream {
 public:
  explicit NoEvents(absl::Status status) : status_(std::move(status)) {}
  absl::StatusOr<EventPage> Next(absl::Duration) override { return status_; }
  void Cancel() override {}

 private:
  const absl::Status status_;
};

class NoItems final : public ItemStream {
 public:
  explicit NoItems(absl::Status status) : status_(std::move(status)) {}
  absl::StatusOr<std::variant<Item, Output>> Next(absl::Duration) override { return status_; }
  ItemPosition position() const override { return {}; }
  void Cancel() override {}

 private:
  const absl::Status status_;
};

}  // namespace

std::vector<std::string> Said::out_lines() const {
  std::vector<std::string> lines;
  std::istringstream stream(out);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string Said::out_fields() const {
  REQUIRE(out_lines().size() == 1);
  std::string names;
  const auto object = nlohmann::ordered_json::parse(out);
  for (const auto& [name, value] : object.items()) {
    names += (names.empty() ? "" : " ") + name;
  }
  return names;
}

Said CliWorld::Run(const std::vector<std::string>& arguments) {
  std::vector<const char*> argv = {"kantoku"};
  for (const std::string& argument : arguments) argv.push_back(argument.c_str());
  std::istringstream in_stream(in);
  std::ostringstream out;
  std::ostringstream err;
  const Surroundings surroundings{
      .streams = {in_stream, out, err, out_is_terminal, err_is_terminal},
      .connect = [this](const std::string& to, ClientOptions with) -> absl::StatusOr<Client> {
        address = to;
        options = with;
        if (connection != nullptr) return Client(connection, std::move(with));
        return fake.Connect(std::move(with));
      },
      .now = [this] { return fake.Now() + later; }};
  Said said;
  said.code = RunCli(static_cast<int>(argv.size()), argv.data(), surroundings);
  said.out = out.str();
  said.err = err.str();
  return said;
}

std::string CliWorld::Spawn(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), "spawn");
  const Said said = Run(arguments);
  REQUIRE(said.code == 0);
  return said.out_lines().at(0);
}

void RefusingConnection::Spawn(SpawnRequest request, SpawnDone done) {
  timeout = request.timeout;
  done(std::vector<absl::StatusOr<SpawnedTask>>(request.specs.size(), status_));
}

void RefusingConnection::Await(AwaitRequest request, AwaitDone done) {
  timeout = request.timeout;
  done(status_);
}

void RefusingConnection::Control(ControlRequest request, ControlDone done) {
  timeout = request.timeout;
  done(std::vector<absl::StatusOr<TaskState>>(request.ids.size(), status_));
}

void RefusingConnection::Get(TasksRequest request, GetDone done) {
  timeout = request.timeout;
  done(std::vector<absl::StatusOr<TaskInfo>>(request.ids.size(), status_));
}

void RefusingConnection::GetOutputs(TasksRequest request, GetOutputsDone done) {
  timeout = request.timeout;
  done(std::vector<absl::StatusOr<Output>>(request.ids.size(), status_));
}

absl::StatusOr<TaskPage> RefusingConnection::List(ListRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<uint64_t> RefusingConnection::PatchInfo(PatchInfoRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<RestartPage> RefusingConnection::Restart(RestartRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<std::vector<ExecutorInfo>> RefusingConnection::ListExecutors(
    ListExecutorsRequest request) {
  timeout = request.timeout;
  return status_;
}

std::vector<absl::Status> RefusingConnection::ControlExecutors(ControlExecutorsRequest request) {
  timeout = request.timeout;
  return std::vector<absl::Status>(request.session_ids.size(), status_);
}

absl::Status RefusingConnection::SetRoute(SetRouteRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<std::vector<Route>> RefusingConnection::ListRoutes(ListRoutesRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<Connection::SetLimitsAnswer> RefusingConnection::SetLimits(
    SetLimitsRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<Connection::LimitPage> RefusingConnection::ListLimits(ListLimitsRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::Status RefusingConnection::SetPause(SetPauseRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<std::vector<TypePause>> RefusingConnection::ListPauses(ListPausesRequest request) {
  timeout = request.timeout;
  return status_;
}

absl::StatusOr<EventPage> RefusingConnection::ReadEvents(ReadEventsRequest request) {
  timeout = request.timeout;
  return status_;
}

std::unique_ptr<EventStream> RefusingConnection::Subscribe(SubscribeRequest) {
  return std::make_unique<NoEvents>(status_);
}

std::unique_ptr<ItemStream> RefusingConnection::Stream(StreamRequest) {
  return std::make_unique<NoItems>(status_);
}

absl::Status RefusingConnection::WaitUntilReachable(absl::Duration) {
  return reachable ? absl::OkStatus() : absl::DeadlineExceededError("not in time");
}

}  // namespace kantoku::cli::testing
