#include "services/inputs/pull_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/frame_reader.h"
#include "services/platform/identity/authenticator.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

// Those that are due so near to each other have their turns in one go.
constexpr absl::Duration kRound = absl::Milliseconds(10);
// Tasks are handed to the writer in portions, so that its messages stay near their usual size.
constexpr size_t kPortionBytes = size_t{256} << 10;
// Dispatches are a third of it at most.
constexpr size_t kMaxUnsentBytes = size_t{96} << 20;
constexpr size_t kMaxUnappliedBytes = size_t{1} << 20;

}  // namespace

PullStream::PullStream(Call* call, platform::CallMonitor::Method& method,
                       std::shared_ptr<const platform::Identity> caller,
                       std::shared_ptr<Partition> partition, const platform::MacKeys& keys,
                       const std::set<std::string>& namespaces)
    : CoalescingStream(call, method, {.max_pending_bytes = SIZE_MAX}),
      caller_(std::move(caller)),
      partition_(std::move(partition)),
      keys_(keys),
      namespaces_(namespaces) {}

bool PullStream::CountUnsent(size_t bytes) {
  if ((unsent_ += bytes) <= kMaxUnsentBytes) return true;
  Abort(platform::Error(absl::StatusCode::kResourceExhausted, "EXECUTOR_DOES_NOT_READ",
                        "the executor reads more slowly than it asks"));
  return false;
}

template <typename Fill>
void PullStream::Say(size_t bytes, Fill&& fill) {
  if (CountUnsent(bytes)) (void)Post(bytes, std::forward<Fill>(fill));
}

void PullStream::OnRequest(platform::Received<v1::PullRequest>& request) {
  const bool first = connection_ == 0;
  silence_.OnHeard();
  auto frame = ReadFrame(request, *caller_, first, keys_);
  if (!frame.ok()) return Close(frame.status());
  if (first) {
    const absl::Status may = platform::CheckMayUse(*caller_, frame->hello->name_space);
    if (!may.ok()) return Close(platform::Annotate(may, "hello.namespace"));
    if (!namespaces_.contains(frame->hello->name_space)) {
      return Close(platform::Error(
          absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE",
          absl::StrCat("hello.namespace: there is no \"", frame->hello->name_space, "\"")));
    }
    const auto connection =
        partition_->Connect(std::static_pointer_cast<PullStream>(shared_from_this()));
    if (!connection.ok()) return Close(connection.status());
    connection_ = *connection;
    phase_ = Phase::kGreeting;
  }
  if (request.message.has_ping()) {
    const uint64_t number = request.message.ping().number();
    Say(16, [number](v1::PullResponse& frame) { frame.mutable_pong()->set_number(number); });
  }
  if (unapplied_bytes_.fetch_add(frame->bytes) + frame->bytes > kMaxUnappliedBytes) {
    // In this order, and before the frame is handed over: whoever applies it finds the mark.
    PauseReading();
    paused_ = true;
  }
  NoteRefused(*frame);
  const absl::Status taken = partition_->Receive(connection_, *std::move(frame));
  if (!taken.ok()) Close(taken);
}

void PullStream::NoteRefused(const SessionFrame& frame) const {
  NoteRefusedItem(frame.refused, &SessionFrame::Refusal::status);
  if (!frame.hello.has_value()) return;
  NoteRefusedItem(frame.hello->held, [](const HeldDispatch& held) {
    return held.disproved ? NotProven("hello.held.receipt", held.task, held.dispatch)
                          : absl::OkStatus();
  });
}

void PullStream::OnEnded(const absl::Status& status) {
  if (connection_ == 0) return;
  if (platform::IsExpulsion(status)) {
    partition_->Refuse(connection_, status);
  } else {
    partition_->Disconnect(connection_);
  }
}

void PullStream::Send(v1::PullResponse& frame) {
  google::protobuf::RepeatedPtrField<v1::Dispatch> tasks;
  tasks.Swap(frame.mutable_tasks());
  int sent = 0;
  // With the first tasks, in one message: a welcome is in the first.
  if (const size_t rest = frame.ByteSizeLong(); rest > 0 && CountUnsent(rest)) {
    PostPortion(tasks, sent, rest, &frame);
  }
  if (frame.has_welcome()) phase_ = Phase::kWelcomed;
  while (sent < tasks.size()) PostPortion(tasks, sent, 0, nullptr);
  tasks.Swap(frame.mutable_tasks());
}

