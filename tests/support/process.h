#ifndef KANTOKU_TESTS_SUPPORT_PROCESS_H_
#define KANTOKU_TESTS_SUPPORT_PROCESS_H_

#include <sys/types.h>

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/mutex.h"

namespace kantoku::test {

// How long a test waits for what should come at once before it gives up.
inline constexpr absl::Duration kPatience = absl::Seconds(60);

// The path of a program of this build: of a name that is among the test's BINARIES.
std::string Binary(std::string_view name);

// What a program is started with.
struct ChildOptions {
  std::vector<std::string> argv;           // argv[0] is the program, looked up in PATH.
  std::map<std::string, std::string> env;  // Beside the test's own environment.
  std::string directory;                   // To run in; empty: the test's.
  std::string output_file;                 // Gets stdout and stderr, appended; empty: none.
  bool prints_join_strings = false;        // As `kantoku token create` does, which is for that.
};

// How a program ended.
struct ChildExit {
  std::optional<int> code;    // If it exited.
  std::optional<int> signal;  // If it was killed.
};

// A real process under a test. It leads a process group of its own, dies with the test, and is read
// all the time, so that it never waits for a full pipe.
//
// Guarantees: nothing waits longer than it is told to, and nothing polls. The destructor kills the
// whole group and waits for the child. Whatever the child wrote holds no secret (secrets.h), or the
// destructor says so and aborts the test.
//
// Thread-safe.
class ChildProcess {
 public:
  // What errno said when the program could not be started.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const ChildOptions& options);
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  // Everything that it wrote so far, stdout and stderr in the order in which they came.
  std::string output() const;

  // Waits for a whole line that contains `text`, from the `from`th byte of the output on, and
  // returns it. DEADLINE_EXCEEDED, or FAILED_PRECONDITION when the child ended without it; both
  // show the end of the output.
  absl::StatusOr<std::string> AwaitLine(std::string_view text, absl::Duration limit = kPatience,
                                        size_t from = 0) const;

  // Waits until the file at `path`, in a directory that exists, holds a whole line, as a port file
  // does, and returns that. Errors as AwaitLine.
  absl::StatusOr<std::string> AwaitFile(const std::string& path,
                                        absl::Duration limit = kPatience) const;

  // Sends a signal to the child, or to all that is left of its group.
  void Signal(int signal);
  void SignalGroup(int signal);

  // SIGSTOP, and waits until all of its threads stand still: what it has not done by then it does
  // not do before Thaw. Returns at once when it has ended.
  void Freeze();
  void Thaw();

  // Waits for the end; the output is complete then. DEADLINE_EXCEEDED shows its end.
  absl::StatusOr<ChildExit> AwaitExit(absl::Duration limit = kPatience) const;
  // Whether it has not ended yet.
  bool running() const;

  // kill -9 of the child alone, and its end.
  ChildExit Kill();
  // SIGTERM, and its end.
  absl::StatusOr<ChildExit> Terminate(absl::Duration limit = kPatience);

 private:
  struct Launch;

  explicit ChildProcess(const ChildOptions& options);

  void Run(Launch& launch);
  void Watch();
  bool DrainOutput();
  std::string Tail() const;
  void CheckSecrets() const;

  const std::string name_;  // Of the program.
  const bool prints_join_strings_;

  // Set once before Start returns.
  pid_t pid_ = -1;
  int pid_fd_ = -1;     // Readable once the child has ended.
  int output_fd_ = -1;  // Our end of its stdout and stderr.
  int copy_fd_ = -1;    // Of `output_file`, or -1.
  int stop_fd_ = -1;    // Readable once the destructor runs.

  mutable platform::Mutex mu_;
  mutable platform::CondVar changed_;
  std::string output_ ABSL_GUARDED_BY(mu_);
  std::optional<ChildExit> exit_ ABSL_GUARDED_BY(mu_);

  // Starts and watches the child, which would die with any other thread that started it.
  std::thread thread_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PROCESS_H_
