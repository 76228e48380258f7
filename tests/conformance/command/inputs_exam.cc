// Who sits the exam of Inputs when the command holds it: a service that is only reached.
#include <grpcpp/client_context.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/random.h"
#include "services/platform/status.h"
#include "tests/conformance/command/exam_cleanup.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/run_exam.h"
#include "tests/conformance/inputs_exam/exam_names.h"
#include "tests/conformance/inputs_exam/inputs_service_exam.h"

namespace kantoku::conformance {
namespace {

using inputs::v1::InputsService;

// The service, with names that no case had before.
class TargetSubject final : public inputs::ServiceSubject {
 public:
  TargetSubject() {
    inputs::UseNames(TheTarget().name_space,
                     absl::StrFormat("%015x", platform::SystemRandom() >> 4));
  }
  // Whatever the case has come to, its tasks are told to end, and its type is paused no more.
  ~TargetSubject() override {
    LeftBehind() += CancelTasks(TheTarget().channel, TheTarget().name_space, inputs::Fresh("x"));
    Resume();
  }

  std::shared_ptr<grpc::Channel> channel() override { return TheTarget().channel; }
  // Cases that need either are skipped.
  const platform::MacKeys& keys() override { KANTOKU_CHECK(false); }
  void Restart() override { KANTOKU_CHECK(false); }
  void GoOnWithoutRestart() override { GoOnWithout("restart"); }

 private:
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
  KANTOKU_RETURN_IF_ERROR(Use(target));
  KANTOKU_RETURN_IF_ERROR(KnockAtInputs(target.channel, target.name_space));
  return absl::StrCat("the namespace ", target.name_space);
}

}  // namespace

Exam InputsExam() {
  return {.name = "inputs",
          .what = "Inputs, with Outputs behind the same address",
          .sources = "conformance/inputs_exam/",
          .sitter = Sitter::kService,
          .enter = Enter,
          .left_behind = LeftBehind};
}

}  // namespace kantoku::conformance

namespace kantoku::inputs {

std::vector<ServiceEntry> AllServices() {
  return {{"the target", false, [] { return std::make_unique<conformance::TargetSubject>(); }}};
}

}  // namespace kantoku::inputs
