#include "services/outputs/inputs_client.h"

#include <grpcpp/grpcpp.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace kantoku::outputs {
namespace {

using platform::TaskId;

TaskId Task(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, 5);
}

// An Inputs of which every task lives, and that keeps what it is asked.
class LivelyInputs final : public inputs::v1::InputsService::Service {
 public:
  LivelyInputs() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~LivelyInputs() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                               grpc::InsecureChannelCredentials());
  }
  grpc::Status GetTasks(grpc::ServerContext*, const inputs::v1::GetTasksRequest* request,
                        inputs::v1::GetTasksResponse* response) override {
    {
      platform::MutexLock lock(mu_);
      asked_ = *request;
    }
    for (int i = 0; i < request->task_ids_size(); ++i) {
      response->add_results()->mutable_info()->set_state(task::v1::TASK_STATE_RUNNING);
    }
    return grpc::Status::OK;
  }

  // Last.
  inputs::v1::GetTasksRequest asked() {
    platform::MutexLock lock(mu_);
    return asked_;
  }

 private:
  platform::Mutex mu_;
  inputs::v1::GetTasksRequest asked_ ABSL_GUARDED_BY(mu_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

TEST_CASE("Inputs is told once who asks for many tasks: where, and whether as an administrator") {
  const auto anna =
      std::make_shared<const platform::Identity>(platform::Onlooker("anna", {"default", "lab"}));
  const auto root = std::make_shared<const platform::Identity>(
      platform::Onlooker("root", {"lab"}, platform::Sight::kAll));
  LivelyInputs inputs;
  const auto keys = platform::MacKeys::Make({{1, std::string(32, 'k')}});
  REQUIRE(keys.ok());
  InputsClient client([&] { return inputs.Connect(); }, **keys, platform::Clock::Real());
  std::promise<absl::StatusOr<std::vector<TaskLife>>> answer;
  client.Ask({{Task(1), anna}, {Task(2), root}, {Task(3), anna}},
             [&](auto lives) { answer.set_value(std::move(lives)); });
  const auto lives = answer.get_future().get();
  REQUIRE(lives.ok());
  CHECK(*lives == std::vector(3, TaskLife::kLives));

  const inputs::v1::GetTasksRequest asked = inputs.asked();
  REQUIRE(asked.onlookers_size() == 2);
  const auto names = [](const inputs::v1::Onlooker& onlooker) {
    return std::vector<std::string>(onlooker.namespaces().begin(), onlooker.namespaces().end());
  };
  const inputs::v1::Onlooker& first = asked.onlookers(0);
  CHECK(first.subject() == "anna");
  CHECK(names(first) == std::vector<std::string>{"default", "lab"});
  CHECK_FALSE(first.administrator());
  const inputs::v1::Onlooker& second = asked.onlookers(1);
  CHECK(second.subject() == "root");
  CHECK(names(second) == std::vector<std::string>{"lab"});
  CHECK(second.administrator());
  const auto& asked_for = asked.asked_for();
  CHECK(std::vector<uint32_t>(asked_for.begin(), asked_for.end()) ==
        std::vector<uint32_t>{0, 1, 0});
}

}  // namespace
}  // namespace kantoku::outputs
