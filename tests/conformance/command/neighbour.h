#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_NEIGHBOUR_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_NEIGHBOUR_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "tests/conformance/command/command_bench.h"

namespace kantoku::test {

// Somebody else who uses the namespace of the exam: a task, and the executor that has it.
class Neighbour {
 public:
  explicit Neighbour(const std::shared_ptr<grpc::Channel>& channel)
      : stub_(inputs::v1::InputsService::NewStub(channel)), stream_(stub_->Pull(&context_)) {
    inputs::v1::PullRequest hello;
    hello.mutable_hello()->set_session_id("of the neighbour");
    hello.mutable_hello()->set_namespace_("exam");
    hello.mutable_hello()->add_types("of-the-neighbour");
    hello.mutable_hello()->mutable_credit()->set_max_held(10);
    REQUIRE(stream_->Write(hello));
  }
  ~Neighbour() {
    context_.TryCancel();
    (void)stream_->Finish();
  }

  // Spawns a task, and gets it itself.
  std::string Work(const std::string& request_id) {
    inputs::v1::SpawnRequest request;
    request.set_namespace_("exam");
    request.set_request_id(request_id);
    request.add_specs()->set_type("of-the-neighbour");
    const auto spawned = Call<inputs::v1::SpawnResponse>(&Stub::Spawn, request);
    REQUIRE(spawned.results_size() == 1);
    inputs::v1::PullResponse frame;
    do {
      REQUIRE(stream_->Read(&frame));
    } while (frame.tasks_size() == 0);
    CHECK(frame.tasks(0).task_id() == spawned.results(0).task_id());
    return spawned.results(0).task_id();
  }
  // Tasks of the namespace that have not ended.
  Strings Living() {
    inputs::v1::ListTasksRequest request;
    request.set_namespace_("exam");
    request.set_page_size(1'000);
    const auto all = Call<inputs::v1::ListTasksResponse>(&Stub::ListTasks, request);
    Strings ids;
    for (const auto& task : all.tasks()) {
      if (!task.has_ended_at()) ids.push_back(task.task_id());
    }
    return ids;
  }
  // Waits, as what is told to be cancelled ends when its executor is known to be gone.
  bool IsAloneWith(const Strings& tasks) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (Living() != tasks) {
      if (std::chrono::steady_clock::now() > give_up) return false;
    }
    return true;
  }
  // Whether Inputs can still end it, which takes a fence in Outputs.
  bool CanCancel(const std::string& task) {
    inputs::v1::ControlRequest cancel;
    cancel.set_verb(inputs::v1::CONTROL_VERB_CANCEL);
    cancel.add_task_ids(task);
    const auto told = Call<inputs::v1::ControlResponse>(&Stub::Control, cancel);
    return told.results_size() == 1 && told.results(0).status().code() == grpc::OK &&
           IsAloneWith({});
  }
  int Pauses() {
    inputs::v1::ListPausesRequest request;
    request.set_namespace_("exam");
    return Call<inputs::v1::ListPausesResponse>(&Stub::ListPauses, request).pauses_size();
  }

 private:
  using Stub = inputs::v1::InputsService::Stub;

  template <typename Response, typename Request, typename Method>
  Response Call(Method method, const Request& request) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    Response response;
    REQUIRE((stub_.get()->*method)(&context, request, &response).ok());
    return response;
  }

  const std::unique_ptr<Stub> stub_;
  grpc::ClientContext context_;
  const std::unique_ptr<grpc::ClientReaderWriter<inputs::v1::PullRequest, inputs::v1::PullResponse>>
      stream_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_NEIGHBOUR_H_
