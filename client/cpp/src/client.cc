#include "kantoku/client.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/answer.h"
#include "client/cpp/src/batch_indexes.h"
#include "client/cpp/src/call_set.h"
#include "client/cpp/src/grpc_connection.h"
#include "client/cpp/src/spawn_pipeline.h"
#include "services/platform/access/target.h"
#include "services/platform/mutex.h"
#include "services/platform/rpc/channel.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

using internal::Answer;
using internal::LibraryThreadScope;

constexpr char kDefaultAddress[] = "localhost:6330";

absl::Status CheckAddress(const std::string& address) {
  const bool has_space = address.find_first_of(" \t\r\n") != std::string::npos;
  const size_t colon = address.rfind(':');
  if (!has_space && colon != std::string::npos && colon > 0 && colon + 1 < address.size()) {
    return absl::OkStatus();
  }
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ADDRESS",
                         absl::StrCat("'", address, "' is no address of the form host:port"));
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> ChannelTo(const std::string& address,
                                                         const platform::Target& target) {
  KANTOKU_RETURN_IF_ERROR(CheckAddress(address));
  return platform::MakeChannel(address, target.channel);
}

// A batch of spawns on its way: the tasks that plugins refused, and the others in order.
struct SpawnBatchState {
  std::vector<absl::StatusOr<SpawnPipeline>> pipelines;
  Connection::SpawnDone done;

  void Finish(std::vector<absl::StatusOr<SpawnedTask>> spawned) {
    std::vector<absl::StatusOr<SpawnedTask>> results;
    results.reserve(pipelines.size());
    size_t next = 0;
    for (auto& pipeline : pipelines) {
      if (!pipeline.ok()) {
        results.emplace_back(pipeline.status());
        continue;
      }
      results.push_back(std::move(spawned[next++]));
      pipeline->Scheduled(results.back());
    }
    pipelines.clear();  // The plugins' data ends before the caller hears of it.
    std::exchange(done, nullptr)(std::move(results));
  }
};

// The one answer to a request of one item.
template <typename T>
absl::StatusOr<T> Only(std::vector<absl::StatusOr<T>> results) {
  return std::move(results.front());
}

// Waits for what `start(set)` brings, one answer for each of `count` items.
template <typename T, typename Start>
std::vector<absl::StatusOr<T>> WaitForAll(size_t count, Start start) {
  if (const absl::Status may = LibraryThreadScope::CheckMayWait(); !may.ok()) {
    return std::vector<absl::StatusOr<T>>(count, may);
  }
  Answer<std::vector<absl::StatusOr<T>>> answer;
  start([&answer](std::vector<absl::StatusOr<T>> results) { answer.Set(std::move(results)); });
  return answer.Take();
}

}  // namespace

absl::StatusOr<Client> Client::Connect(const std::string& address, ClientOptions options) {
  KANTOKU_ASSIGN_OR_RETURN(const platform::Target target,
                           platform::FindTarget({.server = address,
                                                 .access_file = options.access_file,
                                                 .token = options.token,
                                                 .token_file = options.token_file,
                                                 .ca_file = options.ca_file,
                                                 .certificate_file = options.certificate_file,
                                                 .key_file = options.key_file,
                                                 .insecure_plaintext_beyond_loopback =
                                                     options.insecure_plaintext_beyond_loopback,
                                                 .patience = options.token_patience},
                                                kDefaultAddress, platform::Clock::Real()));
  internal::GrpcConnectionOptions connection;
  KANTOKU_ASSIGN_OR_RETURN(connection.inputs, ChannelTo(target.server, target));
  connection.outputs = connection.inputs;
  connection.events = connection.inputs;
  if (!options.outputs_address.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(connection.outputs, ChannelTo(options.outputs_address, target));
  }
  if (!options.events_address.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(connection.events, ChannelTo(options.events_address, target));
  }
  connection.tokens = target.channel.tokens;
  connection.retry_for = options.retry_for;
  Client client(internal::MakeGrpcConnection(std::move(connection)), std::move(options));
  client.address_ = target.server;
  return client;
}

Client::Client(std::shared_ptr<Connection> connection, ClientOptions options)
    : connection_(std::move(connection)), options_(std::move(options)) {}

