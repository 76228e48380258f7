// Who sits the exam of Inputs when the command holds it: a service that is only reached.
#include <grpcpp/client_context.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/random.h"
#include "services/platform/status.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/inputs_exam/exam_names.h"
#include "tests/conformance/inputs_exam/inputs_service_exam.h"

namespace kantoku::conformance {
namespace {

using inputs::v1::InputsService;

constexpr std::chrono::seconds kPatience{20};

Target& TheTarget() {
  static auto& target = *new Target;
  return target;
}

void SetDeadline(grpc::ClientContext& context) {
  context.set_deadline(std::chrono::system_clock::now() + kPatience);
}

// The service, with names that no case had before.
class TargetSubject final : public inputs::ServiceSubject {
 public:
  TargetSubject() {
    inputs::UseNames(TheTarget().name_space,
                     absl::StrFormat("%015x", platform::SystemRandom() >> 4));
  }
  // No task of the case lives on.
  ~TargetSubject() override {
    const auto stub = InputsService::NewStub(TheTarget().channel);
    inputs::v1::ListTasksRequest list;
    list.set_namespace_(TheTarget().name_space);
    list.set_type(inputs::Fresh("x"));
    do {
      inputs::v1::ListTasksResponse page;
      grpc::ClientContext context;
      SetDeadline(context);
      if (!stub->ListTasks(&context, list, &page).ok()) return;
      Cancel(*stub, page);
      list.set_page_token(page.next_page_token());
    } while (!list.page_token().empty());
  }

  std::shared_ptr<grpc::Channel> channel() override { return TheTarget().channel; }
  // Cases that need either are skipped.
  const platform::MacKeys& keys() override { KANTOKU_CHECK(false); }
  void Restart() override { KANTOKU_CHECK(false); }

 private:
  static void Cancel(InputsService::Stub& stub, const inputs::v1::ListTasksResponse& page) {
    inputs::v1::ControlRequest cancel;
    cancel.set_verb(inputs::v1::CONTROL_VERB_CANCEL);
    for (const auto& task : page.tasks()) cancel.add_task_ids(task.task_id());
    if (cancel.task_ids().empty()) return;
    inputs::v1::ControlResponse ignored;
    grpc::ClientContext context;
    SetDeadline(context);
    (void)stub.Control(&context, cancel, &ignored);
  }
};

absl::StatusOr<std::string> Enter(const Target& target) {
  TheTarget() = target;
  KANTOKU_RETURN_IF_ERROR(AwaitConnection(*target.channel));
  inputs::v1::ListTasksRequest request;
  request.set_namespace_(target.name_space);
  request.set_page_size(1);
  grpc::ClientContext context;
  SetDeadline(context);
  inputs::v1::ListTasksResponse response;
  KANTOKU_RETURN_IF_ERROR(
      FirstAnswer(InputsService::NewStub(target.channel)->ListTasks(&context, request, &response),
                  "kantoku.inputs.v1.InputsService"));
  return absl::StrCat("the namespace ", target.name_space);
}

}  // namespace

Exam InputsExam() {
  return {.name = "inputs",
          .what = "Inputs, with Outputs behind the same address",
          .sources = "conformance/inputs_exam/",
          .is_service = true,
          .enter = Enter};
}

}  // namespace kantoku::conformance

namespace kantoku::inputs {

std::vector<ServiceEntry> AllServices() {
  return {{"the target", false, [] { return std::make_unique<conformance::TargetSubject>(); }}};
}

}  // namespace kantoku::inputs
