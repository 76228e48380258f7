#include "services/platform/audit/events_audit_trail.h"

#include <prometheus/counter.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "services/platform/log/log.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/rpc/retrying_sender.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::platform {
namespace {

namespace eventspb = ::kantoku::events::v1;

constexpr std::chrono::seconds kDeadline(5);
// Nobody waits for an event more closely than this, and each call costs Events a sync.
constexpr absl::Duration kInterval = absl::Milliseconds(10);
constexpr size_t kMaxDetailBytes = 256;
constexpr size_t kMaxBatchEvents = 1'000;

// An event with the time at which it was said.
struct Said {
  absl::Time at;
  AuditEvent event;
};

// The beginning of a text that strangers may have chosen, as Protobuf takes it.
std::string Clipped(std::string_view text) {
  std::string clipped;
  while (!text.empty()) {
    const size_t bytes = Utf8CharacterBytes(text);
    if (clipped.size() + bytes > kMaxDetailBytes) break;
    clipped += bytes > 0 ? text.substr(0, bytes) : "?";
    text.remove_prefix(bytes > 0 ? bytes : 1);
  }
  return clipped;
}

// For the line of the log.
std::string TextOf(const AuditEvent& event) {
  std::string text;
  for (const auto& [name, value] : event.details) {
    absl::StrAppend(&text, text.empty() ? "" : " ", name, "=", value);
  }
  return text;
}

size_t BytesOf(const AuditEvent& event) {
  size_t bytes = sizeof(Said) + event.type.size() + event.name_space.size();
  for (const auto& [name, value] : event.details) bytes += name.size() + value.size() + 64;
  return bytes;
}

void Encode(const Said& said, eventspb::EventRun& run) {
  run.set_type(said.event.type);
  *run.mutable_at() = ToProto(said.at);
  run.set_namespace_(said.event.name_space);
  run.mutable_details()->insert(said.event.details.begin(), said.event.details.end());
}

prometheus::Counter& CounterOf(prometheus::Registry& metrics, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(metrics).Add({});
}

void LogState(const absl::Status& state) {
  if (state.ok()) {
    Log(LogLevel::kInfo, "audit: events takes the audit trail again");
  } else {
    Log(LogLevel::kWarn, "audit: events takes nothing of the audit trail; it waits",
        {{"why", state}});
  }
}

}  // namespace

// What goes to Events. Of its thread are the members without a lock.
class EventsAuditTrail::Sender {
 public:
  Sender(const Options& options, std::shared_ptr<grpc::Channel> events, const MacKeys& keys,
         Clock& clock, prometheus::Counter& dropped)
      : source_(options.source),
        stub_(eventspb::EventsService::NewStub(std::move(events))),
        keys_(keys),
        clock_(clock),
        dropped_(dropped),
        sender_({.max_batch_items = kMaxBatchEvents,
                 .max_bytes = options.max_waiting_bytes,
                 .interval = kInterval,
                 .on_state = LogState},
                clock, [this](const auto& batch) { return Send(batch); }) {}

  void Add(Said said) {
    const size_t bytes = BytesOf(said.event);
    Dropped(sender_.Add(std::move(said), bytes));
  }

  void Stop(absl::Duration within) {
    sender_.Flush(within);
    sender_.Stop();
  }

 private:
  void Dropped(size_t events) {
    dropped_.Increment(static_cast<double>(events));
    untold_ += events;
  }

  // The same batch comes again until it is taken, and Events wants the same bytes under its number.
  absl::Status Send(const std::vector<Said>& batch) {
    if (!line_.has_value()) line_ = LineOf(batch);
    absl::Status status = Append();
    if (absl::IsInvalidArgument(status)) {  // However often it is repeated.
      Log(LogLevel::kError, "audit: events refuses a part of the audit trail for good, it is lost",
          {{"events", batch.size()}, {"why", status}});
      Dropped(batch.size());
      status = absl::OkStatus();
    }
    if (status.ok()) line_.reset();
    return status;
  }

