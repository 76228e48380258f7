#ifndef KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_USER_H_
#define KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_USER_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/conformance/answer.h"
#include "tests/conformance/inputs_exam/exam_names.h"
#include "tests/conformance/inputs_exam/inputs_service_exam.h"

// What the cases of the exam say often.
namespace kantoku::inputs {

using conformance::Answer;

inline v1::SpawnRequest Request(const std::string& id, int specs = 1) {
  v1::SpawnRequest request;
  if (!id.empty()) request.set_request_id(Fresh(id));
  const std::string type = Fresh("x");
  for (int i = 0; i < specs; ++i) request.add_specs()->set_type(type);
  return request;
}

// All of the case.
inline v1::ListTasksRequest OfType() {
  v1::ListTasksRequest request;
  request.set_type(Fresh("x"));
  return request;
}

// How many results a request asks for; of others than these it is not known.
inline int Asked(const v1::SpawnRequest& request) { return request.specs_size(); }
inline int Asked(const v1::GetTasksRequest& request) { return request.task_ids_size(); }
inline int Asked(const v1::ControlRequest& request) { return request.task_ids_size(); }
inline int Asked(const v1::PatchInfoRequest& request) { return request.patches_size(); }
inline int Asked(const v1::ControlExecutorsRequest& request) { return request.session_ids_size(); }

// The calls of a user.
class User {
 public:
  explicit User(ServiceSubject& subject) : stub_(v1::InputsService::NewStub(subject.channel())) {}

  template <typename Response, typename Request, typename Method>
  Answer<Response> Call(Method method, Request request) {
    if constexpr (requires { request.set_namespace_(Namespace()); }) {
      if (request.namespace_().empty()) request.set_namespace_(Namespace());
    }
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::minutes(1));
    Response response;
    const absl::Status status =
        platform::FromGrpc((stub_.get()->*method)(&context, request, &response));
    if (!status.ok()) return status;
    if constexpr (requires { Asked(request); }) REQUIRE(response.results_size() == Asked(request));
    return response;
  }
  Answer<v1::SpawnResponse> Spawn(const v1::SpawnRequest& request) {
    return Call<v1::SpawnResponse>(&v1::InputsService::Stub::Spawn, request);
  }
  Answer<v1::ListTasksResponse> List(const v1::ListTasksRequest& request = OfType()) {
    return Call<v1::ListTasksResponse>(&v1::InputsService::Stub::ListTasks, request);
  }
  Answer<v1::PatchInfoResponse> Patch(const v1::PatchInfoRequest& request) {
    return Call<v1::PatchInfoResponse>(&v1::InputsService::Stub::PatchInfo, request);
  }
  Answer<v1::RestartTasksResponse> Restart(const v1::RestartTasksRequest& request) {
    auto answer = Call<v1::RestartTasksResponse>(&v1::InputsService::Stub::RestartTasks, request);
    if (answer.ok() && !request.has_matching()) {
      REQUIRE(answer->results_size() == request.task_ids_size());
    }
    return answer;
  }
  Answer<v1::ControlResponse> Control(const v1::ControlRequest& request) {
    return Call<v1::ControlResponse>(&v1::InputsService::Stub::Control, request);
  }
  // Of the whole tree.
  Answer<v1::ControlResponse> Control(const std::string& root, v1::ControlVerb verb) {
    v1::ControlRequest request;
    request.add_task_ids(root);
    request.set_verb(verb);
    request.set_tree(true);
    return Control(request);
  }
  Answer<v1::GetTasksResponse> Get(const v1::GetTasksRequest& request) {
    return Call<v1::GetTasksResponse>(&v1::InputsService::Stub::GetTasks, request);
  }

  // The one with the n-th session of the case.
  v1::ExecutorInfo Executor(uint8_t session) {
    const auto list = Call<v1::ListExecutorsResponse>(&v1::InputsService::Stub::ListExecutors,
                                                      v1::ListExecutorsRequest());
    REQUIRE(list.ok());
    const auto found = std::ranges::find(list->executors(), SessionId(session),
                                         [](const auto& each) { return each.session_id(); });
    REQUIRE(found != list->executors().end());
    return *found;
  }

  Answer<v1::ControlExecutorsResponse> ControlExecutors(
      const v1::ControlExecutorsRequest& request) {
    return Call<v1::ControlExecutorsResponse>(&v1::InputsService::Stub::ControlExecutors, request);
  }
  absl::Status SetRoute(const std::string& type, const std::string& selector) {
    v1::SetRouteRequest request;
    request.set_type(type);
    request.set_selector(selector);
    return Call<v1::SetRouteResponse>(&v1::InputsService::Stub::SetRoute, request).status();
  }
  Answer<v1::ListRoutesResponse> Routes() {
    return Call<v1::ListRoutesResponse>(&v1::InputsService::Stub::ListRoutes,
                                        v1::ListRoutesRequest());
  }

  std::string SpawnOne(const std::string& id, const std::string& payload = "p") {
    auto request = Request(id);
    request.mutable_specs(0)->set_payload(payload);
    const auto response = Spawn(request);
    REQUIRE(response.ok());
    REQUIRE(response->results(0).status().code() == 0);
    return response->results(0).task_id();
  }
  task::v1::TaskInfo Look(const std::string& task) {
    v1::GetTasksRequest request;
    request.add_task_ids(task);
    const auto response = Get(request);
    REQUIRE(response.ok());
    REQUIRE(response->results_size() == 1);
    REQUIRE(response->results(0).status().code() == 0);
    return response->results(0).info();
  }
  // Asks until it is so: every answer waits for what came before it.
  bool Becomes(const std::string& task, task::v1::TaskState state) {
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (std::chrono::steady_clock::now() < give_up) {
      if (Look(task).state() == state) return true;
    }
    return false;
  }

 private:
  const std::unique_ptr<v1::InputsService::Stub> stub_;
};

// Of a map in an answer; empty where there is none, which map's own at() would end the program for.
template <typename Map>
std::string ValueOf(const Map& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? "" : found->second;
}

inline void CheckRefused(const absl::Status& status, absl::StatusCode code,
                         const std::string& reason) {
  CHECK(status.code() == code);
  CHECK(platform::ReasonOf(status) == reason);
}

// Runs `body(subject, durable)` for every entry.
template <typename Body>
void ForEveryService(Body body) {
  for (const ServiceEntry& entry : AllServices()) {
    DYNAMIC_SECTION(entry.name) {
      const auto subject = entry.make();
      body(*subject, Durable(*subject, entry.durable));
    }
  }
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_TESTS_CONFORMANCE_INPUTS_EXAM_EXAM_USER_H_
