#ifndef KANTOKU_CLIENT_CPP_SRC_REOPENING_READER_H_
#define KANTOKU_CLIENT_CPP_SRC_REOPENING_READER_H_

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/message_reader.h"
#include "client/cpp/src/retry.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::internal {

// The messages of a call that a server answers with a stream, for as long as one wants: a call that
// broke is opened again by the Take that misses it.
//
// Thread-safe, but one Take at a time.
template <typename Response>
class ReopeningReader {
 public:
  // Begins a call: the stub's PrepareAsync… of the method. On the thread of Take.
  using Prepare = std::function<std::unique_ptr<grpc::ClientAsyncReaderInterface<Response>>(
      grpc::ClientContext*, grpc::CompletionQueue*)>;

  // `what` names that which is read: "events". What `runtime` refers to outlives it. An `end` that
  // is not OK is the answer to every Take.
  ReopeningReader(const CallRuntime& runtime, std::string what, absl::Duration retry_for,
                  Prepare prepare, absl::Status end)
      : runtime_(runtime),
        what_(std::move(what)),
        retry_for_(retry_for),
        prepare_(std::move(prepare)),
        end_(std::move(end)) {}
  ~ReopeningReader() { Cancel(); }
  ReopeningReader(const ReopeningReader&) = delete;
  ReopeningReader& operator=(const ReopeningReader&) = delete;

  // `response` becomes the next message that `is_wanted`; given the one before, that is filled
  // again and nothing is allocated. DEADLINE_EXCEEDED, TIMEOUT: call again. Other codes end it:
  // CANCELLED, what the server said that a repeat would not change, or what it said last after
  // `retry_for` in vain.
  template <typename IsWanted>
  absl::Status Take(absl::Duration timeout, IsWanted is_wanted, Response& response) {
    KANTOKU_RETURN_IF_ERROR(LibraryThreadScope::CheckMayWait());
    const absl::Duration deadline = runtime_.environment.clock.Read().steady + timeout;
    while (true) {
      const std::shared_ptr<Reader> reader = CurrentReader();
      if (reader == nullptr) {
        platform::MutexLock lock(mutex_);
        return end_;
      }
      std::optional<absl::Status> broken;
      if (reader->Take(deadline, response, broken)) {
        failures_ = 0;
        unreachable_since_ = absl::InfiniteDuration();
        if (is_wanted(response)) return absl::OkStatus();
      } else if (broken.has_value()) {
        KANTOKU_RETURN_IF_ERROR(PauseBeforeReopening(*broken, deadline));
      } else if (runtime_.environment.clock.Read().steady >= deadline) {
        return platform::Error(
            absl::StatusCode::kDeadlineExceeded, "TIMEOUT",
            absl::StrCat("no ", what_, " within ", absl::FormatDuration(timeout)));
      }
    }
  }

  // From any thread; idempotent.
  void Cancel() {
    std::shared_ptr<Reader> reader;
    {
      platform::MutexLock lock(mutex_);
      if (end_.ok()) {
        end_ = platform::Error(absl::StatusCode::kCancelled, "STREAM_CANCELLED",
                               absl::StrCat("the reading of ", what_, " was cancelled"));
      }
      reader = std::exchange(reader_, nullptr);
    }
    cancelled_.SignalAll();
    if (reader != nullptr) reader->Cancel();
  }

 private:
  using Reader = MessageReader<Response>;

  // The reader to look at, opened if there is none.
  std::shared_ptr<Reader> CurrentReader() {
    std::shared_ptr<Reader> reader;
    {
      platform::MutexLock lock(mutex_);
      if (!end_.ok()) return nullptr;
      if (reader_ != nullptr) return reader_;
      reader = reader_ = std::make_shared<Reader>(runtime_);
      // The owner keeps the set open.
      KANTOKU_CHECK(runtime_.calls.Add(reader));
    }
    reader->Open(prepare_);
    return reader;
  }

  // Waits before the stream opens again. Not OK when it shall not.
  absl::Status PauseBeforeReopening(const absl::Status& broken, absl::Duration deadline) {
    platform::Clock& clock = runtime_.environment.clock;
    const absl::Duration now = clock.Read().steady;
    unreachable_since_ = std::min(unreachable_since_, now);
    const absl::Duration pause = PauseAfter(broken, ++failures_, runtime_.environment.random());
    platform::MutexLock lock(mutex_);
    reader_ = nullptr;
    if (!end_.ok()) return end_;
    if (IsPermanent(broken)) return end_ = broken;
    if (now + pause - unreachable_since_ >= retry_for_) {
      return end_ = platform::Annotate(broken, absl::StrCat(what_, " could not be reached for ",
                                                            absl::FormatDuration(retry_for_)));
    }
    // A Take whose time is over before returns from its next look.
    const absl::Duration end = std::min(now + pause, deadline);
    while (end_.ok() && clock.Read().steady < end) clock.Wait(mutex_, cancelled_, end);
    return end_;
  }

  const CallRuntime runtime_;
  const std::string what_;
  const absl::Duration retry_for_;
  const Prepare prepare_;

  // Of the one Take.
  int failures_ = 0;
  absl::Duration unreachable_since_ = absl::InfiniteDuration();

  platform::Mutex mutex_;
  platform::CondVar cancelled_;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);  // Not OK: the answer to every Take.
  std::shared_ptr<Reader> reader_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_REOPENING_READER_H_
