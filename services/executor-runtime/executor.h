#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_EXECUTOR_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_EXECUTOR_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/executor-runtime/handler.h"
#include "services/platform/clock.h"
#include "services/platform/ids.h"

namespace kantoku::executor {

// Where a server is expected when nothing says where it is.
inline constexpr char kDefaultAddress[] = "localhost:6330";

struct ExecutorOptions {
  // Where Inputs and Outputs are, as host:port.
  std::string inputs_address;   // Empty: as the access file says, or else localhost:6330.
  std::string outputs_address;  // Empty: the same.
  // The file that says why the server is trusted and who one is there, as `kantoku up` keeps one in
  // its data directory and `--join` makes one. Empty: $KANTOKU_ACCESS, or that of a server of this
  // user on this computer, if it is for the server that is connected to.
  std::string access_file;
  // Instead of what that file says: the access token that calls show, or the file that has it,
  // which is read again when it changes; the certificate authorities (PEM) that the server's
  // certificate may come from, or `system` for those that this computer trusts. A token is only
  // sent to this computer, or over TLS.
  std::string token;
  std::string token_file;
  std::string ca_file;
  // What is shown to a server that asks for a certificate, and its key (PEM). These and `ca_file`
  // are read again when they change, for new connections.
  std::string certificate_file;
  std::string key_file;
  // True: nothing protects what is sent to other computers, tokens included.
  bool insecure_plaintext_beyond_loopback = false;
  std::string name_space = "default";
  std::string name;  // For people; empty: the host's name.
  // What placements of tasks look at, such as {"gpu", "true"}. Inputs checks them; it adds
  // `executor`, `app`, `owner` and `version` itself.
  std::map<std::string, std::string> labels;
  std::string version;  // Of the handlers' program, at most 64 bytes: for lists and placements.
  // Of this executor. Empty: a new one. Two executors must not share one.
  platform::SessionId session;

  int concurrency = 0;    // Threads that run handlers, 1 to 10,000. 0: one for each processor.
  uint32_t max_held = 0;  // Tasks held at once, waiting ones included, 1 to 100,000.
                          // 0: twice the concurrency, or 1,000 when every handler is inline.

  // A drain lets running handlers go on, and results wait for Outputs, for this long. Then it asks
  // handlers to stop, and hands back whatever has not stopped `stop_patience` later.
  absl::Duration drain_limit = absl::Seconds(30);
  absl::Duration stop_patience = absl::Seconds(5);

  // Results are put again when Outputs has not answered by then: a peer that fell silent must not
  // hold back what comes after. A large Put has a second more for each 64 KiB, so that a slow line
  // gets it through.
  absl::Duration put_timeout = absl::Seconds(30);

  // A file that gets a line `start <task> <dispatch>` before and `end <task> <dispatch>` after each
  // run of a handler. Empty: none.
  std::string journal_path;

  // Gets the lines of handlers and of the runtime itself; called from any thread. Empty: the
  // program's log.
  std::function<void(LogLevel, std::string_view)> log;

  platform::Clock* clock = nullptr;  // Null: the machine's. Outlives the executor.
  std::function<uint64_t()> random;  // For the session's id and for jitter. Empty: the system's.
};

// Pulls tasks from Inputs, runs their handlers, puts results into Outputs and acknowledges them.
//
// Guarantees:
// - never holds more tasks than `max_held`;
// - acknowledges a task only once its result is durable in Outputs, and keeps the receipt until
//   Inputs has confirmed it, over any number of lost connections;
// - reconnects for ever, as the same session, and goes on with what it holds;
// - asks handlers to stop when a task is cancelled, timed out or taken away, and before Inputs
//   gives the tasks of a lost session to somebody else. A handler that ignores this keeps its
//   thread, and may overlap with the same task elsewhere.
//
// Thread-safe, except that handlers are registered before Run.
//
// Destruction waits until every handler has returned.
class Executor {
 public:
  // INVALID_ARGUMENT names the option that is out of range; the journal's error when it cannot be
  // opened. Does not connect.
  static absl::StatusOr<std::unique_ptr<Executor>> Make(ExecutorOptions options);

  virtual ~Executor() = default;

  // Runs tasks of `type` with `handler`, on threads of the executor's own. INVALID_ARGUMENT when
  // `type` is malformed, ALREADY_EXISTS when it has a handler, FAILED_PRECONDITION after Run.
  virtual absl::Status Handle(std::string_view type, Handler handler) = 0;
  // As Handle, but runs the handler on the thread that reads from Inputs, which saves two switches
  // of thread. Only for handlers that return within microseconds and never block: meanwhile nothing
  // is read, neither pings nor cancellations.
  virtual absl::Status HandleInline(std::string_view type, Handler handler) = 0;

  // Connects and works until Drain or Stop, or until an operator asks it through Inputs to drain or
  // to end. Returns OK when nothing is left undone,
  // DEADLINE_EXCEEDED when a drain ended before everything was confirmed, or what Inputs said when
  // trying again is no use: INVALID_ARGUMENT, NOT_FOUND (no such namespace), PERMISSION_DENIED,
  // UNIMPLEMENTED. Called once; FAILED_PRECONDITION otherwise, or without a handler.
  virtual absl::Status Run() = 0;
  // Asks Run to take nothing more, hand back what has not begun, finish what runs within
  // `drain_limit`, and return. Returns at once.
  virtual void Drain() = 0;
  // Asks Run to return now. Running handlers are asked to stop; what was held is given to others
  // when Inputs notices. Returns at once.
  virtual void Stop() = 0;

  virtual platform::SessionId session() const = 0;
};

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_EXECUTOR_H_