void PullStream::PostPortion(const google::protobuf::RepeatedPtrField<v1::Dispatch>& tasks,
                             int& sent, size_t bytes, const v1::PullResponse* rest) {
  const int begin = sent;
  const size_t most = bytes + kPortionBytes;
  // The tasks were counted when they were expected.
  while (sent < tasks.size() && (sent == begin || bytes < most)) bytes += WeightOf(tasks[sent++]);
  (void)PostEncoded(bytes, [&](platform::Encoded<v1::PullResponse>& next) {
    if (rest != nullptr) next.Merge(*rest);
    for (int i = begin; i < sent; ++i) {
      next.AddItem(v1::PullResponse::kTasksFieldNumber, tasks[i]);
    }
  });
}

void PullStream::NotifyDrained(size_t bytes, absl::AnyInvocable<void()> drained) {
  {
    platform::MutexLock lock(drain_mutex_);
    drain_bytes_ = bytes;
    drained_ = std::move(drained);
  }
  OnWritten(0);
}

void PullStream::OnWritten(size_t bytes) {
  unsent_ -= bytes;
  absl::AnyInvocable<void()> drained;
  {
    platform::MutexLock lock(drain_mutex_);
    if (drained_ == nullptr || unsent_ > drain_bytes_) return;
    drained = std::exchange(drained_, nullptr);
  }
  drained();
}

void PullStream::OnApplied(size_t bytes) {
  if (unapplied_bytes_.fetch_sub(bytes) - bytes > kMaxUnappliedBytes) return;
  if (paused_.exchange(false)) ResumeReading();
}

void PullStream::Close(const absl::Status& status) { CoalescingStream::Close(status); }

void PullStream::TakeTurn() {
  if (paused_) return;                     // What it said may be there, unread.
  if (phase_ == Phase::kGreeting) return;  // It is for us to speak.
  const Silence::Turn turn = silence_.OnTurn();
  if (turn == Silence::Turn::kLost) {
    return Abort(platform::Error(absl::StatusCode::kUnavailable, "PINGS_UNANSWERED",
                                 "nothing was heard, and pings went unanswered"));
  }
  if (turn == Silence::Turn::kNothing) return;
  if (phase_ == Phase::kSilent) return;  // A ping is not heard before the welcome; the time counts.
  const uint64_t number = ++pings_;
  Say(16, [number](v1::PullResponse& frame) { frame.mutable_ping()->set_number(number); });
}

PullStreams::PullStreams(platform::Clock& clock, absl::Duration interval)
    : clock_(clock), streams_(interval), thread_([this] { Run(); }) {}

PullStreams::~PullStreams() { Stop(absl::CancelledError("stopped")); }

void PullStreams::Add(const std::shared_ptr<PullStream>& stream) {
  std::optional<absl::Status> stopped_with;
  {
    platform::MutexLock lock(mutex_);
    const absl::Duration next = streams_.next();
    streams_.Add(stream, clock_.Read().steady);
    if (streams_.next() < next) changed_.SignalAll();
    stopped_with = stopped_with_;
  }
  if (stopped_with.has_value()) stream->Abort(*stopped_with);
}

void PullStreams::Stop(const absl::Status& status) {
  {
    platform::MutexLock lock(mutex_);
    if (!stopped_with_.has_value()) stopped_with_ = status;
  }
  changed_.SignalAll();
  if (thread_.joinable()) thread_.join();
  std::vector<std::weak_ptr<PullStream>> all;
  {
    platform::MutexLock lock(mutex_);
    all = streams_.Clear();
  }
  for (const auto& each : all) {
    if (const auto stream = each.lock()) stream->Abort(status);
  }
}

void PullStreams::Run() {
  for (absl::Duration earliest; AwaitDue(earliest);) {
    const absl::Duration now = clock_.Read().steady;
    for (const auto& stream : TakeDue(now)) stream->TakeTurn();
    earliest = now + kRound;
  }
}

bool PullStreams::AwaitDue(absl::Duration earliest) {
  platform::MutexLock lock(mutex_);
  while (!stopped_with_.has_value()) {
    const absl::Duration due = std::max(earliest, streams_.next());
    if (clock_.Read().steady >= due) return true;
    clock_.Wait(mutex_, changed_, due);
  }
  return false;
}

std::vector<std::shared_ptr<PullStream>> PullStreams::TakeDue(absl::Duration now) {
  platform::MutexLock lock(mutex_);
  std::vector<std::shared_ptr<PullStream>> living;
  while (auto due = streams_.Take(now)) {
    auto stream = due->who.lock();
    if (stream == nullptr) continue;
    living.push_back(std::move(stream));
    streams_.Repeat(*std::move(due), now);
  }
  return living;
}

}  // namespace kantoku::inputs
