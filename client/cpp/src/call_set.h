#ifndef KANTOKU_CLIENT_CPP_SRC_CALL_SET_H_
#define KANTOKU_CLIENT_CPP_SRC_CALL_SET_H_

#include <memory>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "services/platform/mutex.h"

namespace kantoku::internal {

// Something under way that can be told to end soon.
class Cancellable {
 public:
  virtual ~Cancellable() = default;
  // From any thread, idempotent.
  virtual void Cancel() = 0;
};

// Everything that is under way on a connection, so that the connection can end.
//
// Thread-safe.
class CallSet {
 public:
  // False once CloseAndWait was called: the call must not begin.
  bool Add(std::shared_ptr<Cancellable> call);
  // `call` is over and touches nothing of the connection any more. Drops it.
  void Remove(const Cancellable* call);
  // Cancels all and waits until all are removed.
  void CloseAndWait();

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  absl::flat_hash_map<const Cancellable*, std::shared_ptr<Cancellable>> calls_
      ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// Marks a thread as running the library's own work, from which users' callbacks are called. A
// connection that is dropped there cannot wait for its own end.
class LibraryThreadScope {
 public:
  LibraryThreadScope() { ++depth_; }
  ~LibraryThreadScope() { --depth_; }
  LibraryThreadScope(const LibraryThreadScope&) = delete;
  LibraryThreadScope& operator=(const LibraryThreadScope&) = delete;

  static bool Inside() { return depth_ > 0; }
  // What a call that waits answers inside: it would wait for the thread that it is on.
  static absl::Status CheckMayWait();

 private:
  static thread_local int depth_;
};

}  // namespace kantoku::internal

#endif  // KANTOKU_CLIENT_CPP_SRC_CALL_SET_H_
