#ifndef KANTOKU_CLIENT_H_
#define KANTOKU_CLIENT_H_

#include <functional>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/connection.h"
#include "kantoku/event.h"
#include "kantoku/item.h"
#include "kantoku/output.h"
#include "kantoku/plugin.h"
#include "kantoku/task.h"
#include "kantoku/task_id.h"
#include "kantoku/task_info.h"

namespace kantoku {

struct ClientOptions {
  std::string namespace_name = "default";
  std::vector<std::shared_ptr<Plugin>> plugins;  // Take part in every spawn, in this order.
  std::string outputs_address;                   // Empty: where Connect goes.
  std::string events_address;                    // Empty: where Connect goes.
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
  // How long Connect may take where a token has to be got first.
  absl::Duration token_patience = absl::Seconds(20);
  // How long a call goes on while the server cannot be reached. The server remembers a spawn for 10
  // minutes; a repeat after that would be a second spawn, so 5 minutes is also the maximum there.
  absl::Duration retry_for = absl::Minutes(5);
};

struct CallOptions {
  absl::Duration timeout = absl::InfiniteDuration();  // From the call on; see `retry_for`, too.
};

// A user's way into Kantoku.
//
//   auto kan = kantoku::Client::Connect("localhost:6330");
//   auto task = kan->Spawn(kantoku::Task("test-task", "Hello world"));
//   auto out = kan->Await(task->id);
//
// Guarantees: an accepted spawn is durable. Spawns of one client in one namespace arrive in the
// order of their calls, but for batches whose tasks depend on each other by index: each of them is
// an RPC of its own, and refused with INVALID_ARGUMENT when it does not fit into one. Calls made at
// the same time leave together as one RPC, and a single one leaves at once. A call that fails
// because the server is away or full (UNAVAILABLE, RESOURCE_EXHAUSTED for the whole call) is
// repeated with growing pauses for `retry_for` or until its timeout; a spawn is repeated under the
// request id of the first try, so that it happens once. Of a batch for whose tasks there is no room
// (RESOURCE_EXHAUSTED, each with a delay), exactly those are sent again after it, and may so come
// behind later ones; of a batch whose tasks depend on each other by index they are refused. Awaits
// survive breaks of the connection and restarts of the server. Beyond 500,000 at a time they wait
// in the client for earlier ones to end.
//
// Thread-safe. A handle: copies share a connection, which ends with the last of them. Calls still
// open then are answered CANCELLED, and the destructor of the last handle returns when their
// callbacks have run, except inside such a callback. Callbacks run on the library's threads and
// must not block; a call that waits is FAILED_PRECONDITION, WAITS_IN_CALLBACK there.
//
// Errors, beside those of the methods: UNAVAILABLE and RESOURCE_EXHAUSTED, after repeating: try
// later; RESOURCE_EXHAUSTED, CLIENT_QUEUE_FULL: too much is waiting in this client, nothing was
// sent; DEADLINE_EXCEEDED: the timeout has passed; INVALID_ARGUMENT names field, value and limit. A
// spawn that ends in UNAVAILABLE or DEADLINE_EXCEEDED may have been accepted (the message says if
// it was never sent); a task with a Reference can then be spawned again safely. kantoku/status.h
// tells the reason.
class Client {
 public:
  // `address` is host:port; empty: that of the access file, or else localhost:6330. The connection
  // is made when it is needed, and again whenever it breaks; but where a token has to be got for a
  // grant first, that is done at once, for up to `token_patience`. INVALID_ARGUMENT,
  // INVALID_ADDRESS for what is no address; NO_ACCESS_FILE and others name what is wrong with a
  // file; UNAUTHENTICATED, GRANT_REVOKED and the like.
  static absl::StatusOr<Client> Connect(const std::string& address, ClientOptions options = {});
  // Over a connection of one's own; the addresses and `retry_for` in `options` are not used.
  explicit Client(std::shared_ptr<Connection> connection, ClientOptions options = {});