  std::string LineOf(const std::vector<Said>& batch) {
    eventspb::EventBatch line;
    if (const uint64_t dropped = untold_.exchange(0); dropped > 0) {
      const AuditEvent event = {.type = "audit.dropped",
                                .details = {{"count", absl::StrCat(dropped)}}};
      Encode({clock_.Read().wall, event}, *line.add_runs());
    }
    for (const Said& said : batch) Encode(said, *line.add_runs());
    ++number_;
    return line.SerializeAsString();
  }

  absl::Status Append() {
    grpc::ClientContext context;
    PresentAsService(context, keys_, "audit", clock_.Read().wall);
    context.set_deadline(std::chrono::system_clock::now() + kDeadline);
    eventspb::AppendRequest request;
    request.set_source(source_);
    eventspb::NumberedBatch& numbered = *request.add_batches();
    numbered.set_number(number_);
    numbered.set_batch(*line_);
    eventspb::AppendResponse response;
    return FromGrpc(stub_->Append(&context, request, &response));
  }

  const std::string source_;
  const std::unique_ptr<eventspb::EventsService::Stub> stub_;
  const MacKeys& keys_;
  Clock& clock_;
  prometheus::Counter& dropped_;
  std::atomic<uint64_t> untold_ = 0;  // Dropped events that Events has not been told of.
  uint64_t number_ = 0;               // Of the latest line.
  std::optional<std::string> line_;   // That is under way.
  RetryingSender<Said> sender_;
};

EventsAuditTrail::EventsAuditTrail(Options options, const MacKeys& keys, Clock& clock,
                                   prometheus::Registry& metrics)
    : options_(std::move(options)),
      keys_(keys),
      clock_(clock),
      said_(CounterOf(metrics, "kantoku_audit_events_total",
                      "Events of the audit trail: refusals and grants.")),
      dropped_(CounterOf(metrics, "kantoku_audit_dropped_total",
                         "Events of the audit trail that are in the log alone, as Events could not "
                         "be reached for too long.")),
      repeats_(options_.repeats) {}

EventsAuditTrail::~EventsAuditTrail() { Stop(absl::ZeroDuration()); }

void EventsAuditTrail::Connect(std::shared_ptr<grpc::Channel> events) {
  auto sender = std::make_shared<Sender>(options_, std::move(events), keys_, clock_, dropped_);
  MutexLock lock(mutex_);
  sender_ = std::move(sender);
}

void EventsAuditTrail::Say(AuditEvent event) {
  for (auto& [name, value] : event.details) value = Clipped(value);
  Tell(std::move(event));
}

void EventsAuditTrail::SayOften(AuditEvent event) {
  for (auto& [name, value] : event.details) value = Clipped(value);
  std::optional<AuditEvent> told;
  {
    MutexLock lock(mutex_);
    told = repeats_.Add(std::move(event), clock_.Read().steady);
  }
  if (told.has_value()) Tell(*std::move(told));
}

void EventsAuditTrail::Tell(AuditEvent event) {
  said_.Increment();
  Log(LogLevel::kInfo, event.type, {{"namespace", event.name_space}, {"details", TextOf(event)}});
  std::shared_ptr<Sender> sender;
  {
    MutexLock lock(mutex_);
    sender = sender_;
  }
  if (sender != nullptr) sender->Add({clock_.Read().wall, std::move(event)});
}

void EventsAuditTrail::Refresh() {
  std::vector<AuditEvent> due;
  {
    MutexLock lock(mutex_);
    due = repeats_.TakeDue(clock_.Read().steady);
  }
  for (AuditEvent& event : due) Tell(std::move(event));
}

void EventsAuditTrail::Stop(absl::Duration within) {
  std::vector<AuditEvent> all;
  std::shared_ptr<Sender> sender;
  {
    MutexLock lock(mutex_);
    all = repeats_.TakeAll();
  }
  for (AuditEvent& event : all) Tell(std::move(event));
  {
    MutexLock lock(mutex_);
    sender = std::exchange(sender_, nullptr);
  }
  if (sender != nullptr) sender->Stop(within);
}

bool IsEventsService(std::string_view full_name) {
  return full_name == eventspb::EventsService::service_full_name();
}

}  // namespace kantoku::platform
