#include "tests/support/fake_services.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"

namespace kantoku::testing {
namespace {

void SetDuration(absl::Duration duration, google::protobuf::Duration& proto) {
  const int64_t nanos = absl::ToInt64Nanoseconds(duration);
  proto.set_seconds(nanos / 1'000'000'000);
  proto.set_nanos(static_cast<int32_t>(nanos % 1'000'000'000));
}

// Waits for `enough`, which looks at what `mu` guards.
template <typename Enough>
bool AwaitUnder(platform::Mutex& mu, platform::CondVar& changed,
                Enough enough) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  platform::Clock& clock = platform::Clock::Real();
  const absl::Duration until = clock.Read().steady + kPatience;
  platform::MutexLock lock(mu);
  while (!enough()) {
    if (clock.Read().steady >= until) return false;
    clock.Wait(mu, changed, until);
  }
  return true;
}

}  // namespace

bool FakeConnection::Await(const std::function<bool(const Said&)>& enough)
    ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return AwaitUnder(mu_, changed_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return enough(said_); });
}

FakeConnection::Said FakeConnection::said() {
  platform::MutexLock lock(mu_);
  return said_;
}

class FakeConnection::Reactor final
    : public grpc::ServerBidiReactor<inputs::v1::PullRequest, inputs::v1::PullResponse> {
 public:
  explicit Reactor(std::shared_ptr<FakeConnection> connection)
      : connection_(std::move(connection)) {
    StartRead(&request_);
  }

  // Under the connection's lock, so that it is not finished meanwhile.
  void WriteNext() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (connection_->writing_ || connection_->to_send_.empty()) return;
    connection_->writing_ = true;
    response_ = std::move(connection_->to_send_.front());
    connection_->to_send_.pop_front();
    StartWrite(&response_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      connection_->Close(grpc::Status::OK);
      platform::MutexLock lock(connection_->mu_);
      connection_->said_.hung_up = true;
      connection_->changed_.SignalAll();
      return;
    }
    connection_->Note(request_);
    StartRead(&request_);
  }
  void OnWriteDone(bool) override {
    platform::MutexLock lock(connection_->mu_);
    connection_->writing_ = false;
    if (connection_->reactor_ != nullptr) WriteNext();
  }
  void OnDone() override { delete this; }

 private:
  const std::shared_ptr<FakeConnection> connection_;
  inputs::v1::PullRequest request_;
  inputs::v1::PullResponse response_;
};

void FakeConnection::Send(const inputs::v1::PullResponse& frame) {
  if (watch_) watch_("Pull", false, frame);
  platform::MutexLock lock(mu_);
  if (reactor_ == nullptr) return;
  to_send_.push_back(frame);
  reactor_->WriteNext();
}

void FakeConnection::Close(const grpc::Status& status) {
  platform::MutexLock lock(mu_);
  if (reactor_ != nullptr) std::exchange(reactor_, nullptr)->Finish(status);
}

void FakeConnection::AnswerPings(bool answer) {
  platform::MutexLock lock(mu_);
  answer_pings_ = answer;
}

void FakeConnection::ConfirmNacks(bool confirm) {
  platform::MutexLock lock(mu_);
  confirm_nacks_ = confirm;
}

void FakeConnection::Welcome(absl::Duration ping_interval, absl::Duration grace) {
  inputs::v1::PullResponse frame;
  auto& welcome = *frame.mutable_welcome();
  welcome.set_max_credit(1000);
  SetDuration(ping_interval, *welcome.mutable_ping_interval());
  SetDuration(grace, *welcome.mutable_grace());
  const inputs::v1::Hello hello = said().hello;
  for (const auto& held : hello.held()) {
    auto& answer = *welcome.add_held();
    if (held.receipt().empty()) {
      answer.set_lease_token(absl::StrCat("lease after reconnect of ", held.dispatch()));
    } else {
      answer.set_confirmed(true);
    }
  }
  Send(frame);
}

void FakeConnection::SendTasks(const std::vector<inputs::v1::Dispatch>& tasks) {
  inputs::v1::PullResponse frame;
  for (const auto& task : tasks) *frame.add_tasks() = task;
  Send(frame);
}

void FakeConnection::SendControl(const std::string& task_id, uint32_t dispatch,
                                 inputs::v1::HandlerAction action, uint32_t number) {
  inputs::v1::PullResponse frame;
  auto& control = *frame.add_controls();
  control.set_task_id(task_id);
  control.set_dispatch(dispatch);
  control.set_action(action);
  control.set_number(number);
  Send(frame);
}

