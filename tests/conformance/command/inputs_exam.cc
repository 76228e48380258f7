// Who sits the exam of Inputs when the command holds it: a service that is only reached.
#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/random.h"
#include "services/platform/status.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/run_exam.h"
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

// Tasks and pauses that may live on.
size_t& LeftBehind() {
  static size_t count = 0;
  return count;
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
  // Whatever the case has come to, its tasks are told to end, and its type is paused no more.
  ~TargetSubject() override {
    CancelAll();
    Resume();
  }

  std::shared_ptr<grpc::Channel> channel() override { return TheTarget().channel; }
  // Cases that need either are skipped.
  const platform::MacKeys& keys() override { KANTOKU_CHECK(false); }
  void Restart() override { KANTOKU_CHECK(false); }
  void GoOnWithoutRestart() override { GoOnWithout("restart"); }

 private:
  static void CancelAll() {
    const auto stub = InputsService::NewStub(TheTarget().channel);
    inputs::v1::ListTasksRequest list;
    list.set_namespace_(TheTarget().name_space);
    list.set_type(inputs::Fresh("x"));
    do {
      inputs::v1::ListTasksResponse page;
      grpc::ClientContext context;
      SetDeadline(context);
      if (!stub->ListTasks(&context, list, &page).ok()) {
        ++LeftBehind();  // At least.
        return;
      }
      LeftBehind() += Cancel(*stub, page);
      list.set_page_token(page.next_page_token());
    } while (!list.page_token().empty());
  }

  // How many do not hear it.
  static size_t Cancel(InputsService::Stub& stub, const inputs::v1::ListTasksResponse& page) {
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

  // Of most cases there is no pause, nor is there one of somebody who may not pause.
  static void Resume() {
    inputs::v1::SetPauseRequest resume;
    resume.set_namespace_(TheTarget().name_space);
    resume.set_type(inputs::Fresh("x"));
    inputs::v1::SetPauseResponse ignored;
    grpc::ClientContext context;
    SetDeadline(context);
    const grpc::Status status =
        InputsService::NewStub(TheTarget().channel)->SetPause(&context, resume, &ignored);
    for (const auto code :
         {grpc::OK, grpc::NOT_FOUND, grpc::PERMISSION_DENIED, grpc::UNIMPLEMENTED}) {
      if (status.error_code() == code) return;
    }
    ++LeftBehind();
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
          .enter = Enter,
          .left_behind = LeftBehind};
}

}  // namespace kantoku::conformance

namespace kantoku::inputs {

std::vector<ServiceEntry> AllServices() {
  return {{"the target", false, [] { return std::make_unique<conformance::TargetSubject>(); }}};
}

}  // namespace kantoku::inputs