  // Where Connect goes; empty over a connection of one's own.
  const std::string& address() const { return address_; }

  // The same client for another namespace.
  Client InNamespace(std::string namespace_name) const;

  // Spawns a task; on OK it is durable. ALREADY_EXISTS: its reference belongs to a task with
  // another spec (TaskIdOf). Not OK from a plugin: see kantoku/plugin.h.
  absl::StatusOr<SpawnedTask> Spawn(Task task, CallOptions options = {});
  std::future<absl::StatusOr<SpawnedTask>> SpawnAsync(Task task, CallOptions options = {});
  void SpawnAsync(Task task, CallOptions options,
                  std::function<void(absl::StatusOr<SpawnedTask>)> done);
  // Any number of tasks in as few RPCs as they fit in. Answers in the order of `tasks`; bad ones do
  // not stop good ones.
  std::vector<absl::StatusOr<SpawnedTask>> SpawnBatch(std::vector<Task> tasks,
                                                      CallOptions options = {});
  void SpawnBatchAsync(std::vector<Task> tasks, CallOptions options, Connection::SpawnDone done);

  // Waits for the end of a task. OK however the task ended: Output.status says whether it
  // succeeded, failed or was cancelled; not OK means that the end is not known here. NOT_FOUND:
  // nobody knows the id (RESULT_GONE: its result is no longer kept). An await that ends otherwise
  // changes nothing and can be made again.
  absl::StatusOr<Output> Await(TaskId id, CallOptions options = {});
  std::future<absl::StatusOr<Output>> AwaitAsync(TaskId id, CallOptions options = {});
  void AwaitAsync(TaskId id, CallOptions options, std::function<void(absl::StatusOr<Output>)> done);
  std::vector<absl::StatusOr<Output>> AwaitAll(const std::vector<TaskId>& ids,
                                               CallOptions options = {});

  // What a task yields, from a position on, and at last its end.
  std::unique_ptr<ItemStream> Stream(TaskId id, ItemPosition from = {});

  // Asks a task to stop, and answers the state after that: a queued task ends, a running one when
  // its executor confirms. FAILED_PRECONDITION: it has ended. NOT_FOUND.
  absl::StatusOr<TaskState> Cancel(TaskId id, CallOptions options = {});
  std::vector<absl::StatusOr<TaskState>> CancelAll(const std::vector<TaskId>& ids,
                                                   CallOptions options = {});

  // Asks something of a task, or of a whole tree by its root, and answers the state after that.
  // What is asked twice is done once, but for steps, which are therefore never repeated: one whose
  // answer is lost ends UNAVAILABLE, and may have been done. FAILED_PRECONDITION: it has ended
  // (TASK_ENDED), is being stopped (TASK_STOPPING), or is to step and not paused (NOT_PAUSED).
  // NOT_FOUND.
  absl::StatusOr<TaskState> Control(TaskId id, ControlVerb verb, ControlOptions what = {},
                                    CallOptions options = {});
  std::vector<absl::StatusOr<TaskState>> ControlAll(const std::vector<TaskId>& ids,
                                                    ControlVerb verb, ControlOptions what = {},
                                                    CallOptions options = {});

  // What is known of a task, living or in history. NOT_FOUND.
  absl::StatusOr<TaskInfo> Get(TaskId id, CallOptions options = {});
  std::vector<absl::StatusOr<TaskInfo>> GetAll(const std::vector<TaskId>& ids,
                                               CallOptions options = {});
  // The end of a task if it is there now. NOT_FOUND.
  absl::StatusOr<Output> GetOutput(TaskId id, CallOptions options = {});

  // A page of the tasks of the namespace.
  absl::StatusOr<TaskPage> List(TaskQuery query = {}, CallOptions options = {});
  // Changes the info of a living task; answers the revision after that. ABORTED: it has another
  // revision than expected (RevisionOf), as a repeat of a patch that was applied finds, too.
  // FAILED_PRECONDITION: it has ended. NOT_FOUND.
  absl::StatusOr<uint64_t> PatchInfo(TaskId id, InfoPatch patch, CallOptions options = {});