void FakeConnection::Confirm(const std::vector<inputs::v1::Ack>& acks) {
  inputs::v1::PullResponse frame;
  for (const auto& ack : acks) {
    auto& settled = *frame.add_confirmed();
    settled.set_task_id(ack.task_id());
    settled.set_dispatch(ack.dispatch());
  }
  Send(frame);
}

void FakeConnection::Note(const inputs::v1::PullRequest& frame) {
  if (watch_) watch_("Pull", true, frame);
  inputs::v1::PullResponse answer;
  {
    platform::MutexLock lock(mu_);
    ++said_.frames;
    if (frame.has_hello()) said_.hello = frame.hello();
    if (frame.has_credit()) said_.credits.push_back(frame.credit().max_held());
    for (const auto& each : frame.started()) said_.started.push_back(each);
    for (const auto& each : frame.acks()) said_.acks.push_back(each);
    for (const auto& each : frame.nacks()) said_.nacks.push_back(each);
    for (const auto& each : frame.progress()) said_.progress.push_back(each);
    for (const auto& each : frame.checkpoints()) said_.checkpoints.push_back(each);
    for (const auto& each : frame.handler_states()) said_.handler_states.push_back(each);
    if (frame.has_ping()) said_.pings.push_back(frame.ping().number());
    if (frame.has_pong()) said_.pongs.push_back(frame.pong().number());
    if (!frame.access_token().empty()) said_.access_tokens.push_back(frame.access_token());
    if (frame.has_ping() && answer_pings_) {
      answer.mutable_pong()->set_number(frame.ping().number());
    }
    for (const auto& nack : frame.nacks()) {
      if (!confirm_nacks_) break;
      auto& settled = *answer.add_confirmed();
      settled.set_task_id(nack.task_id());
      settled.set_dispatch(nack.dispatch());
    }
    changed_.SignalAll();
  }
  if (answer.ByteSizeLong() > 0) Send(answer);
}

class FakeServices::Inputs final : public inputs::v1::InputsService::WithCallbackMethod_Pull<
                                       inputs::v1::InputsService::Service> {
 public:
  explicit Inputs(FakeServices& services) : services_(services) {}

  grpc::ServerBidiReactor<inputs::v1::PullRequest, inputs::v1::PullResponse>* Pull(
      grpc::CallbackServerContext*) override {
    auto connection = std::make_shared<FakeConnection>();
    connection->watch_ = services_.watch_;
    auto* reactor = new FakeConnection::Reactor(connection);
    {
      platform::MutexLock lock(connection->mu_);
      connection->reactor_ = reactor;
    }
    platform::MutexLock lock(services_.mu_);
    services_.waiting_.push_back(std::move(connection));
    ++services_.connections_;
    services_.changed_.SignalAll();
    return reactor;
  }

 private:
  FakeServices& services_;
};

class FakeServices::Outputs final : public outputs::v1::OutputsService::Service {
 public:
  explicit Outputs(FakeServices& services) : services_(services) {}

  grpc::Status Put(grpc::ServerContext*, const outputs::v1::PutRequest* request,
                   outputs::v1::PutResponse* response) override {
    PutScript script;
    {
      platform::MutexLock lock(services_.mu_);
      services_.put_sizes_.push_back(request->items_size());
      script = services_.put_script_;
    }
    if (services_.watch_) services_.watch_("Put", true, *request);
    grpc::Status status =
        script ? script(*request, *response) : services_.TakeAll(*request, *response);
    if (services_.watch_) services_.watch_("Put", false, *response);
    return status;
  }
  grpc::Status PutItems(grpc::ServerContext*, const outputs::v1::PutItemsRequest* request,
                        outputs::v1::PutItemsResponse* response) override {
    PutItemsScript script;
    {
      platform::MutexLock lock(services_.mu_);
      script = services_.put_items_script_;
    }
    return script ? script(*request, *response) : services_.TakeItems(*request, *response);
  }

 private:
  FakeServices& services_;
};

FakeServices::FakeServices() : FakeServices("127.0.0.1:0", nullptr) { Start(); }

FakeServices::FakeServices(std::string address, Watcher watch)
    : watch_(std::move(watch)),
      inputs_(std::make_unique<Inputs>(*this)),
      outputs_(std::make_unique<Outputs>(*this)),
      address_(std::move(address)) {}

