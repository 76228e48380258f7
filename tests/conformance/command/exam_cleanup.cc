#include "tests/conformance/command/exam_cleanup.h"

#include <grpcpp/support/status_code_enum.h>

#include <algorithm>
#include <chrono>

#include "kantoku/inputs/v1/inputs.grpc.pb.h"

namespace kantoku::conformance {
namespace {

using inputs::v1::InputsService;

// How many do not hear it.
size_t Cancel(InputsService::Stub& stub, const inputs::v1::ListTasksResponse& page) {
  inputs::v1::ControlRequest cancel;
  cancel.set_verb(inputs::v1::CONTROL_VERB_CANCEL);
  for (const auto& task : page.tasks()) {
    if (!task.has_ended_at()) cancel.add_task_ids(task.task_id());
  }
  const auto asked = static_cast<size_t>(cancel.task_ids_size());
  if (asked == 0) return 0;
  inputs::v1::ControlResponse response;
  grpc::ClientContext context;
  SetDeadline(context);
  if (!stub.Control(&context, cancel, &response).ok()) return asked;
  const auto hear = std::ranges::count_if(response.results(), [](const auto& result) {
    const int code = result.status().code();
    return code == grpc::OK || code == grpc::FAILED_PRECONDITION;  // It has ended since.
  });
  return asked - std::min(asked, static_cast<size_t>(hear));
}

Target& Current() {
  static auto& target = *new Target;
  return target;
}

}  // namespace

const Target& TheTarget() { return Current(); }

absl::Status Use(const Target& target) {
  Current() = target;
  return AwaitConnection(*target.channel);
}

size_t& LeftBehind() {
  static size_t count = 0;
  return count;
}

void SetDeadline(grpc::ClientContext& context) {
  constexpr std::chrono::seconds kPatience{20};
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
}

absl::Status KnockAtInputs(const std::shared_ptr<grpc::Channel>& inputs,
                           const std::string& name_space) {
  inputs::v1::ListTasksRequest request;
  request.set_namespace_(name_space);
  request.set_page_size(1);
  grpc::ClientContext context;
  SetDeadline(context);
  inputs::v1::ListTasksResponse response;
  return FirstAnswer(InputsService::NewStub(inputs)->ListTasks(&context, request, &response),
                     "kantoku.inputs.v1.InputsService");
}

size_t CancelTasks(const std::shared_ptr<grpc::Channel>& inputs, const std::string& name_space,
                   const std::string& type) {
  const auto stub = InputsService::NewStub(inputs);
  size_t left = 0;
  inputs::v1::ListTasksRequest list;
  list.set_namespace_(name_space);
  list.set_type(type);
  do {
    inputs::v1::ListTasksResponse page;
    grpc::ClientContext context;
    SetDeadline(context);
    if (!stub->ListTasks(&context, list, &page).ok()) return left + 1;  // At least.
    left += Cancel(*stub, page);
    list.set_page_token(page.next_page_token());
  } while (!list.page_token().empty());
  return left;
}

}  // namespace kantoku::conformance
