// Makes a fast disk as slow as another: loaded before the C library (LD_PRELOAD), it lets each
// fsync and fdatasync return later by $SYNC_DELAY_US microseconds. For `make bench` alone.
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdlib>

namespace {

long DelayMicroseconds() {
  static const char* const kDelay = std::getenv("SYNC_DELAY_US");
  return kDelay == nullptr ? 0 : std::strtol(kDelay, nullptr, 10);
}

int SyncSlowly(long call, int file) {
  const long result = syscall(call, file);
  const long delay = DelayMicroseconds();
  const timespec time = {.tv_sec = delay / 1'000'000, .tv_nsec = delay % 1'000'000 * 1'000};
  nanosleep(&time, nullptr);
  return static_cast<int>(result);
}

}  // namespace

extern "C" {

int fsync(int file) { return SyncSlowly(SYS_fsync, file); }
int fdatasync(int file) { return SyncSlowly(SYS_fdatasync, file); }

}  // extern "C"
