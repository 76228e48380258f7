#ifndef KANTOKU_SERVICES_OUTPUTS_AWAIT_HUB_H_
#define KANTOKU_SERVICES_OUTPUTS_AWAIT_HUB_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/status/status.h"
#include "services/outputs/result_codec.h"
#include "services/platform/identity/identity.h"
#include "services/platform/ids.h"

namespace kantoku::outputs {

// Answers for one stream. Their records lie together in one piece of memory, once for all streams.
//
// Thread-compatible.
class AnswerBatch {
 public:
  enum class Kind : uint8_t {
    kResult,
    kUnknown,  // Nobody knows the task, or the caller may not.
    kGone,     // It ended, and its result is no longer kept.
    kDamaged,  // Its result cannot be read.
  };
  struct Answer {
    platform::TaskId task;
    Kind kind;
    size_t offset;
    size_t size;
  };

  // Where a record lies.
  struct Record {
    size_t offset;
    size_t size;
  };

  explicit AnswerBatch(std::shared_ptr<const std::string> records) : records_(std::move(records)) {}

  void Add(const platform::TaskId& task, Kind kind, Record record = {}) {
    answers_.push_back({task, kind, record.offset, record.size});
  }

  const std::vector<Answer>& answers() const { return answers_; }
  // The encoded result; empty unless kResult.
  std::string_view record(const Answer& answer) const {
    return std::string_view(*records_).substr(answer.offset, answer.size);
  }

 private:
  std::vector<Answer> answers_;
  std::shared_ptr<const std::string> records_;
};

// Where the answers of one stream go.
//
// Thread-safe.
class AwaitSink {
 public:
  virtual ~AwaitSink() = default;

  virtual const std::shared_ptr<const platform::Identity>& caller() const = 0;
  // Sends answers and does not block. False when there was no room for all of them, or the stream
  // has ended; the sink then sees to it that the rest is asked for again once there is room.
  virtual bool Deliver(const AnswerBatch& answers) = 0;
  // As if answers about them had not found room.
  virtual void Defer(std::span<const platform::TaskId> tasks) = 0;
  // Ends the stream, after what was delivered, unless something was deferred.
  virtual void Finish() = 0;
  // Ends the stream.
  virtual void Fail(const absl::Status& status) = 0;
};

// Answers for several streams, on their way out.
//
// Thread-compatible.
class Deliveries {
 public:
  AnswerBatch& For(const std::shared_ptr<AwaitSink>& sink);
  // Keeps a copy of a record for the answers to come.
  AnswerBatch::Record Keep(std::string_view record);
  bool empty() const { return batches_.empty(); }
  // Hands everything out. False when `asking` had no room for its part; what others have no room
  // for is theirs to ask for again.
  bool Send(const AwaitSink* asking = nullptr);

 private:
  std::shared_ptr<std::string> records_;  // Null while there is none.
  absl::flat_hash_map<std::shared_ptr<AwaitSink>, AnswerBatch> batches_;
};

// How much is awaited in all partitions of this process, as they have last said.
//
// Thread-safe.
class AwaitCount {
 public:
  void Add(int64_t change) { count_.fetch_add(change, std::memory_order_relaxed); }
  size_t value() const {
    // Partitions say one after the other what has gone from one to another.
    return static_cast<size_t>(std::max<int64_t>(count_.load(std::memory_order_relaxed), 0));
  }

 private:
  std::atomic<int64_t> count_ = 0;
};

// Who waits for which task: task -> streams, and stream -> tasks.
//
// Guarantees: a stream that waits for a task gets one answer about it, however often it asked. A
// stream that is closed gets none, and its tasks are dropped bit by bit, so that a stream with a
// million of them holds nobody up.
//
// Confined to the apply thread, but for CountDeferred.
class AwaitHub {
 public:
  using StreamId = uint64_t;
  struct Limits {
    size_t per_stream = 1'000'000;
    size_t in_all = 10'000'000;  // Waiting or deferred.
  };