Client Client::InNamespace(std::string namespace_name) const {
  Client other = *this;
  other.options_.namespace_name = std::move(namespace_name);
  return other;
}

absl::StatusOr<SpawnedTask> Client::Spawn(Task task, CallOptions options) {
  std::vector<Task> tasks;
  tasks.push_back(std::move(task));
  return Only(SpawnBatch(std::move(tasks), options));
}

std::future<absl::StatusOr<SpawnedTask>> Client::SpawnAsync(Task task, CallOptions options) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<SpawnedTask>>>();
  SpawnAsync(std::move(task), options, [promise](absl::StatusOr<SpawnedTask> result) {
    promise->set_value(std::move(result));
  });
  return promise->get_future();
}

void Client::SpawnAsync(Task task, CallOptions options,
                        std::function<void(absl::StatusOr<SpawnedTask>)> done) {
  std::vector<Task> tasks;
  tasks.push_back(std::move(task));
  SpawnBatchAsync(std::move(tasks), options,
                  [done = std::move(done)](std::vector<absl::StatusOr<SpawnedTask>> results) {
                    done(Only(std::move(results)));
                  });
}

std::vector<absl::StatusOr<SpawnedTask>> Client::SpawnBatch(std::vector<Task> tasks,
                                                            CallOptions options) {
  const size_t count = tasks.size();
  return WaitForAll<SpawnedTask>(
      count, [&](auto set) { SpawnBatchAsync(std::move(tasks), options, std::move(set)); });
}

void Client::SpawnBatchAsync(std::vector<Task> tasks, CallOptions options,
                             Connection::SpawnDone done) {
  const auto connection = connection_;  // The callback may drop this handle.
  const auto state = std::make_shared<SpawnBatchState>();
  state->done = std::move(done);
  state->pipelines.reserve(tasks.size());
  Connection::SpawnRequest request{.namespace_name = options_.namespace_name,
                                   .timeout = options.timeout};
  const absl::Time now = connection->Now();
  for (Task& task : tasks) {
    state->pipelines.push_back(SpawnPipeline::Prepare(std::move(task), options_.plugins, now));
  }
  internal::SettleIndexes(
      state->pipelines,
      [](SpawnPipeline& pipeline, auto visit) {
        for (Dependency& dependency : pipeline.spec().dependencies) {
          if (dependency.index.has_value()) dependency.index = visit(*dependency.index);
        }
      },
      [](SpawnPipeline& pipeline, const absl::Status& why) { pipeline.Scheduled(why); });
  request.specs.reserve(tasks.size());
  for (auto& pipeline : state->pipelines) {
    if (pipeline.ok()) request.specs.push_back(pipeline->TakeSpec());
  }
  if (request.specs.empty()) return state->Finish({});
  connection->Spawn(std::move(request),
                    [state](auto results) { state->Finish(std::move(results)); });
}

absl::StatusOr<Output> Client::Await(TaskId id, CallOptions options) {
  KANTOKU_RETURN_IF_ERROR(LibraryThreadScope::CheckMayWait());
  Answer<absl::StatusOr<Output>> answer;
  AwaitAsync(id, options, [&answer](auto output) { answer.Set(std::move(output)); });
  return answer.Take();
}

std::future<absl::StatusOr<Output>> Client::AwaitAsync(TaskId id, CallOptions options) {
  const auto promise = std::make_shared<std::promise<absl::StatusOr<Output>>>();
  AwaitAsync(id, options,
             [promise](absl::StatusOr<Output> output) { promise->set_value(std::move(output)); });
  return promise->get_future();
}

void Client::AwaitAsync(TaskId id, CallOptions options,
                        std::function<void(absl::StatusOr<Output>)> done) {
  connection_->Await({.id = id, .timeout = options.timeout}, std::move(done));
}

