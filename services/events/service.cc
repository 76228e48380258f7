#include "services/events/service.h"

#include <google/protobuf/arena.h>

#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/events/event_batch.h"
#include "services/events/event_filter.h"
#include "services/platform/rpc/relayed_server_stream.h"
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
                  std::shared_ptr<Served> served, Position from, EventFilter filter)
      : Subscriber(from, std::move(filter)),
        call_(call),
        method_(method),
        served_(std::move(served)),
        hub_(served_->hub) {
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
  const std::shared_ptr<Served> served_;
  SubscriptionHub& hub_;  // Of `served_`.
  absl::Status status_;
};

absl::StatusOr<Position> Resolve(const EventLog& log, std::string_view after, v1::StartAt start) {
  const LogBounds bounds = log.bounds();
  if (!after.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(const Position position, ParsePosition(log.id(), after));
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

absl::StatusOr<SubscriptionHub::ReadRequest> DecodeRead(const EventLog& log,
                                                        const v1::ReadRequest& request,
                                                        const platform::Identity& reader) {
  if (request.limit() > kMaxReadLimit) {
    return Invalid("INVALID_LIMIT", absl::StrCat("limit: ", request.limit(),
                                                 " is above the limit of ", kMaxReadLimit));
  }
  SubscriptionHub::ReadRequest read;
  KANTOKU_ASSIGN_OR_RETURN(read.from, Resolve(log, request.after(), v1::START_AT_OLDEST));
  KANTOKU_ASSIGN_OR_RETURN(read.filter, EventFilter::Make(request.filter(), reader));
  read.limit = request.limit() == 0 ? kDefaultReadLimit : request.limit();
  return read;
}

struct Subscription {
  Position from;
  EventFilter filter;
};

absl::StatusOr<Subscription> AdmitSubscription(const EventLog& log, const platform::Call& call,
                                               const v1::SubscribeRequest& request) {
  KANTOKU_ASSIGN_OR_RETURN(const auto reader, platform::AdmitCall(call));
  KANTOKU_ASSIGN_OR_RETURN(const Position from, Resolve(log, request.after(), request.start()));
  KANTOKU_ASSIGN_OR_RETURN(EventFilter filter, EventFilter::Make(request.filter(), *reader));
  return Subscription{from, std::move(filter)};
}

}  // namespace

Service::Service(const Routes& routes, platform::CallMonitor& calls, Metrics& metrics)
    : PartitionedService(v1::EventsService::service_full_name(), routes),
      metrics_(metrics),
      append_(calls.MethodOf("EventsService/Append")),
      read_(calls.MethodOf("EventsService/Read")),
      subscribe_(calls.MethodOf("EventsService/Subscribe")) {
  Handle("Append", &Service::Append);
  Handle("Read", &Service::Read);
  Handle("Subscribe", &Service::Subscribe);
}

void Service::Append(platform::UnaryCall* call, const v1::AppendRequest* request,
                     v1::AppendResponse* response) {
  Route(call, append_, "Append", kPartition, *request, response,
        [&](Served& served) { AppendHere(served, call, *request, response); });
}

void Service::AppendHere(Served& served, platform::UnaryCall* call,
                         const v1::AppendRequest& request, v1::AppendResponse* response) {
  platform::HandleUnary(call, append_, [&](const platform::Identity&, platform::Reply reply) {
    auto command = DecodeAppend(request);
    if (!command.ok()) return reply(command.status());
    const size_t batches = command->batches.size();
    served.log.Append(*std::move(command), [this, &log = served.log, batches, response,
                                            reply = std::move(reply)](auto result) mutable {
      if (result.ok()) {
        Count(log, batches, *result);
        response->set_durable_number(result->durable_number);
      }
      reply(result.status());
    });
  });
}

void Service::Count(const EventLog& log, size_t batches, const AppendResult& result) {
  const LogBounds bounds = log.bounds();
  metrics_.appended_batches->Increment(static_cast<double>(batches - result.repeats));
  metrics_.repeated_batches->Increment(static_cast<double>(result.repeats));
  metrics_.SetKept(bounds.end - bounds.first);
}

void Service::Read(platform::UnaryCall* call, const v1::ReadRequest* request,
                   platform::Encoded<v1::ReadResponse>* response) {
  Route(call, read_, "Read", kPartition, *request, response,
        [&](Served& served) { ReadHere(served, call, *request, response); });
}

void Service::ReadHere(Served& served, platform::UnaryCall* call, const v1::ReadRequest& request,
                       platform::Encoded<v1::ReadResponse>* response) {
  platform::HandleUnary(call, read_, [&](const platform::Identity& caller, platform::Reply reply) {
    auto read = DecodeRead(served.log, request, caller);
    if (!read.ok()) return reply(read.status());
    served.hub.Read(
        *std::move(read), *response,
        [reply = std::move(reply)](const absl::Status& status) mutable { reply(status); });
  });
}

void Service::Subscribe(SubscribeCall* call, const v1::SubscribeRequest* request) {
  Place place = Find(kPartition, *call);
  if (place.here != nullptr) return SubscribeHere(std::move(place.here), call, *request);
  if (place.address.empty()) return call->Refuse(subscribe_, Nowhere(kPartition));
  using Relayed = platform::RelayedServerStream<v1::SubscribeRequest,
                                                platform::SharedEncoded<v1::SubscribeResponse>>;
  std::make_shared<Relayed>(
      call, subscribe_, *forwarder(),
      platform::RelayTarget{.path = PathOf("Subscribe"),
                            .replica = {.address = place.address, .partition = kPartition}})
      ->Start(*request);
}

void Service::SubscribeHere(std::shared_ptr<Served> served, SubscribeCall* call,
                            const v1::SubscribeRequest& request) {
  auto admitted = AdmitSubscription(served->log, *call, request);
  if (!admitted.ok()) return call->Refuse(subscribe_, admitted.status());
  SubscriptionHub& hub = served->hub;
  auto* stream = new SubscribeStream(*call, subscribe_, std::move(served), admitted->from,
                                     std::move(admitted->filter));
  if (const absl::Status added = hub.Add(*stream); !added.ok()) stream->End(added);
}

}  // namespace kantoku::events
