#ifndef KANTOKU_TESTS_CHAOS_SOAK_SYNC_BRAKE_H_
#define KANTOKU_TESTS_CHAOS_SOAK_SYNC_BRAKE_H_

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::soak {

// Makes a disk slow: fsync and fdatasync of programs that were started through RunBraked return
// only after a delay. The kernel holds the call and asks us (a seccomp filter with notification),
// so neither the program nor a library is changed, and no privilege is needed. The sync itself is
// done afterwards, by the kernel, as always.
//
// The delay holds for calls that begin while it is set. A program that outlives the brake would be
// told that there is no such call; it is therefore to be stopped first.
//
// Thread-safe.
class SyncBrake {
 public:
  // Programs introduce themselves at a socket of this path.
  explicit SyncBrake(const std::string& socket_path);
  ~SyncBrake();
  SyncBrake(const SyncBrake&) = delete;
  SyncBrake& operator=(const SyncBrake&) = delete;

  void SetDelay(absl::Duration delay) { delay_us_ = absl::ToInt64Microseconds(delay); }
  // Calls that were held for longer than they would have taken.
  uint64_t braked() const { return braked_; }

 private:
  class Loop;

  int listener_ = -1;
  int wake_fd_ = -1;
  std::atomic<int64_t> delay_us_{0};
  std::atomic<uint64_t> braked_{0};
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

// Puts the syncs of this process, and of what it becomes, under the brake at `socket_path`, and
// becomes the program. Returns only when that fails: an error of the system, UNIMPLEMENTED when it
// has no such filters.
absl::Status RunBraked(const std::string& socket_path, char** argv);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_SYNC_BRAKE_H_