  // Spawns a failed or cancelled task anew, as long as the server keeps it (7 days by default): the
  // same spec, parent and root under a new id, which has the reference from now on. One that was
  // restarted before answers with the same new task. NOT_FOUND; FAILED_PRECONDITION: it lives
  // (TASK_LIVES), has succeeded (TASK_SUCCEEDED), or its tree is being stopped (TREE_STOPPING).
  absl::StatusOr<RestartedTask> Restart(TaskId id, CallOptions options = {});
  // One answer for each; in each its own status.
  absl::StatusOr<RestartPage> RestartAll(const std::vector<TaskId>& ids, RestartOptions what = {},
                                         CallOptions options = {});
  // A page of those that the query describes.
  absl::StatusOr<RestartPage> RestartMatching(DeadTaskQuery query, RestartOptions what = {},
                                              CallOptions options = {});
  // The executors of the namespace.
  absl::StatusOr<std::vector<ExecutorInfo>> ListExecutors(CallOptions options = {});

  // Asks executors of the namespace, by their session ids, to leave. One answer for each:
  // FAILED_PRECONDITION: it is not connected. NOT_FOUND.
  std::vector<absl::Status> ControlExecutors(const std::vector<std::string>& session_ids,
                                             ExecutorVerb verb, ExecutorControlOptions what = {},
                                             CallOptions options = {});
  // From now on tasks of the type go only to executors that match the selector, too.
  absl::Status SetRoute(const std::string& type, const std::string& selector,
                        ChangeOptions what = {}, CallOptions options = {});
  // NOT_FOUND: there is none.
  absl::Status RemoveRoute(const std::string& type, ChangeOptions what = {},
                           CallOptions options = {});
  // In the order of their types.
  absl::StatusOr<std::vector<Route>> ListRoutes(CallOptions options = {});

  // Sets limits, rates and weights of keys, at most 1,000: they hold at once. One answer for each.
  std::vector<absl::Status> SetLimits(const std::vector<Limit>& limits, ChangeOptions what = {},
                                      CallOptions options = {});
  // One answer for each. NOT_FOUND: there is none. FAILED_PRECONDITION, LIMIT_IN_USE while living
  // tasks name it, unless it is a weight.
  std::vector<absl::Status> RemoveLimits(const std::vector<LimitName>& names,
                                         ChangeOptions what = {}, CallOptions options = {});
  // All of the namespace, those that tasks have made included, in the order of their names.
  absl::StatusOr<std::vector<LimitInfo>> ListLimits(CallOptions options = {});
  // From now on nothing of the type, or where that is empty of the namespace, is dispatched; what
  // is held goes on. The audit trail has the reason, unless `what` says another.
  absl::Status SetPause(const TypePause& pause, ChangeOptions what = {}, CallOptions options = {});
  // NOT_FOUND: it is not paused.
  absl::Status LiftPause(const std::string& type, ChangeOptions what = {},
                         CallOptions options = {});
  // That of the namespace first, then those of types in their order.
  absl::StatusOr<std::vector<TypePause>> ListPauses(CallOptions options = {});

  // A page of what happened.
  absl::StatusOr<EventPage> ReadEvents(EventQuery query = {}, CallOptions options = {});
  // What happens, for ever.
  std::unique_ptr<EventStream> Subscribe(EventSubscription subscription = {});

  // OK once the server can be reached; DEADLINE_EXCEEDED, UNREACHABLE when it cannot in time.
  absl::Status WaitUntilReachable(absl::Duration timeout);

 private:
  std::shared_ptr<Connection> connection_;
  ClientOptions options_;
  std::string address_;
};

}  // namespace kantoku

#endif  // KANTOKU_CLIENT_H_
