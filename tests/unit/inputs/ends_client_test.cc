#include "services/inputs/ends_client.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "services/platform/status.h"
#include "tests/unit/inputs/partition/partition_fixture.h"

namespace kantoku::inputs::testing {
namespace {

TaskId Id(uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, sequence, 0);
}

// Outputs, which knows that the tasks with even sequences have succeeded.
class EvenOutputs final : public outputs::v1::OutputsService::Service {
 public:
  EvenOutputs() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
    REQUIRE(server_ != nullptr);
  }
  ~EvenOutputs() override { server_->Shutdown(std::chrono::system_clock::now()); }

  std::shared_ptr<grpc::Channel> Connect() const {
    return grpc::CreateChannel("127.0.0.1:" + std::to_string(port_),
                               grpc::InsecureChannelCredentials());
  }
  grpc::Status Get(grpc::ServerContext*, const outputs::v1::GetRequest* request,
                   outputs::v1::GetResponse* response) override {
    requests.Update([&](auto& all) { all.push_back(*request); });
    if (!go_on.Becomes([](bool go) { return go; })) return grpc::Status::CANCELLED;
    if (away) return {grpc::StatusCode::UNAVAILABLE, "away"};
    for (const std::string& id : request->task_ids()) {
      outputs::v1::GetResult& result = *response->add_results();
      if (TaskId::FromBytes(id)->sequence() % 2 == 0) {
        result.mutable_result()->set_status(outputs::v1::RESULT_STATUS_SUCCEEDED);
      } else {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kNotFound));
      }
    }
    return grpc::Status::OK;
  }

  Watched<std::vector<outputs::v1::GetRequest>> requests;
  Watched<bool> go_on;
  std::atomic<bool> away{false};

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A client of it, and what it has answered.
struct Desk {
  Desk() : keys(platform::MacKeys::Make({{1, std::string(32, 'k')}}).value()) {}

  void Ask(std::vector<TaskId> tasks, const std::string& owner = "alice") {
    client.Ask({std::move(tasks), "default", owner}, [this](const absl::StatusOr<Ends>& ends) {
      answers.Update([&](auto& all) { all.push_back(ends); });
    });
  }
  std::vector<absl::StatusOr<Ends>> Answers(size_t count) {
    REQUIRE(answers.Becomes([&](const auto& all) { return all.size() == count; }));
    return answers.Get();
  }

  std::unique_ptr<platform::MacKeys> keys;
  EvenOutputs outputs;
  Watched<std::vector<absl::StatusOr<Ends>>> answers;
  EndsClient client{outputs.Connect(), platform::Clock::Real(), *keys};
};

TEST_CASE("Outputs is asked for statuses alone, for the owner and in its namespace") {
  Desk desk;
  desk.outputs.go_on.Update([](bool& go) { go = true; });
  desk.Ask({Id(2), Id(3), Id(4)});
  CHECK(*desk.Answers(1)[0] == Ends{TaskState::kSucceeded, std::nullopt, TaskState::kSucceeded});
  const auto request = desk.outputs.requests.Get()[0];
  CHECK(request.statuses_only());
  CHECK(request.subject() == "alice");
  CHECK(request.namespace_() == "default");
}

TEST_CASE("Questions of one owner that wait share a call, and each gets its own answers") {
  Desk desk;
  desk.Ask({Id(2)});
  REQUIRE(desk.outputs.requests.Becomes([](const auto& all) { return all.size() == 1; }));
  desk.Ask({Id(3), Id(4)});
  desk.Ask({Id(6)});
  desk.Ask({Id(8)}, "bob");
  desk.outputs.go_on.Update([](bool& go) { go = true; });
  const auto answers = desk.Answers(4);
  CHECK(*answers[1] == Ends{std::nullopt, TaskState::kSucceeded});
  CHECK(*answers[2] == Ends{TaskState::kSucceeded});
  const auto requests = desk.outputs.requests.Get();
  REQUIRE(requests.size() == 3);
  CHECK(requests[1].task_ids_size() == 3);
  CHECK(requests[2].subject() == "bob");
}

TEST_CASE("A question about more tasks than a call holds takes several") {
  Desk desk;
  desk.outputs.go_on.Update([](bool& go) { go = true; });
  std::vector<TaskId> tasks;
  for (uint64_t i = 0; i < 10'001; ++i) tasks.push_back(Id(i));
  desk.Ask(tasks);
  const auto ends = desk.Answers(1)[0];
  REQUIRE(ends.ok());
  REQUIRE(ends->size() == 10'001);
  CHECK(ends->back() == TaskState::kSucceeded);
  CHECK(desk.outputs.requests.Get().size() == 2);
}

TEST_CASE("Without an answer the question fails as one that can be repeated") {
  Desk desk;
  desk.outputs.go_on.Update([](bool& go) { go = true; });
  desk.outputs.away = true;
  desk.Ask({Id(2)});
  CHECK(desk.Answers(1)[0].status().code() == absl::StatusCode::kUnavailable);
  CHECK(platform::ReasonOf(desk.Answers(1)[0].status()) == "OUTPUTS_UNAVAILABLE");
  desk.client.Stop();
  desk.Ask({Id(2)});
  CHECK(platform::ReasonOf(desk.Answers(2)[1].status()) == "OUTPUTS_UNAVAILABLE");
}

TEST_CASE("What waits when the client is stopped is answered, too") {
  Desk desk;
  desk.Ask({Id(2)});
  REQUIRE(desk.outputs.requests.Becomes([](const auto& all) { return all.size() == 1; }));
  desk.Ask({Id(4)}, "bob");
  desk.client.Stop();
  for (const auto& answer : desk.Answers(2)) CHECK(absl::IsUnavailable(answer.status()));
  desk.outputs.go_on.Update([](bool& go) { go = true; });
}

}  // namespace
}  // namespace kantoku::inputs::testing
