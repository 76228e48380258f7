#include "services/inputs/ends_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <map>
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

// Of which Outputs cannot say anything.
constexpr uint64_t kBad = 1'000'001;

// Outputs, which knows that the tasks with even sequences have succeeded. It answers those whose
// names begin with "quick" at once, all others when it is let.
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
  grpc::Status Get(grpc::ServerContext* context, const outputs::v1::GetRequest* request,
                   outputs::v1::GetResponse* response) override {
    requests.Update([&](auto& all) { all.push_back(*request); });
    latest_deadline = context->deadline();
    const bool waits = !request->subject().starts_with("quick");
    if (waits && !go_on.Becomes([](bool go) { return go; })) return grpc::Status::CANCELLED;
    if (away) return {grpc::StatusCode::UNAVAILABLE, "away"};
    for (const std::string& id : request->task_ids()) {
      outputs::v1::GetResult& result = *response->add_results();
      if (response->results_size() > room) {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kResourceExhausted));
        result.mutable_status()->set_reason("ANSWER_TOO_LARGE");
      } else if (TaskId::FromBytes(id)->sequence() == kBad) {
        result.mutable_status()->set_code(static_cast<int>(absl::StatusCode::kInternal));
      } else if (TaskId::FromBytes(id)->sequence() % 2 == 0) {
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
  std::atomic<int> room{100'000};  // Results in an answer.
  std::atomic<std::chrono::system_clock::time_point> latest_deadline;

 private:
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

// A client of it, and what it has answered.
struct Desk {
  Desk() : keys(platform::MacKeys::Make({{1, std::string(32, 'k')}}).value()) {}

  void Ask(std::vector<TaskId> tasks, const std::string& owner = "alice",
           absl::Time answer_by = absl::InfiniteFuture()) {
    client.Ask({std::move(tasks), "default", owner, answer_by},
               [this, number = asked++](const absl::StatusOr<Ends>& ends) {
                 answers.Update([&](auto& all) { all.emplace(number, ends); });
               });
  }
  absl::StatusOr<Ends> Answer(size_t number) {
    REQUIRE(answers.Becomes([&](const auto& all) { return all.contains(number); }));
    return answers.Get().at(number);
  }
  std::vector<absl::StatusOr<Ends>> Answers(size_t count) {
    std::vector<absl::StatusOr<Ends>> all;
    for (size_t number = 0; number < count; ++number) all.push_back(Answer(number));
    return all;
  }

  std::unique_ptr<platform::MacKeys> keys;
  EvenOutputs outputs;
  size_t asked = 0;
  Watched<std::map<size_t, absl::StatusOr<Ends>>> answers;  // By the question.
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
  CHECK(std::ranges::count(requests, 3, &outputs::v1::GetRequest::task_ids_size) == 1);
  CHECK(std::ranges::count(requests, std::string("bob"), &outputs::v1::GetRequest::subject) == 1);
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

TEST_CASE("What has no room in an answer is asked for again") {
  Desk desk;
  desk.outputs.room = 2;
  desk.Ask({Id(2), Id(3), Id(4), Id(7), Id(8)}, "quick");
  CHECK(*desk.Answer(0) == Ends{TaskState::kSucceeded, std::nullopt, TaskState::kSucceeded,
                                std::nullopt, TaskState::kSucceeded});
  CHECK(desk.outputs.requests.Get().size() == 3);
  desk.outputs.room = 0;  // An answer that holds nothing ends it.
  desk.Ask({Id(2)}, "quick");
  CHECK(absl::IsUnavailable(desk.Answer(1).status()));
  CHECK(desk.outputs.requests.Get().size() == 4);
}

TEST_CASE("A task of which Outputs cannot say anything fails its own question alone") {
  Desk desk;
  desk.Ask({Id(2)});
  REQUIRE(desk.outputs.requests.Becomes([](const auto& all) { return all.size() == 1; }));
  desk.Ask({Id(4), Id(kBad)});
  desk.Ask({Id(6)});
  desk.outputs.go_on.Update([](bool& go) { go = true; });
  CHECK(absl::IsUnavailable(desk.Answer(1).status()));
  CHECK(*desk.Answer(2) == Ends{TaskState::kSucceeded});
  CHECK(desk.outputs.requests.Get().size() == 2);
}

TEST_CASE("No owner waits for another one's call") {
  Desk desk;
  desk.Ask({Id(2)});
  REQUIRE(desk.outputs.requests.Becomes([](const auto& all) { return all.size() == 1; }));
  desk.Ask({Id(4)}, "quick bob");
  CHECK(desk.Answer(1).ok());
  CHECK(desk.answers.Get().size() == 1);
  desk.outputs.go_on.Update([](bool& go) { go = true; });
}

TEST_CASE("Nothing is asked for who does not wait any more, and a call ends when nobody waits") {
  Desk desk;
  const absl::Time now = absl::Now();
  desk.Ask({Id(2)}, "quick", now - absl::Seconds(1));
  CHECK(absl::IsUnavailable(desk.Answer(0).status()));
  CHECK(desk.outputs.requests.Get().empty());
  desk.Ask({Id(2)}, "quick", now + absl::Seconds(3));
  CHECK(desk.Answer(1).ok());
  CHECK(absl::FromChrono(desk.outputs.latest_deadline.load()) < now + absl::Seconds(4));
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
