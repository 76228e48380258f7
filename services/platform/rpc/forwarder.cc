#include "services/platform/rpc/forwarder.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/rpc/service_identity.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// By these the other one knows who calls. Those that are binary by name may hold any bytes.
constexpr char kAuthorization[] = "authorization";
// Of replicas that came and went. Who has one of them in use holds it.
constexpr size_t kMaxChannels = 64;
// Calls are on their way to those who have just left; of earlier ones nobody speaks any more.
constexpr size_t kMaxGivenUp = 64;

absl::Status OwnerLeft(const std::string& address) {
  return Error(absl::StatusCode::kUnavailable, "OWNER_LEFT",
               absl::StrCat("the replica at ", address, " is gone: repeat"));
}

// What gRPC sends as text. Other bytes it takes from a connection, but ends the program that is to
// send them; no token has any.
bool IsText(const grpc::string_ref& value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

}  // namespace

absl::Status NotHere(std::string_view what) {
  return Error(absl::StatusCode::kUnavailable, "NOT_OWNER",
               absl::StrCat(ToAbsl(what), " is not here, and is being looked for: repeat"));
}

// One call with one answer.
class Forwarder::UnaryCall final : public Outgoing {
 public:
  // When the server's call is over, gRPC cancels this one.
  UnaryCall(const Forwarder& forwarder, const grpc::ServerContextBase& call, uint32_t partition,
            AnswerDone done)
      : Outgoing(Kind::kUnary),
        context_(grpc::ClientContext::FromServerContext(call,
                                                        grpc::PropagationOptions()
                                                            .disable_deadline_propagation()
                                                            .disable_census_stats_propagation()
                                                            .disable_census_tracing_propagation())),
        done_(std::move(done)) {
    forwarder.PassOn(call, partition, *context_);
  }

  void CutOff() override { context_->TryCancel(); }

  void Start(Forwarder& forwarder, const std::shared_ptr<grpc::Channel>& channel,
             const std::string& path, const grpc::ByteBuffer& request) {
    auto reader = grpc::GenericStub(channel).PrepareUnaryCall(context_.get(), path, request,
                                                              forwarder.queue_.get());
    reader->StartCall();
    ReceiveAnswer<grpc::ByteBuffer>(
        forwarder.queue_, std::move(reader), &answer_,
        [this, &forwarder](const absl::Status& status) { End(forwarder, status); });
  }
  void Refuse(const absl::Status& why) { done_(why, answer_); }

 private:
  void End(Forwarder& forwarder, const absl::Status& status) {
    const std::unique_ptr<UnaryCall> self(this);
    done_(forwarder.Settle(*this, status), answer_);
    forwarder.Ended();
  }

  const std::unique_ptr<grpc::ClientContext> context_;
  grpc::ByteBuffer answer_;
  AnswerDone done_;
};

Forwarder::Forwarder(Connect connect, const MacKeys& keys, Clock& clock)
    : connect_(std::move(connect)), keys_(keys), clock_(clock) {
  queue_.Start();
}

Forwarder::~Forwarder() { Stop(); }

void Forwarder::PassOn(const grpc::ServerContextBase& call, uint32_t partition,
                       grpc::ClientContext& context, std::string_view token) const {
  const auto& metadata = call.client_metadata();
  if (!token.empty()) context.AddMetadata(kAuthorization, absl::StrCat("Bearer ", ToAbsl(token)));
  for (auto [entry, end] = metadata.equal_range(kAuthorization); entry != end; ++entry) {
    if (token.empty() && IsText(entry->second)) {
      context.AddMetadata(kAuthorization, {entry->second.data(), entry->second.size()});
    }
  }
  for (auto [entry, end] = metadata.equal_range(kServiceMetadataKey); entry != end; ++entry) {
    context.AddMetadata(kServiceMetadataKey, {entry->second.data(), entry->second.size()});
  }
  PresentAsForwarded(context, keys_, partition, clock_.Read().wall);
  context.set_deadline(call.raw_deadline());
}