std::vector<absl::StatusOr<Output>> Client::AwaitAll(const std::vector<TaskId>& ids,
                                                     CallOptions options) {
  if (const absl::Status may = LibraryThreadScope::CheckMayWait(); !may.ok()) {
    return std::vector<absl::StatusOr<Output>>(ids.size(), may);
  }
  // In a local scope of its own so that the callbacks may still be in Set when Take returns.
  std::vector<std::shared_ptr<Answer<absl::StatusOr<Output>>>> answers;
  answers.reserve(ids.size());
  for (const TaskId& id : ids) {
    const auto answer = std::make_shared<Answer<absl::StatusOr<Output>>>();
    answers.push_back(answer);
    AwaitAsync(id, options, [answer](auto output) { answer->Set(std::move(output)); });
  }
  std::vector<absl::StatusOr<Output>> outputs;
  outputs.reserve(ids.size());
  for (const auto& answer : answers) outputs.push_back(answer->Take());
  return outputs;
}

absl::StatusOr<TaskState> Client::Cancel(TaskId id, CallOptions options) {
  return Control(id, ControlVerb::kCancel, {}, options);
}

std::vector<absl::StatusOr<TaskState>> Client::CancelAll(const std::vector<TaskId>& ids,
                                                         CallOptions options) {
  return ControlAll(ids, ControlVerb::kCancel, {}, options);
}

absl::StatusOr<TaskState> Client::Control(TaskId id, ControlVerb verb, ControlOptions what,
                                          CallOptions options) {
  return Only(ControlAll({id}, verb, std::move(what), options));
}

std::vector<absl::StatusOr<TaskState>> Client::ControlAll(const std::vector<TaskId>& ids,
                                                          ControlVerb verb, ControlOptions what,
                                                          CallOptions options) {
  return WaitForAll<TaskState>(ids.size(), [&](auto set) {
    connection_->Control({.ids = ids, .verb = verb, .options = what, .timeout = options.timeout},
                         std::move(set));
  });
}

absl::StatusOr<TaskInfo> Client::Get(TaskId id, CallOptions options) {
  return Only(GetAll({id}, options));
}

std::vector<absl::StatusOr<TaskInfo>> Client::GetAll(const std::vector<TaskId>& ids,
                                                     CallOptions options) {
  return WaitForAll<TaskInfo>(ids.size(), [&](auto set) {
    connection_->Get({.ids = ids, .timeout = options.timeout}, std::move(set));
  });
}

absl::StatusOr<Output> Client::GetOutput(TaskId id, CallOptions options) {
  return Only(WaitForAll<Output>(1, [&](auto set) {
    connection_->GetOutputs({.ids = {id}, .timeout = options.timeout}, std::move(set));
  }));
}

absl::StatusOr<TaskPage> Client::List(TaskQuery query, CallOptions options) {
  return connection_->List({.namespace_name = options_.namespace_name,
                            .query = std::move(query),
                            .timeout = options.timeout});
}

absl::StatusOr<uint64_t> Client::PatchInfo(TaskId id, InfoPatch patch, CallOptions options) {
  return connection_->PatchInfo({.id = id, .patch = std::move(patch), .timeout = options.timeout});
}

absl::StatusOr<RestartedTask> Client::Restart(TaskId id, CallOptions options) {
  KANTOKU_ASSIGN_OR_RETURN(RestartPage page, RestartAll({id}, {}, options));
  KANTOKU_RETURN_IF_ERROR(page.tasks.front().status);
  return std::move(page.tasks.front());
}

absl::StatusOr<RestartPage> Client::RestartAll(const std::vector<TaskId>& ids, RestartOptions what,
                                               CallOptions options) {
  if (ids.empty()) return RestartPage();
  return connection_->Restart({.namespace_name = options_.namespace_name,
                               .ids = ids,
                               .options = std::move(what),
                               .timeout = options.timeout});
}

absl::StatusOr<RestartPage> Client::RestartMatching(DeadTaskQuery query, RestartOptions what,
                                                    CallOptions options) {
  return connection_->Restart({.namespace_name = options_.namespace_name,
                               .query = std::move(query),
                               .options = std::move(what),
                               .timeout = options.timeout});
}

absl::StatusOr<std::vector<ExecutorInfo>> Client::ListExecutors(CallOptions options) {
  return connection_->ListExecutors(
      {.namespace_name = options_.namespace_name, .timeout = options.timeout});
}

