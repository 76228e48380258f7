#include "services/inputs/pull_stream.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/frame_reader.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

constexpr int kMaxUnanswered = 3;
// Tasks are handed to the writer in portions, so that its messages stay near their usual size.
constexpr size_t kPortionBytes = size_t{256} << 10;

}  // namespace

PullStream::PullStream(grpc::CallbackServerContext* context, platform::CallMonitor::Method& method,
                       platform::Caller caller, Partition& partition, const platform::MacKeys& keys,
                       const std::set<std::string>& namespaces)
    : CoalescingBidiReactor(context, method, {.max_pending_bytes = SIZE_MAX}),
      caller_(std::move(caller)),
      partition_(partition),
      keys_(keys),
      namespaces_(namespaces) {}

void PullStream::OnRequest(v1::PullRequest& request) {
  const bool first = connection_ == 0;
  unanswered_ = 0;
  auto frame = ReadFrame(request, caller_, first, keys_);
  if (!frame.ok()) return Close(frame.status());
  if (first) {
    if (!namespaces_.contains(frame->hello->name_space)) {
      return Close(platform::Error(
          absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE",
          absl::StrCat("hello.namespace: there is no \"", frame->hello->name_space, "\"")));
    }
    connection_ = partition_.Connect(std::static_pointer_cast<PullStream>(shared_from_this()));
  }
  if (request.has_ping()) {
    const uint64_t number = request.ping().number();
    (void)Post(16, [number](v1::PullResponse& frame) { frame.mutable_pong()->set_number(number); });
  }
  partition_.Receive(connection_, *std::move(frame));
}

void PullStream::OnEnded(const absl::Status&) {
  if (connection_ != 0) partition_.Disconnect(connection_);
}

void PullStream::Send(v1::PullResponse frame) {
  google::protobuf::RepeatedPtrField<v1::Dispatch> tasks;
  tasks.Swap(frame.mutable_tasks());
  (void)Post(frame.ByteSizeLong(), [&](v1::PullResponse& pending) { pending.MergeFrom(frame); });
  for (int begin = 0, end = 0; begin < tasks.size(); begin = end) {
    size_t bytes = 0;
    while (end < tasks.size() && (end == begin || bytes < kPortionBytes)) {
      bytes += tasks[end++].ByteSizeLong();
    }
    (void)Post(bytes, [&](v1::PullResponse& pending) {
      for (int i = begin; i < end; ++i) pending.mutable_tasks()->Add(std::move(tasks[i]));
    });
  }
}

void PullStream::Close(const absl::Status& status) { CoalescingBidiReactor::Close(status); }

void PullStream::Ping() {
  if (unanswered_.fetch_add(1) >= kMaxUnanswered) {
    return Abort(platform::Error(absl::StatusCode::kUnavailable, "PINGS_UNANSWERED",
                                 "three pings went unanswered"));
  }
  const uint64_t number = ++pings_;
  (void)Post(16, [number](v1::PullResponse& frame) { frame.mutable_ping()->set_number(number); });
}

PullStreams::PullStreams(platform::Clock& clock, absl::Duration interval)
    : clock_(clock), interval_(interval), thread_([this] { Run(); }) {}

PullStreams::~PullStreams() { Stop(absl::CancelledError("stopped")); }

void PullStreams::Add(std::weak_ptr<PullStream> stream) {
  platform::MutexLock lock(mutex_);
  streams_.push_back(std::move(stream));
}

void PullStreams::Stop(const absl::Status& status) {
  {
    platform::MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.SignalAll();
  if (thread_.joinable()) thread_.join();
  for (const auto& stream : Living()) stream->Abort(status);
}

void PullStreams::Run() {
  for (;;) {
    {
      platform::MutexLock lock(mutex_);
      const absl::Duration next = clock_.Read().steady + interval_;
      while (!stopping_ && clock_.Read().steady < next) clock_.Wait(mutex_, stopped_, next);
      if (stopping_) return;
    }
    for (const auto& stream : Living()) stream->Ping();
  }
}

std::vector<std::shared_ptr<PullStream>> PullStreams::Living() {
  platform::MutexLock lock(mutex_);
  std::vector<std::shared_ptr<PullStream>> living;
  std::erase_if(streams_, [&](const std::weak_ptr<PullStream>& stream) {
    if (auto strong = stream.lock()) living.push_back(std::move(strong));
    return stream.expired();
  });
  return living;
}

}  // namespace kantoku::inputs
