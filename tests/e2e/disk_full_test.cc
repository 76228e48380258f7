// `kantoku up` on a disk that fills up while tasks run, and has room again.
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/chaos/work.h"
#include "tests/e2e/up.h"
#include "tests/support/health_check.h"
#include "tests/support/small_disk.h"

namespace kantoku::test {
namespace {

constexpr int kTasks = 300;
constexpr int kMostSpawns = 1'000;

std::shared_ptr<grpc::Channel> Channel(const Up& up) { return up.Channel(); }

bool Serves(const Up& up, const std::string& service) {
  return HealthOf(Channel(up), service) == "SERVING";
}

// A user who spawns in plain gRPC, where nothing is repeated by itself.
class Spawner {
 public:
  explicit Spawner(const Up& up) : stub_(inputs::v1::InputsService::NewStub(Channel(up))) {}

  // One task of some size. The request is kept if the answer is an error.
  absl::Status Spawn() {
    inputs::v1::SpawnRequest request;
    request.set_request_id(absl::StrCat("full-", requests_++));
    task::v1::TaskSpec& spec = *request.add_specs();
    spec.set_type("disk.ballast");
    spec.set_payload(std::string(100'000, 'x'));
    absl::Status status = Send(request);
    if (!status.ok()) refused_.push_back(request);
    return status;
  }
  // Whoever got no answer repeats the request as it was.
  void RepeatRefused() {
    for (const inputs::v1::SpawnRequest& request : std::exchange(refused_, {})) {
      const absl::Status status = Send(request);
      INFO(status.ToString());
      REQUIRE(status.ok());
    }
  }
  size_t refused() const { return refused_.size(); }
  int requests() const { return requests_; }

 private:
  absl::Status Send(const inputs::v1::SpawnRequest& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoSeconds(kPatience));
    inputs::v1::SpawnResponse response;
    const grpc::Status status = stub_->Spawn(&context, request, &response);
    if (!status.ok()) return platform::FromGrpc(status);
    REQUIRE(response.results_size() == 1);
    REQUIRE(response.results(0).status().code() == 0);
    return absl::OkStatus();
  }

  const std::unique_ptr<inputs::v1::InputsService::Stub> stub_;
  std::vector<inputs::v1::SpawnRequest> refused_;
  int requests_ = 0;
};

size_t CountReady(const Up& up) {
  size_t count = 0;
  TaskQuery query = {.type = "disk.ballast", .states = {TaskState::kReady}, .page_size = 1'000};
  do {
    const auto page = up.Connect().List(query, {.timeout = kPatience});
    REQUIRE(page.ok());
    count += page->tasks.size();
    query.page_token = page->next_page_token;
  } while (!query.page_token.empty());
  return count;
}

// Spawns until there is no room, and shows that this is said, and is all that happens.
void SpawnUntilRefused(Up& up, Spawner& spawner, const TaskId& ended) {
  absl::Status full;
  while (full.ok() && spawner.requests() < kMostSpawns) full = spawner.Spawn();
  for (int i = 0; i < 3; ++i) {
    INFO(full.ToString());
    CHECK(full.code() == absl::StatusCode::kResourceExhausted);
    CHECK(platform::ReasonOf(full) == "STORE_FULL");
    full = spawner.Spawn();
  }
  CHECK(Becomes([&] { return !Serves(up, "inputs") && !Serves(up, ""); }));
  // Results are there to be read.
  CHECK(up.Connect().GetOutput(ended, {.timeout = kPatience}).ok());
  CHECK(up.process().running());
}

void CheckAllGoesOn(Up& up, Spawner& spawner, const std::vector<TaskId>& tasks) {
  CHECK(Becomes([&] {
    return Serves(up, "") && Serves(up, "inputs") && Serves(up, "outputs") && Serves(up, "events");
  }));
  spawner.RepeatRefused();
  CHECK(spawner.Spawn().ok());
  up.CheckHonestResults(tasks);
  // Each request is one task, answered at once or refused and repeated.
  CHECK(CountReady(up) == static_cast<size_t>(spawner.requests()));
}

std::vector<std::string> Settings() { return {"server.metrics_listen=none", "inputs.grace=2s"}; }

TEST_CASE(
    "On a full disk spawns are refused and nothing is lost, and with room it goes on by itself") {
  auto disk = SmallDisk::Make(48);
  if (!disk.ok()) {
    WARN("no file system may be mounted here (" << disk.status().ToString()
                                                << "); only the limit of a file's size is tested");
    return;
  }
  Up up({.settings = Settings(),
         .data = (*disk)->path() + "/data",
         .seen_data = (*disk)->seen_path() + "/data",
         .launcher = (*disk)->launcher()});
  const std::vector<TaskId> tasks = up.Spawn(kTasks);
  const auto executor = up.StartHonestExecutor();
  REQUIRE(up.Connect().Await(tasks[0], {.timeout = kPatience}).ok());
  Spawner spawner(up);
  for (int time = 0; time < 3; ++time) {
    (*disk)->Fill();
    SpawnUntilRefused(up, spawner, tasks[0]);
    (*disk)->Free();
    CheckAllGoesOn(up, spawner, {});
  }
  CheckAllGoesOn(up, spawner, tasks);
}

TEST_CASE("A server that is killed on a full disk starts again when there is room") {
  auto disk = SmallDisk::Make(48);
  if (!disk.ok()) {
    WARN("no file system may be mounted here (" << disk.status().ToString() << ")");
    return;
  }
  Up up({.settings = Settings(),
         .data = (*disk)->path() + "/data",
         .seen_data = (*disk)->seen_path() + "/data",
         .launcher = (*disk)->launcher()});
  const std::vector<TaskId> tasks = up.Spawn(kTasks);
  auto executor = up.StartHonestExecutor();
  REQUIRE(up.Connect().Await(tasks[0], {.timeout = kPatience}).ok());
  (*disk)->Fill();
  Spawner spawner(up);
  SpawnUntilRefused(up, spawner, tasks[0]);
  up.process().Kill();
  (*disk)->Free();
  up.Restart();
  CheckAllGoesOn(up, spawner, tasks);
}

TEST_CASE("A file that may not grow is a full disk") {
  Up up({.settings = Settings()});
  const std::vector<TaskId> tasks = up.Spawn(kTasks);
  const auto executor = up.StartHonestExecutor();
  REQUIRE(up.Connect().Await(tasks[0], {.timeout = kPatience}).ok());
  Spawner spawner(up);
  rlimit before = {};
  REQUIRE(::prlimit(up.process().pid(), RLIMIT_FSIZE, nullptr, &before) == 0);
  const rlimit small = {.rlim_cur = rlim_t{4} << 20, .rlim_max = before.rlim_max};
  REQUIRE(::prlimit(up.process().pid(), RLIMIT_FSIZE, &small, nullptr) == 0);
  SpawnUntilRefused(up, spawner, tasks[0]);
  REQUIRE(::prlimit(up.process().pid(), RLIMIT_FSIZE, &before, nullptr) == 0);
  CheckAllGoesOn(up, spawner, tasks);
}

}  // namespace
}  // namespace kantoku::test