std::unique_ptr<FakeServices> FakeServices::At(const std::string& address, Watcher watch) {
  std::unique_ptr<FakeServices> services(new FakeServices(address, std::move(watch)));
  if (!services->Listen()) return nullptr;
  return services;
}

FakeServices::~FakeServices() { Stop(); }

void FakeServices::Start() {
  const bool listens = Listen();
  KANTOKU_CHECK(listens);
}

bool FakeServices::Listen() {
  grpc::ServerBuilder builder;
  int port = 0;
  // Else the port is shared with whoever else has it, and each gets some of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(address_, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(32 << 20);
  builder.RegisterService(inputs_.get());
  builder.RegisterService(outputs_.get());
  server_ = builder.BuildAndStart();
  if (server_ == nullptr || port == 0) return false;
  // Also where port 0 was asked for, which is another one after each start.
  const size_t colon = address_.rfind(':');
  if (!address_.starts_with("unix:")) address_ = absl::StrCat(address_.substr(0, colon), ":", port);
  return true;
}

void FakeServices::Stop() {
  if (server_ == nullptr) return;
  server_->Shutdown(std::chrono::system_clock::now());
  server_ = nullptr;
}

std::shared_ptr<FakeConnection> FakeServices::NextConnection() ABSL_NO_THREAD_SAFETY_ANALYSIS {
  std::shared_ptr<FakeConnection> next;
  AwaitUnder(mu_, changed_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    if (waiting_.empty()) return false;
    next = std::move(waiting_.front());
    waiting_.pop_front();
    return true;
  });
  if (next == nullptr || !next->Await([](const auto& said) { return said.frames > 0; })) {
    return nullptr;
  }
  return next;
}

int FakeServices::connections() {
  platform::MutexLock lock(mu_);
  return connections_;
}

void FakeServices::OnPut(PutScript script) {
  platform::MutexLock lock(mu_);
  put_script_ = std::move(script);
}

grpc::Status FakeServices::TakeAll(const outputs::v1::PutRequest& request,
                                   outputs::v1::PutResponse& response) {
  platform::MutexLock lock(mu_);
  for (const auto& item : request.items()) {
    results_[item.lease_token()] = item.data();
    item_counts_[item.lease_token()] = item.item_count();
    response.add_results()->set_receipt("receipt of " + item.lease_token());
  }
  changed_.SignalAll();
  return grpc::Status::OK;
}

void FakeServices::OnPutItems(PutItemsScript script) {
  platform::MutexLock lock(mu_);
  put_items_script_ = std::move(script);
}

grpc::Status FakeServices::TakeItems(const outputs::v1::PutItemsRequest& request,
                                     outputs::v1::PutItemsResponse& response) {
  platform::MutexLock lock(mu_);
  for (const auto& batch : request.batches()) {
    std::vector<std::string>& items = items_[batch.lease_token()];
    auto& result = *response.add_results();
    if (batch.first_sequence() > items.size() + 1) {
      result.mutable_status()->set_code(grpc::StatusCode::FAILED_PRECONDITION);
      result.mutable_status()->set_reason("ITEM_GAP");
    }
    for (int i = 0; i < batch.items_size(); ++i) {
      const uint64_t sequence = batch.first_sequence() + static_cast<uint64_t>(i);
      if (sequence == items.size() + 1) items.push_back(batch.items(i).data());
    }
    result.set_durable_sequence(items.size());
  }
  changed_.SignalAll();
  return grpc::Status::OK;
}

std::vector<std::string> FakeServices::items(const std::string& lease_token) {
  platform::MutexLock lock(mu_);
  return items_[lease_token];
}

uint64_t FakeServices::item_count(const std::string& lease_token) {
  platform::MutexLock lock(mu_);
  return item_counts_[lease_token];
}

bool FakeServices::AwaitResult(const std::string& lease_token,
                               std::string* data) ABSL_NO_THREAD_SAFETY_ANALYSIS {
  return AwaitUnder(mu_, changed_, [&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto found = results_.find(lease_token);
    if (found == results_.end()) return false;
    if (data != nullptr) *data = found->second;
    return true;
  });
}

std::vector<int> FakeServices::put_sizes() {
  platform::MutexLock lock(mu_);
  return put_sizes_;
}

}  // namespace kantoku::testing
