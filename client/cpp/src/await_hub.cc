#include "client/cpp/src/await_hub.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/convert.h"
#include "services/platform/rpc/client_call.h"
#include "services/platform/rpc/stream_token.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

namespace pb = ::kantoku::outputs::v1;

constexpr int kMaxIdsPerRequest = 10'000;

absl::Status Closed() {
  return platform::Error(absl::StatusCode::kCancelled, "CLIENT_CLOSED", "the client was closed");
}

}  // namespace

// One connection of the hub. Owned by it and by the call set, by this until OnDone.
class AwaitHub::Stream final : private platform::ClientStream::Handler, public Cancellable {
 public:
  explicit Stream(AwaitHub& hub)
      : hub_(hub), token_(hub.tokens_), stream_(hub.runtime_.queue, *this) {}

  // With the first write, which is claimed.
  void Open() {
    token_.Opens();
    stream_.Open([this](auto* context, auto* queue) {
      return hub_.stub_.PrepareAsyncAwait(context, queue);
    });
    stream_.StartRead(&response_);
    stream_.StartWrite(request);
  }

  // Under the hub's mutex, while the stream is not broken; then, without it, Open or Write.
  void Claim() { stream_.Claim(); }
  void Write() { stream_.StartWrite(request); }

  void Cancel() override { stream_.Cancel(); }

  pb::AwaitRequest request;  // Belongs to gRPC while `writing`.
  // Guarded by the hub's mutex.
  bool writing = true;
  bool broken = false;
  std::string newer_token;  // To be shown; empty: none.

 private:
  void OnReadDone(bool ok) override {
    const LibraryThreadScope scope;
    if (!ok) return hub_.OnReadsEnded(*this);
    hub_.OnResponse(*this, response_, response_.has_token_wanted() ? token_.Newer() : "");
    stream_.StartRead(&response_);
  }
  void OnWriteDone(bool ok) override {
    const LibraryThreadScope scope;
    hub_.OnWritten(*this, ok);
  }
  void OnDone(const absl::Status& status) override {
    const LibraryThreadScope scope;
    hub_.OnEnded(*this, status);
    hub_.runtime_.calls.Remove(this);  // May destroy this.
  }

  AwaitHub& hub_;
  platform::StreamToken token_;
  platform::ClientBidiStream<pb::AwaitRequest, pb::AwaitResponse> stream_;
  pb::AwaitResponse response_;
};

void AwaitHub::Await(TaskId id, absl::Duration timeout, Done done) {
  {
    platform::MutexLock lock(mutex_);
    if (!closed_) AddWaiter(id, timeout, std::exchange(done, nullptr));
  }
  if (done != nullptr) return done(Closed());
  Advance();
}

void AwaitHub::AddWaiter(TaskId id, absl::Duration timeout, Done done) {
  Future& future = futures_[id];
  const uint64_t number = ++last_number_;
  const Timer::Id timer =
      runtime_.timer.After(timeout, [this, id, number, timeout] { Expire(id, number, timeout); });
  future.waiters.push_back({number, std::move(done), timer});
  if (!future.sent) to_send_.push_back(id);
}

void AwaitHub::Close() {
  std::vector<Answer> answers;
  {
    platform::MutexLock lock(mutex_);
    closed_ = true;
    answers = TakeAll(Closed());
  }
  Tell(std::move(answers));
}

void AwaitHub::Advance() {
  std::shared_ptr<Stream> opened;
  std::shared_ptr<Stream> written;
  {
    platform::MutexLock lock(mutex_);
    if (closed_ || pausing_) return;
    if (stream_ == nullptr) {
      if (to_send_.empty() && to_forget_.empty()) return;
      auto stream = std::make_shared<Stream>(*this);
      if (!TakeRequest(*stream) || !runtime_.calls.Add(stream)) return;
      stream->Claim();
      stream_ = opened = std::move(stream);
    } else if (!stream_->writing && !stream_->broken && TakeRequest(*stream_)) {
      stream_->writing = true;
      stream_->Claim();
      written = stream_;
    }
  }
  if (opened != nullptr) opened->Open();
  if (written != nullptr) written->Write();
}

// False when there is nothing to say.
bool AwaitHub::TakeRequest(Stream& stream) {
  pb::AwaitRequest& request = stream.request;
  request.Clear();
  request.set_access_token(std::exchange(stream.newer_token, {}));
  TakeForgets(request);
  while (!to_send_.empty() && open_ < window_ &&
         request.task_ids_size() + request.forget_size() < kMaxIdsPerRequest) {
    const TaskId id = to_send_.front();
    to_send_.pop_front();
    const auto found = futures_.find(id);
    if (found == futures_.end() || found->second.sent) continue;
    found->second.sent = true;
    ++open_;
    request.add_task_ids(id.bytes().data(), TaskId::kSize);
  }
  return request.task_ids_size() + request.forget_size() > 0 || !request.access_token().empty();
}

void AwaitHub::TakeForgets(pb::AwaitRequest& request) {
  while (!to_forget_.empty() && request.forget_size() < kMaxIdsPerRequest) {
    const TaskId id = to_forget_.front();
    to_forget_.pop_front();
    const auto found = futures_.find(id);
    if (found == futures_.end() || !found->second.waiters.empty()) continue;
    request.add_forget(id.bytes().data(), TaskId::kSize);
    --open_;
    futures_.erase(found);
  }
}

