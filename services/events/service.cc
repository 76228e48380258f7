#include "services/events/service.h"

#include <google/protobuf/arena.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/events/event_batch.h"
#include "services/events/event_filter.h"
#include "services/platform/rpc/caller.h"
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
    command.batches.push_back({batch.number(), batch.batch()});
  }
  return command;
}

// One subscriber's stream. Deletes itself when gRPC is done with it.
class SubscribeStream final : public grpc::ServerWriteReactor<v1::SubscribeResponse>,
                              public Subscriber {
 public:
  SubscribeStream(grpc::CallbackServerContext& context, platform::CallMonitor::Method& method,
                  SubscriptionHub& hub, Position from, EventFilter filter)
      : Subscriber(from, std::move(filter)), context_(context), method_(method), hub_(hub) {
    method_.StreamOpened();
  }

  void Send(const v1::SubscribeResponse& message) override { StartWrite(&message); }
  void End(const absl::Status& status) override {
    status_ = status;
    Finish(platform::ToGrpc(status));
  }
  void Abort() override { context_.TryCancel(); }

 private:
  void OnWriteDone(bool ok) override { hub_.Sent(*this, ok); }
  void OnCancel() override { hub_.Cancel(*this); }
  void OnDone() override {
    method_.StreamEnded(status_);
    delete this;
  }

  grpc::CallbackServerContext& context_;
  platform::CallMonitor::Method& method_;
  SubscriptionHub& hub_;
  absl::Status status_;
};

// A stream that is over before it begins.
class RefusedStream final : public grpc::ServerWriteReactor<v1::SubscribeResponse> {
 public:
  RefusedStream(platform::CallMonitor::Method& method, absl::Status why)
      : method_(method), why_(std::move(why)) {
    method_.StreamOpened();
    Finish(platform::ToGrpc(why_));
  }

 private:
  void OnDone() override {
    method_.StreamEnded(why_);
    delete this;
  }

  platform::CallMonitor::Method& method_;
  const absl::Status why_;
};

}  // namespace

Service::Service(const Parts& parts)
    : parts_(parts),
      append_(parts.calls.MethodOf("EventsService/Append")),
      read_(parts.calls.MethodOf("EventsService/Read")),
      subscribe_(parts.calls.MethodOf("EventsService/Subscribe")) {}

absl::Status Service::CheckOpen() const {
  if (open_) return absl::OkStatus();
  return platform::Error(absl::StatusCode::kUnavailable, "NOT_SERVING",
                         "the event service is starting or stopping");
}

grpc::ServerUnaryReactor* Service::Append(grpc::CallbackServerContext* context,
                                          const v1::AppendRequest* request,
                                          v1::AppendResponse* response) {
  return platform::HandleUnary(
      context, append_, [&](const platform::Caller&, platform::Reply reply) {
        auto command = Admit(*context, *request);
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

absl::StatusOr<AppendCommand> Service::Admit(const grpc::CallbackServerContext& context,
                                             const v1::AppendRequest& request) const {
  KANTOKU_RETURN_IF_ERROR(CheckOpen());
  KANTOKU_RETURN_IF_ERROR(
      platform::CallingService(context, parts_.mac_keys, parts_.clock.Read().wall).status());
  return DecodeAppend(request);
}

grpc::ServerUnaryReactor* Service::Read(grpc::CallbackServerContext* context,
                                        const v1::ReadRequest* request,
                                        v1::ReadResponse* response) {
  return platform::HandleUnary(context, read_, [&](const platform::Caller&, platform::Reply reply) {
    auto admitted = Admit(*request);
    if (!admitted.ok()) return reply(admitted.status());
    parts_.hub.Read(
        *std::move(admitted), *response,
        [reply = std::move(reply)](const absl::Status& status) mutable { reply(status); });
  });
}

absl::StatusOr<SubscriptionHub::ReadRequest> Service::Admit(const v1::ReadRequest& request) const {
  KANTOKU_RETURN_IF_ERROR(CheckOpen());
  if (request.limit() > kMaxReadLimit) {
    return Invalid("INVALID_LIMIT", absl::StrCat("limit: ", request.limit(),
                                                 " is above the limit of ", kMaxReadLimit));
  }
  SubscriptionHub::ReadRequest admitted;
  KANTOKU_ASSIGN_OR_RETURN(admitted.from, Resolve(request.after(), v1::START_AT_OLDEST));
  KANTOKU_ASSIGN_OR_RETURN(admitted.filter, EventFilter::Make(request.filter()));
  admitted.limit = request.limit() == 0 ? kDefaultReadLimit : request.limit();
  return admitted;
}

grpc::ServerWriteReactor<v1::SubscribeResponse>* Service::Subscribe(
    grpc::CallbackServerContext* context, const v1::SubscribeRequest* request) {
  const auto refuse = [this](const absl::Status& why) {
    return new RefusedStream(subscribe_, why);
  };
  if (const absl::Status open = CheckOpen(); !open.ok()) return refuse(open);
  if (const auto caller = platform::AdmitCall(*context); !caller.ok()) {
    return refuse(caller.status());
  }
  const auto from = Resolve(request->after(), request->start());
  if (!from.ok()) return refuse(from.status());
  auto filter = EventFilter::Make(request->filter());
  if (!filter.ok()) return refuse(filter.status());
  auto* stream = new SubscribeStream(*context, subscribe_, parts_.hub, *from, *std::move(filter));
  if (const absl::Status added = parts_.hub.Add(*stream); !added.ok()) stream->End(added);
  return stream;
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
