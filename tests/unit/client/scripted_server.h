#ifndef KANTOKU_TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_
#define KANTOKU_TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <climits>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "kantoku/client.h"
#include "kantoku/connection.h"
#include "kantoku/events/v1/events.grpc.pb.h"
#include "kantoku/inputs/v1/inputs.grpc.pb.h"
#include "kantoku/outputs/v1/outputs.grpc.pb.h"
#include "services/platform/clock.h"
#include "services/platform/mutex.h"

namespace kantoku::testing {

// What a test waits for comes within this time, or never.
inline constexpr absl::Duration kPatience = absl::Seconds(30);

TaskId MakeTaskId(uint64_t sequence);

// A queue between the threads of a server and a test.
//
// Thread-safe.
template <typename T>
class Inbox {
 public:
  void Put(T item) {
    platform::MutexLock lock(mutex_);
    items_.push_back(std::move(item));
    changed_.SignalAll();
  }
  // The oldest item; a default one when none comes within kPatience.
  T Take() {
    platform::MutexLock lock(mutex_);
    platform::Clock& clock = platform::Clock::Real();
    const absl::Duration deadline = clock.Read().steady + kPatience;
    while (items_.empty()) {
      if (clock.Read().steady >= deadline) return T();
      clock.Wait(mutex_, changed_, deadline);
    }
    T item = std::move(items_.front());
    items_.pop_front();
    return item;
  }
  bool empty() {
    platform::MutexLock lock(mutex_);
    return items_.empty();
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::deque<T> items_ ABSL_GUARDED_BY(mutex_);
};

// One Await stream, as a test sees it from the server's side.
class AwaitCall {
 public:
  using Stream = grpc::ServerReaderWriter<outputs::v1::AwaitResponse, outputs::v1::AwaitRequest>;
  AwaitCall(grpc::ServerContext& context, Stream& stream) : context_(context), stream_(stream) {}

  // The next request; empty when none comes.
  outputs::v1::AwaitRequest Take() { return requests.Take(); }
  void Succeed(TaskId id, const std::string& data);
  void Send(const outputs::v1::AwaitResponse& response) { stream_.Write(response); }
  void Break() { context_.TryCancel(); }

  Inbox<outputs::v1::AwaitRequest> requests;

 private:
  grpc::ServerContext& context_;
  Stream& stream_;
};

// Inputs, Outputs and Events that do what a test tells them, on a port of their own. Scripts are
// set before calls come; those that are not set answer UNIMPLEMENTED.
class ScriptedServer {
 public:
  template <typename Request, typename Response>
  using Script = std::function<grpc::Status(const Request&, Response&)>;

  ScriptedServer();
  ~ScriptedServer();

  // As a process that is killed, and one that comes back on the same port.
  void Stop();
  void Start();

  const std::string& address() const { return address_; }
  // A client of this server alone.
  Client Connect(absl::Duration retry_for = absl::Minutes(5), ClientOptions options = {},
                 platform::Clock& clock = platform::Clock::Real()) const;
  // The same without what a client adds; at most `max_open_awaits` futures are asked for at a time.
  std::shared_ptr<Connection> ConnectPlain(absl::Duration retry_for = absl::Minutes(5),
                                           platform::Clock& clock = platform::Clock::Real(),
                                           size_t max_open_awaits = 500'000) const;
  // The next Await stream that a client opens; null when none comes.
  std::shared_ptr<AwaitCall> NextAwait() { return awaits.Take(); }

  Script<inputs::v1::SpawnRequest, inputs::v1::SpawnResponse> on_spawn;
  Script<inputs::v1::ControlRequest, inputs::v1::ControlResponse> on_control;
  Script<inputs::v1::GetTasksRequest, inputs::v1::GetTasksResponse> on_get_tasks;
  Script<inputs::v1::ListTasksRequest, inputs::v1::ListTasksResponse> on_list_tasks;
  Script<inputs::v1::PatchInfoRequest, inputs::v1::PatchInfoResponse> on_patch_info;
  Script<inputs::v1::RestartTasksRequest, inputs::v1::RestartTasksResponse> on_restart_tasks;
  Script<inputs::v1::ListExecutorsRequest, inputs::v1::ListExecutorsResponse> on_list_executors;
  Script<inputs::v1::ControlExecutorsRequest, inputs::v1::ControlExecutorsResponse>
      on_control_executors;
  Script<inputs::v1::SetRouteRequest, inputs::v1::SetRouteResponse> on_set_route;
  Script<inputs::v1::ListRoutesRequest, inputs::v1::ListRoutesResponse> on_list_routes;
  Script<inputs::v1::SetLimitsRequest, inputs::v1::SetLimitsResponse> on_set_limits;
  Script<inputs::v1::ListLimitsRequest, inputs::v1::ListLimitsResponse> on_list_limits;
  Script<inputs::v1::SetPauseRequest, inputs::v1::SetPauseResponse> on_set_pause;
  Script<inputs::v1::ListPausesRequest, inputs::v1::ListPausesResponse> on_list_pauses;
  Script<outputs::v1::GetRequest, outputs::v1::GetResponse> on_get_outputs;
  Script<events::v1::ReadRequest, events::v1::ReadResponse> on_read_events;
  // Writes until it wants to end the stream.
  std::function<grpc::Status(const events::v1::SubscribeRequest&, grpc::ServerContext&,
                             grpc::ServerWriter<events::v1::SubscribeResponse>&)>
      on_subscribe;
  std::function<grpc::Status(const outputs::v1::StreamRequest&, grpc::ServerContext&,
                             grpc::ServerWriter<outputs::v1::StreamResponse>&)>
      on_stream;
  std::function<grpc::Status()> on_await;  // What is not OK ends an Await at once.
  std::atomic<int> most_awaits = INT_MAX;  // An Await that asks for more ends with TOO_MANY_AWAITS.

  Inbox<std::shared_ptr<AwaitCall>> awaits;

 private:
  class Inputs;
  class Outputs;
  class Events;

  std::unique_ptr<Inputs> inputs_;
  std::unique_ptr<Outputs> outputs_;
  std::unique_ptr<Events> events_;
  std::string address_ = "127.0.0.1:0";
  std::unique_ptr<grpc::Server> server_;
};

// Accepts every spec, with ids in the order of the specs from `first` on.
grpc::Status AcceptAll(const inputs::v1::SpawnRequest& request, inputs::v1::SpawnResponse& response,
                       uint64_t first = 1);

}  // namespace kantoku::testing

#endif  // KANTOKU_TESTS_UNIT_CLIENT_SCRIPTED_SERVER_H_