void AwaitHub::Expire(TaskId id, uint64_t number, absl::Duration timeout) {
  Done done;
  {
    platform::MutexLock lock(mutex_);
    const auto found = futures_.find(id);
    if (found == futures_.end()) return;
    auto& waiters = found->second.waiters;
    const auto waiter = std::find_if(waiters.begin(), waiters.end(),
                                     [number](const Waiter& w) { return w.number == number; });
    if (waiter == waiters.end()) return;
    done = std::move(waiter->done);
    waiters.erase(waiter);
    if (waiters.empty()) {
      if (found->second.sent) {
        to_forget_.push_back(id);
      } else {
        futures_.erase(found);
      }
    }
  }
  Advance();
  done(platform::Error(absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
                       absl::StrCat("task ", id.ToString(), " has not ended within ",
                                    absl::FormatDuration(timeout))));
}

void AwaitHub::OnResponse(Stream& stream, pb::AwaitResponse& response, std::string newer_token) {
  std::vector<Answer> answers;
  {
    platform::MutexLock lock(mutex_);
    failures_ = 0;
    if (!newer_token.empty()) stream.newer_token = std::move(newer_token);
    answers = TakeResults(response);
  }
  Advance();
  Tell(std::move(answers));
}

std::vector<AwaitHub::Answer> AwaitHub::TakeResults(pb::AwaitResponse& response) {
  std::vector<Answer> answers;
  for (pb::AwaitResult& result : *response.mutable_results()) {
    const auto id = TaskId::FromBytes(result.task_id());
    if (!id.ok()) continue;
    const auto found = futures_.find(*id);
    if (found == futures_.end()) continue;
    std::vector<Waiter> waiters = std::move(found->second.waiters);
    if (found->second.sent) --open_;
    window_ = std::min(max_open_, window_ + 1);
    futures_.erase(found);
    if (waiters.empty()) continue;
    absl::StatusOr<Output> output =
        ToOutput(*id, result.status(), std::move(*result.mutable_result()));
    for (const Waiter& waiter : waiters) runtime_.timer.Cancel(waiter.timer);
    for (size_t i = 0; i + 1 < waiters.size(); ++i) {
      answers.push_back({std::move(waiters[i].done), output});
    }
    answers.push_back({std::move(waiters.back().done), std::move(output)});
  }
  return answers;
}

void AwaitHub::OnWritten(Stream& stream, bool ok) {
  {
    platform::MutexLock lock(mutex_);
    stream.writing = false;
    stream.broken = stream.broken || !ok;
    if (ok) unreachable_since_ = absl::InfiniteDuration();
  }
  Advance();
}

void AwaitHub::OnReadsEnded(Stream& stream) {
  platform::MutexLock lock(mutex_);
  stream.broken = true;
}

void AwaitHub::OnEnded(Stream& stream, const absl::Status& status) {
  std::vector<Answer> answers;
  {
    platform::MutexLock lock(mutex_);
    if (stream_.get() != &stream || closed_) return;
    stream_ = nullptr;
    if (platform::ReasonOf(status) == "TOO_MANY_AWAITS") {
      window_ = std::max<size_t>(1, std::min(window_, open_) / 2);
    }
    open_ = 0;
    to_send_.clear();
    to_forget_.clear();
    for (auto future = futures_.begin(); future != futures_.end();) {
      const auto current = future++;
      if (current->second.waiters.empty()) {
        futures_.erase(current);
        continue;
      }
      current->second.sent = false;
      to_send_.push_back(current->first);
    }
    if (!futures_.empty()) answers = Reopen(status);
  }
  Tell(std::move(answers));
}

std::vector<AwaitHub::Answer> AwaitHub::Reopen(const absl::Status& status) {
  const absl::Duration now = runtime_.environment.clock.Read().steady;
  unreachable_since_ = std::min(unreachable_since_, now);
  if (IsPermanent(status)) return TakeAll(status);
  const absl::Duration pause = PauseAfter(status, ++failures_, runtime_.environment.random());
  if (now + pause - unreachable_since_ >= retry_for_) {
    failures_ = 0;
    unreachable_since_ = absl::InfiniteDuration();
    return TakeAll(
        platform::Error(absl::StatusCode::kUnavailable, platform::ReasonOf(status),
                        absl::StrCat("outputs could not be reached for ",
                                     absl::FormatDuration(retry_for_), ": ", status.message())));
  }
  pausing_ = true;
  runtime_.timer.After(pause, [this] {
    {
      platform::MutexLock lock(mutex_);
      pausing_ = false;
    }
    Advance();
  });
  return {};
}

std::vector<AwaitHub::Answer> AwaitHub::TakeAll(const absl::Status& status) {
  std::vector<Answer> answers;
  for (auto& [id, future] : futures_) {
    for (Waiter& waiter : future.waiters) {
      runtime_.timer.Cancel(waiter.timer);
      answers.push_back({std::move(waiter.done), status});
    }
  }
  futures_.clear();
  to_send_.clear();
  to_forget_.clear();
  open_ = 0;
  return answers;
}

void AwaitHub::Tell(std::vector<Answer> answers) {
  for (Answer& answer : answers) answer.done(std::move(answer.output));
}

}  // namespace kantoku::internal