std::vector<absl::Status> Client::ControlExecutors(const std::vector<std::string>& session_ids,
                                                   ExecutorVerb verb, ExecutorControlOptions what,
                                                   CallOptions options) {
  return connection_->ControlExecutors({.namespace_name = options_.namespace_name,
                                        .session_ids = session_ids,
                                        .verb = verb,
                                        .what = std::move(what),
                                        .timeout = options.timeout});
}

absl::Status Client::SetRoute(const std::string& type, const std::string& selector,
                              ChangeOptions what, CallOptions options) {
  if (selector.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "EMPTY_SELECTOR",
                           "selector: is empty; RemoveRoute removes a route");
  }
  return connection_->SetRoute({.namespace_name = options_.namespace_name,
                                .route = {.type = type, .selector = selector},
                                .what = std::move(what),
                                .timeout = options.timeout});
}

absl::Status Client::RemoveRoute(const std::string& type, ChangeOptions what, CallOptions options) {
  return connection_->SetRoute({.namespace_name = options_.namespace_name,
                                .route = {.type = type, .selector = {}},
                                .what = std::move(what),
                                .timeout = options.timeout});
}

absl::StatusOr<std::vector<Route>> Client::ListRoutes(CallOptions options) {
  return connection_->ListRoutes(
      {.namespace_name = options_.namespace_name, .timeout = options.timeout});
}

std::vector<absl::Status> Client::SetLimits(const std::vector<Limit>& limits, ChangeOptions what,
                                            CallOptions options) {
  auto answer = connection_->SetLimits({.namespace_name = options_.namespace_name,
                                        .set = limits,
                                        .what = std::move(what),
                                        .timeout = options.timeout});
  if (!answer.ok()) return std::vector<absl::Status>(limits.size(), answer.status());
  return std::move(answer->set);
}

std::vector<absl::Status> Client::RemoveLimits(const std::vector<LimitName>& names,
                                               ChangeOptions what, CallOptions options) {
  auto answer = connection_->SetLimits({.namespace_name = options_.namespace_name,
                                        .remove = names,
                                        .what = std::move(what),
                                        .timeout = options.timeout});
  if (!answer.ok()) return std::vector<absl::Status>(names.size(), answer.status());
  return std::move(answer->removed);
}

absl::StatusOr<std::vector<LimitInfo>> Client::ListLimits(CallOptions options) {
  std::vector<LimitInfo> limits;
  std::string token;
  do {
    auto page = connection_->ListLimits({.namespace_name = options_.namespace_name,
                                         .page_token = std::move(token),
                                         .timeout = options.timeout});
    if (!page.ok()) return page.status();
    std::ranges::move(page->limits, std::back_inserter(limits));
    token = std::move(page->next_page_token);
  } while (!token.empty());
  return limits;
}

absl::Status Client::SetPause(const TypePause& pause, ChangeOptions what, CallOptions options) {
  return connection_->SetPause({.namespace_name = options_.namespace_name,
                                .pause = pause,
                                .paused = true,
                                .what = std::move(what),
                                .timeout = options.timeout});
}

absl::Status Client::LiftPause(const std::string& type, ChangeOptions what, CallOptions options) {
  return connection_->SetPause({.namespace_name = options_.namespace_name,
                                .pause = {.type = type, .reason = {}},
                                .paused = false,
                                .what = std::move(what),
                                .timeout = options.timeout});
}

absl::StatusOr<std::vector<TypePause>> Client::ListPauses(CallOptions options) {
  return connection_->ListPauses(
      {.namespace_name = options_.namespace_name, .timeout = options.timeout});
}

absl::StatusOr<EventPage> Client::ReadEvents(EventQuery query, CallOptions options) {
  return connection_->ReadEvents({.namespace_name = options_.namespace_name,
                                  .query = std::move(query),
                                  .timeout = options.timeout});
}

std::unique_ptr<EventStream> Client::Subscribe(EventSubscription subscription) {
  return connection_->Subscribe(
      {.namespace_name = options_.namespace_name, .subscription = std::move(subscription)});
}

std::unique_ptr<ItemStream> Client::Stream(TaskId id, ItemPosition from) {
  return connection_->Stream({.id = id, .from = from});
}

absl::Status Client::WaitUntilReachable(absl::Duration timeout) {
  return connection_->WaitUntilReachable(timeout);
}

}  // namespace kantoku
