#ifndef KANTOKU_TESTS_CHAOS_SOAK_PROGRAM_H_
#define KANTOKU_TESTS_CHAOS_SOAK_PROGRAM_H_

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/mutex.h"
#include "tests/support/process.h"

namespace kantoku::soak {

// A program that is kept up, as an init system would: what ends is started again, and again when it
// does not come up, unless it is held down.
//
// Thread-safe. Its destructor kills what runs.
class Program {
 public:
  struct Options {
    std::string name;
    std::vector<std::string> argv;
    std::string output_file;
    std::string port_file;  // It serves when this is there. Empty: at once.
    // Told of each process, when it was started and when it is gone.
    std::function<void(pid_t pid)> started;
    std::function<void(pid_t pid, absl::Duration at)> ended;
  };

  explicit Program(Options options);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const std::string& name() const { return options_.name; }

  // Ends it by a signal and holds it down until Release. False when it did not run, or did not end
  // by that signal in time.
  bool Down(int signal);
  void Release();

  // SIGSTOP, and SIGCONT; false when it did not run.
  bool Freeze();
  void Thaw();

  // Calls `use` with the pid of the process that runs, if one does.
  bool WithPid(const std::function<void(pid_t pid)>& use);

  // Waits until it serves.
  absl::Status AwaitUp(absl::Duration limit);
  // Ends it for good; its exit code, or -1 when it had to be killed or was not there.
  int Finish(int signal, absl::Duration limit);
  // How often it was started, and came to an end that nobody had asked for.
  int starts() const;
  int crashes() const;

 private:
  void Keep();
  bool StartOnce();
  std::shared_ptr<test::ChildProcess> child() const;
  void Ended(pid_t pid);

  const Options options_;
  mutable platform::Mutex mu_;
  platform::CondVar changed_;
  std::shared_ptr<test::ChildProcess> child_ ABSL_GUARDED_BY(mu_);
  bool up_ ABSL_GUARDED_BY(mu_) = false;        // It serves.
  bool held_ ABSL_GUARDED_BY(mu_) = false;      // Held down.
  bool finished_ ABSL_GUARDED_BY(mu_) = false;  // For good.
  int starts_ ABSL_GUARDED_BY(mu_) = 0;
  int crashes_ ABSL_GUARDED_BY(mu_) = 0;
  std::thread keeper_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_PROGRAM_H_