void Forwarder::ForwardBytes(const grpc::ServerContextBase& call, const std::string& path,
                             const Target& target, const grpc::ByteBuffer& request,
                             AnswerDone done) {
  auto outgoing = std::make_unique<UnaryCall>(*this, call, target.partition, std::move(done));
  const auto channel = Begin(*outgoing, target.address);
  if (!channel.ok()) return outgoing->Refuse(channel.status());
  outgoing.release()->Start(*this, *channel, path, request);
}

void Forwarder::SetOthers(const std::vector<Replica>& others) {
  std::set<std::string> addresses;
  for (const Replica& other : others) addresses.insert(other.address);
  std::vector<std::string> gone;
  {
    MutexLock lock(mutex_);
    std::set_difference(others_.begin(), others_.end(), addresses.begin(), addresses.end(),
                        std::back_inserter(gone));
    for (const std::string& address : addresses) given_up_.erase(address);
    others_ = std::move(addresses);
  }
  for (const std::string& address : gone) GiveUp(address);
}

void Forwarder::GiveUp(const std::string& address) {
  MutexLock lock(mutex_);
  channels_.erase(address);
  if (given_up_.size() >= kMaxGivenUp) given_up_.clear();
  given_up_.insert(address);
  CutOffWhere([&](const Outgoing& call) { return call.address_ == address; }, OwnerLeft(address));
}

void Forwarder::Drain() {
  MutexLock lock(mutex_);
  if (!no_relays_.ok()) return;
  no_relays_ = Error(absl::StatusCode::kUnavailable, "DRAINING", "the server is draining");
  CutOffWhere([](const Outgoing& call) { return call.kind_ == Outgoing::Kind::kRelay; },
              no_relays_);
}

void Forwarder::Stop() {
  {
    MutexLock lock(mutex_);
    no_calls_ = Error(absl::StatusCode::kUnavailable, "STOPPING", "the server is stopping");
    CutOffWhere([](const Outgoing&) { return true; }, no_calls_);
  }
  queue_.Stop();
}

void Forwarder::CutOffWhere(absl::FunctionRef<bool(const Outgoing&)> applies,
                            const absl::Status& why) {
  for (Outgoing* const call : calls_) {
    if (!call->cut_.ok() || !applies(*call)) continue;
    call->cut_ = why;
    call->CutOff();
  }
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Forwarder::Begin(Outgoing& call,
                                                                const std::string& address) {
  {
    MutexLock lock(mutex_);
    KANTOKU_RETURN_IF_ERROR(MayBegin(call, address));
  }
  KANTOKU_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, ChannelTo(address));
  MutexLock lock(mutex_);
  KANTOKU_RETURN_IF_ERROR(MayBegin(call, address));
  call.address_ = address;
  calls_.insert(&call);
  queue_.CallBegan();  // Under the lock: the queue takes none after Stop.
  return channel;
}

absl::Status Forwarder::MayBegin(const Outgoing& call, const std::string& address) const {
  KANTOKU_RETURN_IF_ERROR(no_calls_);
  if (call.kind_ == Outgoing::Kind::kRelay) KANTOKU_RETURN_IF_ERROR(no_relays_);
  return given_up_.contains(address) ? OwnerLeft(address) : absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Forwarder::ChannelTo(const std::string& address) {
  {
    MutexLock lock(mutex_);
    const auto known = channels_.find(address);
    if (known != channels_.end()) return known->second;
  }
  KANTOKU_ASSIGN_OR_RETURN(std::shared_ptr<grpc::Channel> channel, connect_(address));
  MutexLock lock(mutex_);
  if (given_up_.contains(address)) return OwnerLeft(address);
  if (channels_.size() >= kMaxChannels) channels_.clear();
  return channels_.emplace(address, std::move(channel)).first->second;
}

absl::Status Forwarder::Settle(Outgoing& call, const absl::Status& status) {
  MutexLock lock(mutex_);
  calls_.erase(&call);
  if (status.ok()) return status;
  return call.cut_.ok() ? ToldElsewhere(status) : call.cut_;
}

}  // namespace kantoku::platform
