#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHILD_PROCESS_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHILD_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace kantoku::executor {

// A file descriptor that is closed with its owner.
class File {
 public:
  File() = default;
  explicit File(int number) : number_(number) {}
  File(File&& other) noexcept : number_(other.Release()) {}
  File& operator=(File&& other) noexcept;
  ~File();

  int get() const { return number_; }
  bool open() const { return number_ >= 0; }
  void Close() { *this = File(); }

 private:
  int Release();
  int number_ = -1;
};

// A program in a process group of its own.
//
// - It gets the three files and no other descriptor of ours, no signal blocked or ignored, and no
//   core dump.
// - It is killed when this process dies, however that happens. Programs that it started itself are
//   killed with the group when it ends or when its owner is destroyed, but not when this process is
//   killed.
// - Safe to start from a process with threads.
//
// Thread-compatible. To be started by a thread that lives as long as the process does: the system
// takes the end of that thread for the end of its parent.
class ChildProcess {
 public:
  struct Launch {
    std::string program;                   // A path.
    std::vector<std::string> arguments;    // From argv[0] on.
    std::vector<std::string> environment;  // "NAME=value".
    std::string directory;                 // Empty: ours.
    uint64_t memory_limit = 0;             // Bytes of address space; 0: none.
    int standard_input = -1;
    int standard_output = -1;
    int standard_error = -1;
  };

  // How a program ended: by exit with `exit_code`, or, when `signal` is not 0, by that signal.
  struct End {
    int exit_code = 0;
    int signal = 0;
  };

  // The system's error when there is no process to be had, the directory or the program cannot be
  // used, or the limit cannot be set.
  static absl::StatusOr<std::unique_ptr<ChildProcess>> Start(const Launch& launch);
  // Kills the group and waits for the program.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  // Becomes readable when the program has ended.
  int end_event() const { return end_event_.get(); }
  // To the whole group.
  void Signal(int signal);
  // Kills what is left of the group, and waits for the program.
  End Wait();

 private:
  ChildProcess(pid_t process, File end_event)
      : process_(process), end_event_(std::move(end_event)) {}

  pid_t process_;  // 0 once it was waited for.
  File end_event_;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_CHILD_PROCESS_H_
