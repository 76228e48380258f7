// Who sits the exam of executors when the command holds it: a program that connects to it.
#include "tests/conformance/executor_exam/executor_exam.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"
#include "tests/conformance/command/call_log.h"
#include "tests/conformance/command/exams.h"

namespace kantoku::conformance {
namespace {

using testing::FakeServices;

// Ends with the process, as the executor may be calling.
FakeServices*& TheServices() {
  static FakeServices* services = nullptr;
  return services;
}

class TargetSubject final : public executor_exam::ExecutorSubject {
 public:
  FakeServices& services() override { return *TheServices(); }
};

absl::StatusOr<std::string> Enter(const Target& target) {
  if (!platform::IsOwnAddress(target.address)) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "NO_TLS",
                           "executors are awaited on this computer alone");
  }
  CallLog& calls = *target.calls;
  auto services = FakeServices::At(
      target.address, [&calls](std::string_view call, bool from_executor, const auto& message) {
        calls.Note(from_executor ? "the executor says" : "the exam says", call, message);
      });
  if (services == nullptr) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "CANNOT_LISTEN",
                           "cannot listen there");
  }
  TheServices() = services.release();
  TheServices()->OnPut(executor_exam::TakeOurs(*TheServices()));
  // No case has items: whose they are waits for his own Outputs.
  TheServices()->OnPutItems([](const auto&, auto&) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "this is no Outputs of that task");
  });
  return absl::StrCat("the Inputs and Outputs at ", TheServices()->address());
}

// Any other is in use, and looks for its own Inputs: refused what it holds, it would drop that.
bool IsExaminee(const inputs::v1::Hello& hello) {
  const auto& types = hello.types();
  return std::ranges::all_of(
      std::array{executor_exam::kEcho, executor_exam::kFail, executor_exam::kWait},
      [&](std::string_view type) { return std::ranges::find(types, type) != types.end(); });
}

absl::Status Await() {
  constexpr int kTimes = 4;  // Half a minute each.
  for (int i = 0; i < kTimes; ++i) {
    const auto connection = TheServices()->NextConnection();
    if (connection == nullptr) continue;
    const inputs::v1::Hello hello = connection->said().hello;
    // Each case begins with a connection.
    connection->Close(grpc::Status(grpc::StatusCode::UNAVAILABLE, "the exam begins"));
    if (IsExaminee(hello)) return absl::OkStatus();
    return platform::Error(absl::StatusCode::kFailedPrecondition, "ANOTHER_EXECUTOR",
                           "who connects does not implement exam.echo, exam.fail and exam.wait");
  }
  return platform::Error(absl::StatusCode::kUnavailable, "UNREACHABLE",
                         "no executor has connected for two minutes");
}

}  // namespace

Exam ExecutorExam() {
  return {.name = "executor",
          .what = "an executor that connects to the target, where the exam listens",
          .sources = "conformance/executor_exam/",
          .sitter = Sitter::kExecutor,
          .enter = Enter,
          .await = Await};
}

}  // namespace kantoku::conformance

namespace kantoku::executor_exam {

std::vector<ExecutorEntry> AllExecutors() {
  return {{"the target", [] { return std::make_unique<conformance::TargetSubject>(); }}};
}

}  // namespace kantoku::executor_exam
