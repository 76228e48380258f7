#include "services/events/service.h"

#include <google/protobuf/arena.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/events/event_batch.h"
#include "services/events/event_filter.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

constexpr size_t kMaxSourceBytes = 63;
constexpr uint32_t kDefaultReadLimit = 100;
constexpr uint32_t kMaxReadLimit = 10'000;

absl::Status Invalid(std::string_view reason, std::string_view message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, reason, message);
}

// The batches of `request`, parsed only to be checked: they are kept as they came.
absl::StatusOr<AppendCommand> DecodeAppend(const v1::AppendRequest& request) {
  if (request.source().empty() || request.source().size() > kMaxSourceBytes) {
    return Invalid("INVALID_SOURCE", absl::StrCat("source: has ", request.source().size(),
                                                  " bytes, must have 1 to ", kMaxSourceBytes));
  }
  AppendCommand command;
  command.source = request.source();
  command.batches.reserve(request.batches_size());
  uint64_t previous = 0;
  for (int i = 0; i < request.batches_size(); ++i) {
    const v1::NumberedBatch& batch = request.batches(i);
    if (batch.number() <= previous) {
      return Invalid(
          "INVALID_BATCH_NUMBER",
          absl::StrCat("batches[", i, "].number: ", batch.number(), " is not above ", previous));
    }
    previous = batch.number();
    google::protobuf::Arena arena;
    auto* parsed = google::protobuf::Arena::CreateMessage<v1::EventBatch>(&arena);
    KANTOKU_RETURN_IF_ERROR(platform::Annotate(ParseEventBatch(batch.batch(), *parsed),
                                               absl::StrCat("batches[", i, "]")));
    command.batches.push_back({batch.number(), batch.batch(), parsed->previous()});
  }
  return command;
}

// One subscriber's stream. Deletes itself when gRPC is done with it.
class SubscribeStream final : public platform::StreamCall::Handler, public Subscriber {
 public:
  SubscribeStream(Service::SubscribeCall& call, platform::CallMonitor::Method& method,
                  SubscriptionHub& hub, Position from, EventFilter filter)
      : Subscriber(from, std::move(filter)), call_(call), method_(method), hub_(hub) {
    method_.StreamOpened();
    call_.Accept(*this);
  }

  void Send(const platform::SharedEncoded<v1::SubscribeResponse>& message) override {
    call_.StartWrite(&message);
  }
  void End(const absl::Status& status) override {
    status_ = status;
    call_.Finish(status);
  }
  void Abort() override { call_.TryCancel(); }

 private:
  void OnWriteDone(bool ok) override { hub_.Sent(*this, ok); }
  void OnCancel() override { hub_.Cancel(*this, absl::CancelledError("the subscriber went away")); }
  void OnRefused(const absl::Status& why) override { hub_.Cancel(*this, why); }
  void OnDone() override {
    method_.StreamEnded(status_);
    delete this;
  }

  Service::SubscribeCall& call_;
  platform::CallMonitor::Method& method_;
  SubscriptionHub& hub_;
  absl::Status status_;
};

}  // namespace

Service::Service(const Parts& parts)
    : platform::Service(v1::EventsService::service_full_name()),
      parts_(parts),
      append_(parts.calls.MethodOf("EventsService/Append")),
      read_(parts.calls.MethodOf("EventsService/Read")),
      subscribe_(parts.calls.MethodOf("EventsService/Subscribe")) {
  Handle("Append", &Service::Append);
  Handle("Read", &Service::Read);
  Handle("Subscribe", &Service::Subscribe);
}

absl::Status Service::CheckOpen() const {
  if (open_) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kUnavailable, "NOT_SERVING",
                         "the event service is starting or stopping");
}

void Service::Append(platform::UnaryCall* call, const v1::AppendRequest* request,
                     v1::AppendResponse* response) {
  platform::HandleUnary(call, append_, [&](const platform::Identity&, platform::Reply reply) {
    auto command = Admit(*request);
    if (!command.ok()) return reply(command.status());
    const size_t batches = command->batches.size();
    parts_.log.Append(*std::move(command),
                      [this, batches, response, reply = std::move(reply)](auto result) mutable {
                        if (result.ok()) {
                          Count(batches, *result);
                          response->set_durable_number(result->durable_number);
                        }
                        reply(result.status());
                      });
  });
}

