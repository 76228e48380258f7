#include "services/all-in-one/bench/sessions_role.h"

#include <grpcpp/alarm.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/time/time.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/all-in-one/bench/roles.h"
#include "services/inputs/ping_times.h"
#include "services/platform/access/target.h"
#include "services/platform/clock.h"
#include "services/platform/process.h"
#include "services/platform/proto_time.h"
#include "services/platform/random.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/server/stop_signal.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// Connections that are made at once; each costs the server a handshake.
constexpr size_t kOpening = 16;
constexpr std::chrono::milliseconds kPingRound{10};

using Stream = platform::ClientBidiStream<inputs::v1::PullRequest, inputs::v1::PullResponse>;

std::string RandomId() {
  const uint64_t halves[] = {platform::SystemRandom() | 1, platform::SystemRandom()};
  return {reinterpret_cast<const char*>(halves), sizeof(halves)};
}

// One executor. On the thread of its queue alone, once it is open.
class Session final : private platform::ClientStream::Handler {
 public:
  // What all of them share.
  struct Shared {
    platform::CallQueue& queue;
    platform::Target target;
    std::string type;
    std::vector<uint64_t> latencies;
    std::function<void(Session&, absl::Duration ping_interval)> on_welcome;
    std::function<void(const absl::Status&)> on_refused;  // Before its welcome.
  };

  explicit Session(Shared& shared) : shared_(shared), stream_(shared.queue, *this) {}

  absl::Status Open() {
    KANTOKU_ASSIGN_OR_RETURN(const auto channel,
                             platform::MakeChannel(shared_.target.server, shared_.target.channel));
    inputs_ = inputs::v1::InputsService::NewStub(channel);
    outputs_ = outputs::v1::OutputsService::NewStub(channel);
    stream_.Open([&](grpc::ClientContext* context, grpc::CompletionQueue* queue) {
      return inputs_->PrepareAsyncPull(context, queue);
    });
    inputs::v1::Hello& hello = *next_.mutable_hello();
    hello.set_session_id(id_);
    hello.add_types(shared_.type);
    hello.set_name("bench");
    hello.mutable_credit()->set_max_held(1);
    Write();
    stream_.StartRead(&heard_);
    return absl::OkStatus();
  }
  void Cancel() { stream_.Cancel(); }
  void Ping() {
    next_.mutable_ping()->set_number(++pings_);
    Write();
  }

 private:
  void OnReadDone(bool ok) override {
    reading_ = ok;
    if (!ok) return;
    if (heard_.has_welcome()) {
      welcomed_ = true;
      shared_.on_welcome(*this, platform::FromProto(heard_.welcome().ping_interval()));
    }
    if (heard_.has_ping()) next_.mutable_pong()->set_number(heard_.ping().number());
    for (const inputs::v1::Dispatch& task : heard_.tasks()) Take(task);
    Write();
    stream_.StartRead(&heard_);
  }
  void OnWriteDone(bool ok) override {
    writing_ = false;
    if (ok) Write();
  }
  void OnDone(const absl::Status& status) override {
    if (!welcomed_) shared_.on_refused(status);
  }

  void Write() {
    if (writing_ || !reading_ || next_.ByteSizeLong() == 0) return;
    written_ = std::exchange(next_, {});
    writing_ = true;
    stream_.Claim();
    stream_.StartWrite(written_);
  }

  void Take(const inputs::v1::Dispatch& task) {
    uint64_t stamp = 0;
    if (absl::SimpleAtoi(task.payload(), &stamp)) shared_.latencies.push_back(StampNow() - stamp);
    auto call = std::make_shared<Put>();
    call->ack.set_task_id(task.task_id());
    call->ack.set_dispatch(task.dispatch());
    outputs::v1::PutRequest request;
    request.set_session_id(id_);
    outputs::v1::PutItem& item = *request.add_items();
    item.set_lease_token(task.lease_token());
    item.set_data(std::string(kEchoBytes, 'y'));
    auto reader = outputs_->AsyncPut(&call->context, request, shared_.queue.get());
    platform::ReceiveAnswer(shared_.queue, std::move(reader), &call->response,
                            [this, call](const absl::Status& status) {
                              if (!status.ok() || call->response.results_size() != 1) return;
                              call->ack.set_receipt(call->response.results(0).receipt());
                              *next_.add_acks() = std::move(call->ack);
                              Write();
                            });
  }
  struct Put {
    grpc::ClientContext context;
    outputs::v1::PutResponse response;
    inputs::v1::Ack ack;
  };