  // `all` is what `in_all` is about: shared by those that share the limit.
  explicit AwaitHub(Limits limits, std::shared_ptr<AwaitCount> all = std::make_shared<AwaitCount>())
      : limits_(limits), all_(std::move(all)) {}
  ~AwaitHub() { Publish(0); }

  StreamId Open(std::shared_ptr<AwaitSink> sink);
  void Close(StreamId stream);
  // Closes all of them, and fails their sinks.
  void FailAll(const absl::Status& status);
  // Null when it is closed.
  AwaitSink* Find(StreamId stream) const;

  // Lets a stream wait for tasks; those that are new to it are added to `fresh`.
  // RESOURCE_EXHAUSTED, TOO_MANY_AWAITS, and nothing was added, when that is more than may be.
  absl::Status Add(StreamId stream, std::span<const platform::TaskId> tasks,
                   std::vector<platform::TaskId>& fresh);
  void Forget(StreamId stream, std::span<const platform::TaskId> tasks);
  // The stream will not ask for more: its sink is to be finished whenever it waits for nothing.
  void EndWhenIdle(StreamId stream);
  // Those that became so since the last call, and still are. Once in each group.
  std::vector<std::shared_ptr<AwaitSink>> TakeIdle();

  // Thread-safe. So many more, or fewer, awaits are deferred by sinks: they count as waiting.
  void CountDeferred(int64_t change) { deferred_ += change; }
  size_t deferred() const { return static_cast<size_t>(deferred_.load()); }

  // Those who wait for the task; some may be closed. Good until the next call.
  std::span<const StreamId> WaitersFor(const platform::TaskId& task) const;
  // Whether an open stream waits for the task.
  bool Waits(const platform::TaskId& task, StreamId stream) const {
    return streams_.contains(stream) && IsNoted(task, stream);
  }

  // Puts answers for all who wait for the task into `deliveries`; they wait no longer. Of a result
  // those who may not see it hear kUnknown; `record` is its encoded form, used with kResult.
  void Resolve(const StoredResult& result, AnswerBatch::Kind kind, std::string_view record,
               Deliveries& deliveries);
  void Resolve(const platform::TaskId& task, AnswerBatch::Kind kind, Deliveries& deliveries);
  // The same for one of those who wait.
  void Resolve(const platform::TaskId& task, StreamId stream, AnswerBatch::Kind kind,
               Deliveries& deliveries);

  // Drops a part of what closed streams left. False when nothing is left.
  bool CleanUp();

  size_t waiters() const { return waiting_; }

 private:
  struct Stream {
    std::shared_ptr<AwaitSink> sink;
    size_t waiting = 0;
    bool ends_when_idle = false;
    // What it has waited for; what was answered leaves when it is most of the list.
    std::vector<platform::TaskId> tasks;
  };
  using Waiters = absl::InlinedVector<StreamId, 2>;

  bool IsNoted(const platform::TaskId& task, StreamId stream) const;
  void Drop(const platform::TaskId& task, StreamId stream);
  void Answered(StreamId id, Stream& stream);
  void NoteIdle(StreamId id, const Stream& stream);
  // Tells of so many that wait or are deferred.
  void Publish(int64_t awaited);
  template <typename Answer>
  void Release(const platform::TaskId& task, Answer answer);

  const Limits limits_;
  const std::shared_ptr<AwaitCount> all_;
  int64_t published_ = 0;
  StreamId next_stream_ = 1;
  size_t waiting_ = 0;  // Pairs of task and open stream.
  std::atomic<int64_t> deferred_ = 0;
  absl::flat_hash_map<platform::TaskId, Waiters> waiters_;
  absl::flat_hash_map<StreamId, Stream> streams_;
  std::deque<std::pair<StreamId, std::vector<platform::TaskId>>> closed_;
  std::vector<StreamId> idle_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_AWAIT_HUB_H_
