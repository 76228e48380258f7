// Who sits the exam of Events when the command holds it: a service that is only reached.
#include <grpcpp/client_context.h>

#include <catch2/catch.hpp>
#include <memory>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/check.h"
#include "services/platform/random.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "tests/conformance/command/exam_cleanup.h"
#include "tests/conformance/command/exams.h"
#include "tests/conformance/command/run_exam.h"
#include "tests/conformance/events_exam/events_service_exam.h"
#include "tests/conformance/events_exam/exam_place.h"

namespace kantoku::conformance {
namespace {

using events::v1::EventsService;

// The position after all that is there now.
absl::StatusOr<std::string> Now(const std::shared_ptr<grpc::Channel>& channel) {
  events::v1::SubscribeRequest request;
  request.set_start(events::v1::START_AT_NOW);
  request.mutable_filter()->set_namespace_(TheTarget().name_space);
  grpc::ClientContext context;
  SetDeadline(context);
  const auto reader = EventsService::NewStub(channel)->Subscribe(&context, request);
  events::v1::SubscribeResponse greeting;
  const bool greeted = reader->Read(&greeting);
  context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (greeted) return greeting.next();
  return FirstAnswer(status.ok() ? grpc::Status(grpc::StatusCode::INTERNAL,
                                                "a subscription that begins now is not greeted")
                                 : status,
                     "kantoku.events.v1.EventsService");
}

// In a place of its own: the namespace, from now on.
class TargetSubject final : public events::ServiceSubject {
 public:
  TargetSubject() {
    const auto now = Now(TheTarget().channel);
    INFO("where the log is now: " << now.status().ToString());
    REQUIRE(now.ok());
    events::UsePlace({.name_space = TheTarget().name_space,
                      .after = *now,
                      .mark = absl::StrFormat("%016x", platform::SystemRandom())});
  }

  std::shared_ptr<grpc::Channel> channel() override { return TheTarget().channel; }
  const platform::MacKeys& keys() override { return *TheTarget().keys; }
  bool IsAlone() override {
    GoOnWithout("empty");
    return false;
  }
  // Cases that need either are skipped.
  void Stop() override { KANTOKU_CHECK(false); }
  void Start() override { KANTOKU_CHECK(false); }
};

absl::StatusOr<std::string> Enter(const Target& target) {
  KANTOKU_RETURN_IF_ERROR(Use(target));
  KANTOKU_RETURN_IF_ERROR(Now(target.channel).status());
  return absl::StrCat("the namespace ", target.name_space);
}

}  // namespace

Exam EventsExam() {
  return {.name = "events",
          .what = "Events",
          .sources = "conformance/events_exam/",
          .sitter = Sitter::kService,
          .enter = Enter,
          .abilities = [](const Target& target) {
            return target.keys == nullptr ? std::set<std::string>{} : std::set<std::string>{"keys"};
          }};
}

}  // namespace kantoku::conformance

namespace kantoku::events {

std::vector<ServiceEntry> AllServices() {
  return {{"the target", false, [] { return std::make_unique<conformance::TargetSubject>(); }}};
}

}  // namespace kantoku::events
