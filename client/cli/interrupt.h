#ifndef KANTOKU_CLIENT_CLI_INTERRUPT_H_
#define KANTOKU_CLIENT_CLI_INTERRUPT_H_

#include <signal.h>

#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "client/cli/context.h"
#include "services/platform/mutex.h"

namespace kantoku::cli {

// While it lives, Ctrl-C first says in a line what becomes of the tasks, and then ends the program
// as it always does. To be made before the program has threads; a program that ignores SIGINT goes
// on to do so.
//
// Thread-safe.
class InterruptNote {
 public:
  explicit InterruptNote(const Context& context);
  ~InterruptNote();
  InterruptNote(const InterruptNote&) = delete;
  InterruptNote& operator=(const InterruptNote&) = delete;

  // What the line shall say; empty: no line.
  void Set(std::string text);

 private:
  void Watch();

  const Context& context_;
  sigset_t mask_before_;
  const int stop_fd_;    // Readable once the destructor runs.
  const int signal_fd_;  // Readable once SIGINT has come.
  platform::Mutex mutex_;
  std::string text_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace kantoku::cli

#endif  // KANTOKU_CLIENT_CLI_INTERRUPT_H_
