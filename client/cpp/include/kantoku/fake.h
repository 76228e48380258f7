#ifndef KANTOKU_FAKE_H_
#define KANTOKU_FAKE_H_

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/client.h"
#include "kantoku/output.h"
#include "kantoku/task.h"

namespace kantoku {

// Kantoku in the memory of a test: its clients are real ones, plugins included, and its tasks are
// run by handlers that the test registers.
//
//   kantoku::FakeKantoku fake;
//   fake.Handle("upper", [](const kantoku::TaskSpec& spec) { return Upper(spec.payload); });
//   kantoku::Client kan = fake.Connect();
//
// As the real one: ids, references (an equal repeat gets the first id, another spec is
// ALREADY_EXISTS), priorities, not_before, retries, effects, reuse, dependencies, namespaces,
// states and causes of waiting, control of tasks and trees, pages of lists. An error from a
// handler, or what it throws, is a failed attempt, whatever its code; only FailFinally ends the
// task at once. The reason that users see is that of the error, else HANDLER_FAILED, or
// HANDLER_THREW. Unlike it: time, also that of timeouts, stands still until AdvanceTime moves it,
// except that EventStream::Next and ItemStream::Next wait by the machine's clock; tasks run inside
// the calls that make them due (Spawn, Handle, Resume, AdvanceTime), on the caller's thread;
// nothing is checked against limits or deadlines; every placement fits, routes, keys, limits and
// pauses are kept and not looked at, and its executor cannot be asked to leave; what is an argument
// a handler reads with a client, GetOutput(spec.dependencies[i].task); pauses between attempts have
// no jitter; what a task has waited for is told as if it had been the same all the time; and of
// what happened, task.created, task.started and task.finished are told.
//
// Thread-safe. Its clients may outlive it and keep what they have seen.
class FakeKantoku {
 public:
  // Gets the spec of a task and returns its result. May use clients, but await nothing that is not
  // done.
  using Handler = std::function<absl::StatusOr<std::string>(const TaskSpec& spec)>;

  // The same for handlers that yield items before their result; Yield does not block.
  using Yield = std::function<void(std::string data, std::string content_type)>;
  using Generator =
      std::function<absl::StatusOr<std::string>(const TaskSpec& spec, const Yield& yield)>;

  // An error for handlers that another attempt would not mend, as the executor runtime's function
  // of this name makes: the task ends as FAILED. `reason` is an upper-case word, `message` is for
  // people.
  static absl::Status FailFinally(std::string_view reason, std::string_view message);

  FakeKantoku();

  // `options` as for Client::Connect; the addresses and `retry_for` mean nothing here.
  Client Connect(ClientOptions options = {});

  // Runs tasks of `type` with `handler` from now on, in every namespace; replaces the one before.
  void Handle(const std::string& type, Handler handler);
  // The same for a handler that yields items.
  void HandleGenerator(const std::string& type, Generator generator);

  // Between Pause and Resume tasks wait, as if executors were full.
  void Pause();
  void Resume();

  // Moves the time. Starts at 2026-01-01T00:00:00Z.
  void AdvanceTime(absl::Duration by);
  absl::Time Now() const;

  // The next spawn RPC (one call of Spawn or SpawnBatch) fails as a whole with `status`; several
  // calls queue up.
  void FailNextSpawn(absl::Status status);

  // The specs accepted so far, in order, as plugins left them.
  std::vector<TaskSpec> spawned() const;

 private:
  class Server;
  std::shared_ptr<Server> server_;
};

}  // namespace kantoku

#endif  // KANTOKU_FAKE_H_
