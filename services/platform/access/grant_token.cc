#include "services/platform/access/grant_token.h"

#include <grpcpp/client_context.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "kantoku/auth/v1/grants.grpc.pb.h"
#include "services/platform/mutex.h"
#include "services/platform/oauth/refreshing_token.h"
#include "services/platform/proto_time.h"
#include "services/platform/random.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(20);
// For a token that may come later, too: most servers answer at once.
constexpr absl::Duration kMoment = absl::Seconds(2);

// Exchanges a grant, one call at a time, until it is stopped.
class GrantExchange {
 public:
  // The first fetch takes no longer than `patience`.
  GrantExchange(const std::shared_ptr<grpc::Channel>& channel, const Access& access,
                absl::Duration patience, Clock& clock)
      : stub_(auth::v1::GrantsService::NewStub(channel)), clock_(clock), patience_(patience) {
    request_.set_id(access.grant);
    request_.set_secret(access.secret);
    request_.set_holder_secret(access.holder_secret);
  }

  absl::StatusOr<AccessToken> Fetch() {
    grpc::ClientContext context;
    const absl::Duration patience = std::exchange(patience_, kPatience);
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMicroseconds(patience));
    context.set_wait_for_ready(true);
    {
      MutexLock lock(mutex_);
      if (stopped_) return absl::CancelledError("stopped");
      call_ = &context;
    }
    auth::v1::ExchangeGrantResponse response;
    const absl::Time asked = clock_.Read().wall;
    const absl::Status status = FromGrpc(stub_->ExchangeGrant(&context, request_, &response));
    {
      MutexLock lock(mutex_);
      call_ = nullptr;
    }
    if (absl::IsDeadlineExceeded(status)) {
      return Error(absl::StatusCode::kUnavailable, "UNREACHABLE",
                   "the server does not answer, or its certificate is not as it should be");
    }
    if (!status.ok()) return status;
    KANTOKU_RETURN_IF_ERROR(CheckToken(response.access_token()));
    return AccessToken{.text = response.access_token(),
                       .expires = asked + FromProto(response.lifetime())};
  }

  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    if (call_ != nullptr) call_->TryCancel();
  }

 private:
  const std::unique_ptr<auth::v1::GrantsService::Stub> stub_;
  Clock& clock_;
  auth::v1::ExchangeGrantRequest request_;
  absl::Duration patience_;

  Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* call_ ABSL_GUARDED_BY(mutex_) = nullptr;  // While one is under way.
};

}  // namespace

absl::StatusOr<std::shared_ptr<TokenSource>> OpenGrantToken(
    const std::shared_ptr<grpc::Channel>& channel, const Access& access, const TokenWait& wait,
    Clock& clock) {
  const absl::Duration patience =
      wait.may_come_later ? kMoment : std::min(wait.patience, kPatience);
  const auto exchange = std::make_shared<GrantExchange>(channel, access, patience, clock);
  RefreshingTokenOptions options;
  options.fetch = [exchange] { return exchange->Fetch(); };
  options.stop = [exchange] { exchange->Stop(); };
  options.random = SystemRandom;
  options.first_may_come_later = wait.may_come_later;
  return OpenRefreshingToken(std::move(options), clock);
}

}  // namespace kantoku::platform
