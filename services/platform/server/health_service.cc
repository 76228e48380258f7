#include "services/platform/server/health_service.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

// One Watch. It writes the status that is the newest when the one before has left.
class HealthService::Watcher final : public StreamCall::Handler,
                                     public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(HealthService& health, WatchCall* call)
      : health_(health), call_(call), service_(call->request.service()) {}

  const std::string& service() const { return service_; }

  // Shows `status` unless it is the one shown last.
  void Show(Response::ServingStatus status) {
    {
      MutexLock lock(mutex_);
      if (ending_.has_value()) return;
      wanted_ = status;
    }
    Advance();
  }
  // Ends the stream after what is still to be shown.
  void End(const absl::Status& status) {
    {
      MutexLock lock(mutex_);
      if (!ending_.has_value()) ending_ = status;
    }
    Advance();
  }

 private:
  void OnWriteDone(bool ok) override {
    {
      MutexLock lock(mutex_);
      writing_ = false;
      if (!ok) wanted_ = shown_;
    }
    Advance();
  }
  void OnCancel() override {
    {
      MutexLock lock(mutex_);
      wanted_ = shown_;
    }
    End(Error(absl::StatusCode::kCancelled, "CLIENT_LEFT", "the client left"));
  }
  void OnRefused(const absl::Status& why) override { End(why); }
  void OnDone() override {
    MutexLock lock(health_.mutex_);
    health_.watchers_.erase(shared_from_this());
  }

  // Operations are started under the lock: none may be after Finish.
  void Advance() {
    MutexLock lock(mutex_);
    if (writing_ || finished_) return;
    if (wanted_ != shown_) {
      shown_ = wanted_;
      response_.set_status(*wanted_);
      writing_ = true;
      call_->StartWrite(&response_);
    } else if (ending_.has_value()) {
      finished_ = true;
      call_->Finish(*ending_);
    }
  }

  HealthService& health_;
  WatchCall* const call_;
  const std::string service_;
  Response response_;  // Belongs to gRPC while writing_.

  Mutex mutex_;
  std::optional<Response::ServingStatus> wanted_ ABSL_GUARDED_BY(mutex_);
  std::optional<Response::ServingStatus> shown_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> ending_ ABSL_GUARDED_BY(mutex_);
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

namespace {

constexpr size_t kMaxName = 1024;

absl::Status Stopping() {
  return Error(absl::StatusCode::kUnavailable, "STOPPING", "the server is about to stop");
}

}  // namespace

HealthService::HealthService() : Service("grpc.health.v1.Health") {
  Handle("Check", &HealthService::Check);
  Handle("Watch", &HealthService::Watch);
}

void HealthService::SetServing(const std::string& service, bool serving) {
  const auto status = serving ? Response::SERVING : Response::NOT_SERVING;
  // Under the lock, so that watchers hear of changes in their order.
  MutexLock lock(mutex_);
  if (stopped_) return;
  statuses_[service] = status;
  for (const auto& watcher : watchers_) {
    if (watcher->service() == service) watcher->Show(status);
  }
}

void HealthService::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  for (auto& [service, status] : statuses_) status = Response::NOT_SERVING;
  for (const auto& watcher : watchers_) watcher->Show(StatusOf(watcher->service()));
}

void HealthService::EndWatches() {
  MutexLock lock(mutex_);
  ending_ = true;
  for (const auto& watcher : watchers_) watcher->End(Stopping());
}

void HealthService::Check(UnaryCall* call, const Request* request, Response* response) {
  {
    MutexLock lock(mutex_);
    response->set_status(StatusOf(request->service()));
  }
  if (response->status() != Response::SERVICE_UNKNOWN) return call->Finish(absl::OkStatus());
  call->Finish(
      Error(absl::StatusCode::kNotFound, "UNKNOWN_SERVICE", "service: there is none of this name"));
}

void HealthService::Watch(WatchCall* call, const Request* request) {
  if (request->service().size() > kMaxName) {
    return call->Finish(Error(absl::StatusCode::kInvalidArgument, "TOO_LONG",
                              absl::StrCat("service: a name of more than ", kMaxName, " bytes")));
  }
  const auto watcher = std::make_shared<Watcher>(*this, call);
  call->Accept(*watcher);
  MutexLock lock(mutex_);
  watchers_.insert(watcher);
  watcher->Show(StatusOf(watcher->service()));
  if (ending_) watcher->End(Stopping());
}

HealthService::Response::ServingStatus HealthService::StatusOf(const std::string& service) const {
  const auto found = statuses_.find(service);
  return found == statuses_.end() ? Response::SERVICE_UNKNOWN : found->second;
}

}  // namespace kantoku::platform