void Service::Count(size_t batches, const AppendResult& result) {
  const LogBounds bounds = parts_.log.bounds();
  parts_.metrics.appended_batches->Increment(static_cast<double>(batches - result.repeats));
  parts_.metrics.repeated_batches->Increment(static_cast<double>(result.repeats));
  parts_.metrics.kept_batches->Set(static_cast<double>(bounds.end - bounds.first));
}

absl::StatusOr<AppendCommand> Service::Admit(const v1::AppendRequest& request) const {
  KANTOKU_RETURN_IF_ERROR(CheckOpen());
  return DecodeAppend(request);
}

void Service::Read(platform::UnaryCall* call, const v1::ReadRequest* request,
                   platform::Encoded<v1::ReadResponse>* response) {
  platform::HandleUnary(call, read_, [&](const platform::Identity& caller, platform::Reply reply) {
    auto admitted = Admit(*request, caller);
    if (!admitted.ok()) return reply(admitted.status());
    parts_.hub.Read(
        *std::move(admitted), *response,
        [reply = std::move(reply)](const absl::Status& status) mutable { reply(status); });
  });
}

absl::StatusOr<SubscriptionHub::ReadRequest> Service::Admit(
    const v1::ReadRequest& request, const platform::Identity& reader) const {
  KANTOKU_RETURN_IF_ERROR(CheckOpen());
  if (request.limit() > kMaxReadLimit) {
    return Invalid("INVALID_LIMIT", absl::StrCat("limit: ", request.limit(),
                                                 " is above the limit of ", kMaxReadLimit));
  }
  SubscriptionHub::ReadRequest admitted;
  KANTOKU_ASSIGN_OR_RETURN(admitted.from, Resolve(request.after(), v1::START_AT_OLDEST));
  KANTOKU_ASSIGN_OR_RETURN(admitted.filter, EventFilter::Make(request.filter(), reader));
  admitted.limit = request.limit() == 0 ? kDefaultReadLimit : request.limit();
  return admitted;
}

void Service::Subscribe(SubscribeCall* call, const v1::SubscribeRequest* request) {
  auto admitted = Admit(*call, *request);
  if (!admitted.ok()) return call->Refuse(subscribe_, admitted.status());
  auto* stream = new SubscribeStream(*call, subscribe_, parts_.hub, admitted->from,
                                     std::move(admitted->filter));
  if (const absl::Status added = parts_.hub.Add(*stream); !added.ok()) stream->End(added);
}

absl::StatusOr<Service::Subscription> Service::Admit(const platform::Call& call,
                                                     const v1::SubscribeRequest& request) const {
  KANTOKU_RETURN_IF_ERROR(CheckOpen());
  KANTOKU_ASSIGN_OR_RETURN(const auto reader, platform::AdmitCall(call));
  KANTOKU_ASSIGN_OR_RETURN(const Position from, Resolve(request.after(), request.start()));
  KANTOKU_ASSIGN_OR_RETURN(EventFilter filter, EventFilter::Make(request.filter(), *reader));
  return Subscription{from, std::move(filter)};
}

absl::StatusOr<Position> Service::Resolve(std::string_view after, v1::StartAt start) const {
  const LogBounds bounds = parts_.log.bounds();
  if (!after.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const Position position, ParsePosition(parts_.log.id(), after));
    if (position <= Position{.row = bounds.end}) return position;
    return platform::Error(
        absl::StatusCode::kOutOfRange, "UNKNOWN_POSITION",
        absl::StrCat("after: `", platform::ToAbsl(after), "` is beyond the end of the log"));
  }
  switch (start) {
    case v1::START_AT_UNSPECIFIED:
    case v1::START_AT_OLDEST:
      return Position{.row = bounds.first};
    case v1::START_AT_NOW:
      return Position{.row = bounds.end};
    default:
      return Invalid("INVALID_START", absl::StrCat("start: ", static_cast<int>(start),
                                                   " is not a place to start at"));
  }
}

}  // namespace kantoku::events
