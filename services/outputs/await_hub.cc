#include "services/outputs/await_hub.h"

#include <algorithm>
#include <iterator>
#include <optional>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::TaskId;

constexpr size_t kCleanedUpAtOnce = 10'000;
constexpr size_t kNotWorthCompacting = 1024;

}  // namespace

AnswerBatch& Deliveries::For(const std::shared_ptr<AwaitSink>& sink) {
  if (records_ == nullptr) records_ = std::make_shared<std::string>();
  return batches_.try_emplace(sink, records_).first->second;
}

AnswerBatch::Record Deliveries::Keep(std::string_view record) {
  if (records_ == nullptr) records_ = std::make_shared<std::string>();
  const AnswerBatch::Record kept = {records_->size(), record.size()};
  records_->append(record);
  return kept;
}

bool Deliveries::Send(const AwaitSink* asking) {
  bool room = true;
  for (const auto& [sink, answers] : batches_) {
    if (!sink->Deliver(answers) && sink.get() == asking) room = false;
  }
  batches_.clear();
  records_ = nullptr;
  return room;
}

AwaitHub::StreamId AwaitHub::Open(std::shared_ptr<AwaitSink> sink) {
  const StreamId id = next_stream_++;
  streams_[id].sink = std::move(sink);
  return id;
}

void AwaitHub::Close(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  waiting_ -= found->second.waiting;
  if (found->second.waiting > 0) closed_.emplace_back(stream, std::move(found->second.tasks));
  streams_.erase(found);
}

void AwaitHub::FailAll(const absl::Status& status) {
  waiting_ = 0;
  waiters_.clear();
  closed_.clear();
  idle_.clear();
  Publish(0);
  for (const auto& [id, stream] : std::exchange(streams_, {})) stream.sink->Fail(status);
}

AwaitSink* AwaitHub::Find(StreamId stream) const {
  const auto found = streams_.find(stream);
  return found == streams_.end() ? nullptr : found->second.sink.get();
}

absl::Status AwaitHub::Add(StreamId stream, std::span<const TaskId> tasks,
                           std::vector<TaskId>& fresh) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return absl::OkStatus();
  Stream& into = found->second;
  if (into.waiting + tasks.size() > limits_.per_stream) {
    return platform::Error(absl::StatusCode::kResourceExhausted, "TOO_MANY_AWAITS",
                           absl::StrCat("task_ids: ", into.waiting, " wait and ", tasks.size(),
                                        " were added; a stream may have ", limits_.per_stream));
  }
  Publish(static_cast<int64_t>(waiting_ + deferred()));
  if (all_->value() + tasks.size() > limits_.in_all) {
    return platform::Error(
        absl::StatusCode::kResourceExhausted, "TOO_MANY_AWAITS",
        absl::StrCat("task_ids: ", tasks.size(), " more exceed the server's limit of ",
                     limits_.in_all, " that wait"));
  }
  for (const TaskId& task : tasks) {
    Waiters& waiters = waiters_[task];
    if (std::find(waiters.begin(), waiters.end(), stream) != waiters.end()) continue;
    waiters.push_back(stream);
    into.tasks.push_back(task);
    ++into.waiting;
    ++waiting_;
    fresh.push_back(task);
  }
  return absl::OkStatus();
}

void AwaitHub::Forget(StreamId stream, std::span<const TaskId> tasks) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  for (const TaskId& task : tasks) {
    if (!IsNoted(task, stream)) continue;
    Drop(task, stream);
    Answered(stream, found->second);
  }
}

void AwaitHub::EndWhenIdle(StreamId stream) {
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return;
  found->second.ends_when_idle = true;
  NoteIdle(stream, found->second);
}

void AwaitHub::NoteIdle(StreamId id, const Stream& stream) {
  if (stream.ends_when_idle && stream.waiting == 0) idle_.push_back(id);
}

void AwaitHub::Publish(int64_t awaited) {
  if (awaited != published_) all_->Add(awaited - std::exchange(published_, awaited));
}

