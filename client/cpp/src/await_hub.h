#ifndef KANTOKU_CLIENT_CPP_SRC_AWAIT_HUB_H_
#define KANTOKU_CLIENT_CPP_SRC_AWAIT_HUB_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/cpp/src/retry.h"
#include "kantoku/output.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "kantoku/task_id.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/token_source.h"

namespace kantoku::internal {

// All futures of a client over one stream. The stream opens with the first future, and after a
// break it opens again with every future that is still open; each future is resolved once. At most
// `max_open` are asked for at a time, as Outputs refuses a stream that asks for more than it holds
// in mind; the others wait for their turn. When Outputs says that even these are too many, fewer
// are asked for, until answers come. When Outputs cannot be reached for `retry_for`, every future
// is answered with why.
//
// Thread-safe. What `runtime` holds, and the hub itself, outlive its streams: Close, then empty the
// call set, then end the timer.
class AwaitHub {
 public:
  using Done = std::function<void(absl::StatusOr<Output>)>;

  // `tokens` are those of the stub's channel; null: it has none.
  AwaitHub(const CallRuntime& runtime, outputs::v1::OutputsService::Stub& stub,
           std::shared_ptr<platform::TokenSource> tokens, absl::Duration retry_for, size_t max_open)
      : runtime_(runtime),
        stub_(stub),
        tokens_(std::move(tokens)),
        retry_for_(retry_for),
        max_open_(max_open),
        window_(max_open) {}

  void Await(TaskId id, absl::Duration timeout, Done done);

  // Answers every future with CANCELLED. No stream opens after it.
  void Close();

 private:
  class Stream;

  struct Waiter {
    uint64_t number;
    Done done;
    Timer::Id timer;
  };
  // A task whose last waiter left stays until the server was told to forget it.
  struct Future {
    std::vector<Waiter> waiters;
    bool sent = false;
  };
  // What is to be called once the lock is free.
  struct Answer {
    Done done;
    absl::StatusOr<Output> output;
  };

  void AddWaiter(TaskId id, absl::Duration timeout, Done done)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Opens the stream, or sends what waits to be sent, if either is due.
  void Advance();
  bool TakeRequest(Stream& stream) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeForgets(outputs::v1::AwaitRequest& request) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Expire(TaskId id, uint64_t number, absl::Duration timeout);

  // `newer_token` is what the stream is to show; empty: nothing.
  void OnResponse(Stream& stream, outputs::v1::AwaitResponse& response, std::string newer_token);
  std::vector<Answer> TakeResults(outputs::v1::AwaitResponse& response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnWritten(Stream& stream, bool ok);
  void OnReadsEnded(Stream& stream);
  void OnEnded(Stream& stream, const absl::Status& status);
  std::vector<Answer> Reopen(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<Answer> TakeAll(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Tell(std::vector<Answer> answers);

  const CallRuntime runtime_;
  outputs::v1::OutputsService::Stub& stub_;
  const std::shared_ptr<platform::TokenSource> tokens_;
  const absl::Duration retry_for_;
  const size_t max_open_;

  platform::Mutex mutex_;
  absl::flat_hash_map<TaskId, Future> futures_ ABSL_GUARDED_BY(mutex_);
  // Ids to add and ids to forget, unless their future says something else when it is their turn.
  std::deque<TaskId> to_send_ ABSL_GUARDED_BY(mutex_);
  std::deque<TaskId> to_forget_ ABSL_GUARDED_BY(mutex_);
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;  // Futures that were sent.
  size_t window_ ABSL_GUARDED_BY(mutex_);    // How many may be: from 1 to `max_open_`.
  std::shared_ptr<Stream> stream_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_number_ ABSL_GUARDED_BY(mutex_) = 0;
  int failures_ ABSL_GUARDED_BY(mutex_) = 0;  // In a row.
  absl::Duration unreachable_since_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteDuration();
  bool pausing_ ABSL_GUARDED_BY(mutex_) = false;  // Before the stream opens again.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_AWAIT_HUB_H_