  Shared& shared_;
  Stream stream_;
  const std::string id_ = RandomId();
  std::unique_ptr<inputs::v1::InputsService::Stub> inputs_;
  std::unique_ptr<outputs::v1::OutputsService::Stub> outputs_;
  inputs::v1::PullResponse heard_;
  inputs::v1::PullRequest next_;
  inputs::v1::PullRequest written_;
  uint64_t pings_ = 0;
  bool welcomed_ = false;
  bool reading_ = true;
  bool writing_ = false;
};

// Lets each session ping once in an interval, as executors do. On the queue's thread.
class Pings final : private platform::Completion {
 public:
  explicit Pings(platform::CallQueue& queue) : queue_(queue) {}

  void Add(Session& session, absl::Duration interval) {
    if (!times_.has_value()) {
      times_.emplace(interval);
      queue_.CallBegan();
      Wait();
    }
    times_->Add(&session, Now());
  }
  // From any thread. The queue's stop waits for it.
  void Stop() { stopped_ = true; }

 private:
  static absl::Duration Now() { return platform::Clock::Real().Read().steady; }
  void Wait() {
    Start([this](void* tag) {
      alarm_.Set(queue_.get(), std::chrono::system_clock::now() + kPingRound, tag);
    });
  }
  void OnCompleted(bool) override {
    if (stopped_) return queue_.CallEnded();
    const absl::Duration now = Now();
    while (auto due = times_->Take(now)) {
      due->who->Ping();
      times_->Repeat(*std::move(due), now);
    }
    Wait();
  }

  platform::CallQueue& queue_;
  std::optional<inputs::PingTimes<Session*>> times_;
  grpc::Alarm alarm_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace

absl::Status RunSessions(const SessionsOptions& options) {
  platform::RaiseDescriptorLimit();
  platform::StopSignal signal;
  KANTOKU_ASSIGN_OR_RETURN(const auto welcomed, OpenCounter(options.welcomed));
  KANTOKU_ASSIGN_OR_RETURN(
      platform::Target target,
      platform::FindTarget({.server = options.server, .access_file = options.access}, "",
                           platform::Clock::Real()));
  platform::CallQueue queue;
  Pings pings(queue);
  Session::Shared shared{.queue = queue, .target = std::move(target), .type = options.type};
  std::vector<std::unique_ptr<Session>> sessions;
  std::atomic<size_t> open = 0;
  absl::Status refused;  // The first time, set before `open` is.
  constexpr size_t kRefused = SIZE_MAX / 2;
  shared.on_welcome = [&](Session& session, absl::Duration ping_interval) {
    pings.Add(session, ping_interval);
    std::atomic_ref<uint64_t>(const_cast<uint64_t&>(*welcomed)).fetch_add(1);
    ++open;
    open.notify_one();
  };
  shared.on_refused = [&](const absl::Status& status) {
    if (open >= kRefused) return;
    refused = status;
    open = kRefused;
    open.notify_one();
  };
  queue.Start();
  absl::Status opened;
  for (size_t i = 0; i < options.count && opened.ok(); ++i) {
    for (size_t now = open; i >= now + kOpening; now = open) open.wait(now);
    if (open >= kRefused) opened = refused;
    if (!opened.ok()) break;
    auto session = std::make_unique<Session>(shared);
    opened = session->Open();
    if (opened.ok()) sessions.push_back(std::move(session));
  }
  while (opened.ok() && !signal.Wait(absl::InfiniteDuration()).has_value()) continue;
  pings.Stop();
  for (const auto& session : sessions) session->Cancel();
  queue.Stop();
  KANTOKU_RETURN_IF_ERROR(opened);
  std::ofstream file(options.latencies);
  for (const uint64_t latency : shared.latencies) file << latency << '\n';
  return absl::OkStatus();
}

}  // namespace kantoku::bench