std::vector<std::shared_ptr<AwaitSink>> AwaitHub::TakeIdle() {
  Publish(static_cast<int64_t>(waiting_ + deferred()));
  std::vector<std::shared_ptr<AwaitSink>> idle;
  for (const StreamId id : std::exchange(idle_, {})) {
    const auto found = streams_.find(id);
    if (found != streams_.end() && found->second.waiting == 0) idle.push_back(found->second.sink);
  }
  return idle;
}

void AwaitHub::Resolve(const StoredResult& result, AnswerBatch::Kind kind, std::string_view record,
                       Deliveries& deliveries) {
  std::optional<AnswerBatch::Record> kept;
  Release(result.task, [&](const std::shared_ptr<AwaitSink>& sink) {
    AnswerBatch& answers = deliveries.For(sink);
    if (sink->caller()->Sees(result.name_space, result.owner)) {
      if (!kept.has_value()) kept = deliveries.Keep(record);
      return answers.Add(result.task, kind, *kept);
    }
    answers.Add(result.task, AnswerBatch::Kind::kUnknown);
  });
}

void AwaitHub::Resolve(const TaskId& task, AnswerBatch::Kind kind, Deliveries& deliveries) {
  Release(task,
          [&](const std::shared_ptr<AwaitSink>& sink) { deliveries.For(sink).Add(task, kind); });
}

void AwaitHub::Resolve(const TaskId& task, StreamId stream, AnswerBatch::Kind kind,
                       Deliveries& deliveries) {
  if (!Waits(task, stream)) return;
  Stream& waiting = streams_.at(stream);
  Drop(task, stream);
  deliveries.For(waiting.sink).Add(task, kind);
  Answered(stream, waiting);
}

template <typename Answer>
void AwaitHub::Release(const TaskId& task, Answer answer) {
  const auto found = waiters_.find(task);
  if (found == waiters_.end()) return;
  const Waiters waiters = std::move(found->second);
  waiters_.erase(found);
  for (const StreamId id : waiters) {
    const auto stream = streams_.find(id);
    if (stream == streams_.end()) continue;  // Closed, and not cleaned up yet.
    answer(stream->second.sink);
    Answered(id, stream->second);
  }
}

bool AwaitHub::CleanUp() {
  for (size_t left = kCleanedUpAtOnce; left > 0 && !closed_.empty();) {
    auto& [stream, tasks] = closed_.front();
    for (; left > 0 && !tasks.empty(); --left, tasks.pop_back()) {
      if (IsNoted(tasks.back(), stream)) Drop(tasks.back(), stream);
    }
    if (tasks.empty()) closed_.pop_front();
  }
  return !closed_.empty();
}

bool AwaitHub::IsNoted(const TaskId& task, StreamId stream) const {
  const auto found = waiters_.find(task);
  return found != waiters_.end() &&
         std::find(found->second.begin(), found->second.end(), stream) != found->second.end();
}

std::span<const AwaitHub::StreamId> AwaitHub::WaitersFor(const TaskId& task) const {
  const auto found = waiters_.find(task);
  if (found == waiters_.end()) return {};
  return found->second;
}

void AwaitHub::Drop(const TaskId& task, StreamId stream) {
  const auto found = waiters_.find(task);
  Waiters& waiters = found->second;
  waiters.erase(std::find(waiters.begin(), waiters.end(), stream));
  if (waiters.empty()) waiters_.erase(found);
}

void AwaitHub::Answered(StreamId id, Stream& stream) {
  --stream.waiting;
  --waiting_;
  NoteIdle(id, stream);
  if (stream.tasks.size() < 2 * stream.waiting + kNotWorthCompacting) return;
  // A task that was answered and asked for again is in the list twice.
  // Mostly they are asked for in the order in which they were spawned, which their ids have.
  const auto bytes = [](const TaskId& task) { return task.bytes(); };
  if (!std::ranges::is_sorted(stream.tasks, {}, bytes)) std::ranges::sort(stream.tasks, {}, bytes);
  stream.tasks.erase(std::unique(stream.tasks.begin(), stream.tasks.end()), stream.tasks.end());
  std::erase_if(stream.tasks, [&](const TaskId& task) { return !IsNoted(task, id); });
  KANTOKU_CHECK(stream.tasks.size() == stream.waiting);
}

}  // namespace kantoku::outputs
