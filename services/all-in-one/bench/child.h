#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_CHILD_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_CHILD_H_

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace kantoku::bench {

// What a process has used up to now.
struct Usage {
  absl::Duration cpu;       // Of all its threads, in the kernel too.
  double rss_mib = 0;       // Now.
  double peak_rss_mib = 0;  // Since it began.
};
// Of a process of this user that lives; pid 0 is this one.
Usage UsageOf(pid_t pid);
// The CPU time alone, to a hundredth of a second, of a process of any user and of all that it has
// started, those that have ended and were waited for too. They start none themselves.
absl::Duration CpuOfFamily(pid_t pid);
// 0 when there is no such process.
pid_t ParentOf(pid_t pid);
// What the system calls it; empty when there is no such process.
std::string NameOf(pid_t pid);

// What a program prints to its end; not OK when it cannot be run, or fails.
absl::StatusOr<std::string> OutputOf(const std::string& program);

// A process that is this program with other arguments. It is killed when this one dies, and asked
// to end, and waited for, by the destructor.
//
// Thread-compatible.
class Child {
 public:
  // The first is the name, as `kantoku`.
  static absl::StatusOr<Child> Start(std::vector<std::string> arguments);
  Child(Child&& other) noexcept;
  Child& operator=(Child&& other) noexcept;
  ~Child();

  pid_t pid() const { return pid_; }
  // Sends SIGTERM, or SIGKILL when that is not heard, and returns when it has ended. Idempotent.
  void Stop();
  // The same with SIGKILL.
  void Kill();

 private:
  explicit Child(pid_t pid) : pid_(pid) {}
  void End(int signal);

  pid_t pid_ = 0;
};

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_CHILD_H_
