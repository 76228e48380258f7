#include "client/cpp/src/grpc_connection.h"

#include <deque>
#include <thread>
#include <utility>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/src/blocking_call.h"
#include "client/cpp/src/convert.h"
#include "client/cpp/src/grpc_event_stream.h"
#include "client/cpp/src/grpc_item_stream.h"
#include "client/cpp/src/status_payloads.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace outputspb = ::kantoku::outputs::v1;
namespace eventspb = ::kantoku::events::v1;
namespace taskpb = ::kantoku::task::v1;

constexpr size_t kMaxIds = 10'000;
// What an id takes of a batch, with the tags and lengths around it.
constexpr size_t kIdBytes = TaskId::kSize + 16;
constexpr size_t kMaxRestarts = 1'000;
// A result that had no room in an answer beside those of others; the first one always has.
bool DidNotFit(const absl::Status& status) {
  return absl::IsResourceExhausted(status) && platform::ReasonOf(status) == "ANSWER_TOO_LARGE";
}

inputspb::GetTasksRequest Explained() {
  inputspb::GetTasksRequest request;
  request.set_explain(true);
  return request;
}

}  // namespace

std::shared_ptr<Connection> MakeGrpcConnection(GrpcConnectionOptions options) {
  // Inside a callback it cannot wait for its own end, so another thread does.
  return {new GrpcConnection(std::move(options)), [](GrpcConnection* connection) {
            if (!LibraryThreadScope::Inside()) {
              delete connection;
            } else {
              std::thread([connection] { delete connection; }).detach();
            }
          }};
}

GrpcConnection::GrpcConnection(GrpcConnectionOptions options)
    : options_(std::move(options)),
      inputs_(inputspb::InputsService::NewStub(options_.inputs)),
      outputs_(outputspb::OutputsService::NewStub(options_.outputs)),
      events_(eventspb::EventsService::NewStub(options_.events)),
      timer_(std::make_unique<Timer>(options_.environment.clock)),
      runtime_{options_.environment, *timer_, calls_, queue_},
      awaits_(runtime_, *outputs_, options_.tokens, options_.retry_for, options_.max_open_awaits),
      gets_(MakeByIds<inputspb::GetTasksRequest, inputspb::GetTasksResponse, TaskInfo>(
          Explained(), Limits(absl::InfiniteDuration()),
          [this](auto* context, const auto& request, auto* queue) {
            return inputs_->AsyncGetTasks(context, request, queue);
          },
          [](TaskId, inputspb::GetTaskResult& result) -> absl::StatusOr<TaskInfo> {
            KANTOKU_RETURN_IF_ERROR(ToStatus(result.status()));
            return ToInfo(result.info());
          })),
      outputs_now_(MakeByIds<outputspb::GetRequest, outputspb::GetResponse, Output>(
          {}, Limits(absl::InfiniteDuration()),
          [this](auto* context, const auto& request, auto* queue) {
            return outputs_->AsyncGet(context, request, queue);
          },
          [](TaskId id, outputspb::GetResult& result) {
            return ToOutput(id, result.status(), std::move(*result.mutable_result()));
          },
          [](const absl::StatusOr<Output>& output) -> std::optional<absl::Duration> {
            if (!DidNotFit(output.status())) return std::nullopt;
            return absl::ZeroDuration();
          })) {
  queue_.Start();
}

GrpcConnection::~GrpcConnection() {
  awaits_.Close();
  calls_.CloseAndWait();
  WakeSpawners();  // Nothing is sent any more: what rests is answered with that.
  timer_ = nullptr;
  queue_.Stop();
}

template <typename Request, typename Response, typename Result, typename Rpc, typename Convert>
std::unique_ptr<GrpcConnection::ByIds<Result>> GrpcConnection::MakeByIds(
    Request what, RetryLimits limits, Rpc rpc, Convert convert,
    typename ByIds<Result>::AskAgain ask_again) {
  auto send = [this, what = std::move(what), limits, rpc, convert](
                  std::vector<TaskId> ids,
                  typename ByIds<Result>::BatchDone done) -> std::shared_ptr<Cancellable> {
    Request request = what;
    for (const TaskId& id : ids) request.add_task_ids(id.bytes().data(), TaskId::kSize);
    return RetryingCall<Request, Response>::Start(
        runtime_, limits, rpc, std::move(request),
        [convert, ids = std::move(ids),
         done = std::move(done)](absl::StatusOr<Response> response) mutable {
          if (!response.ok()) return done(response.status());
          typename ByIds<Result>::Results results;
          // A missing or surplus answer is the gatherer's to notice.
          for (int i = 0; i < response->results_size(); ++i) {
            const TaskId id = static_cast<size_t>(i) < ids.size() ? ids[i] : TaskId();
            results.push_back(convert(id, *response->mutable_results(i)));
          }
          done(std::move(results));
        });
  };
  return std::make_unique<ByIds<Result>>(typename ByIds<Result>::Limits{.max_items = kMaxIds},
                                         *timer_, std::move(send), std::move(ask_again));
}

void GrpcConnection::Await(AwaitRequest request, AwaitDone done) {
  awaits_.Await(request.id, request.timeout, std::move(done));
}

namespace {

template <typename ByIds>
std::vector<absl::StatusOr<typename ByIds::Item>> ItemsOf(const std::vector<TaskId>& ids) {
  std::vector<absl::StatusOr<typename ByIds::Item>> items;
  items.reserve(ids.size());
  for (const TaskId& id : ids) {
    items.emplace_back(typename ByIds::Item{id, kIdBytes});
  }
  return items;
}

}  // namespace

void GrpcConnection::Control(ControlRequest request, ControlDone done) {
  const auto what = ToProto(request.verb, request.options);
  if (!what.ok()) return done({request.ids.size(), what.status()});
  ControllerOf(*what).Submit(ItemsOf<ByIds<TaskState>>(request.ids), request.timeout,
                             std::move(done));
}

GrpcConnection::ByIds<TaskState>& GrpcConnection::ControllerOf(
    const inputspb::ControlRequest& what) {
  platform::MutexLock lock(mutex_);
  std::unique_ptr<ByIds<TaskState>>& controller = controllers_[what.SerializeAsString()];
  if (controller == nullptr) {
    RetryLimits limits = Limits(absl::InfiniteDuration());
    // A step that was heard must not be asked again: that would be a second one.
    if (what.verb() == inputspb::CONTROL_VERB_STEP) limits.retry_for = absl::ZeroDuration();
    controller = MakeByIds<inputspb::ControlRequest, inputspb::ControlResponse, TaskState>(
        what, limits,
        [this](auto* context, const auto& request, auto* queue) {
          return inputs_->AsyncControl(context, request, queue);
        },
        [](TaskId, inputspb::ControlResult& result) -> absl::StatusOr<TaskState> {
          KANTOKU_RETURN_IF_ERROR(ToStatus(result.status()));
          return ToState(result.state());
        });
  }
  return *controller;
}

void GrpcConnection::Get(TasksRequest request, GetDone done) {
  gets_->Submit(ItemsOf<ByIds<TaskInfo>>(request.ids), request.timeout, std::move(done));
}

void GrpcConnection::GetOutputs(TasksRequest request, GetOutputsDone done) {
  outputs_now_->Submit(ItemsOf<ByIds<Output>>(request.ids), request.timeout, std::move(done));
}

absl::StatusOr<TaskPage> GrpcConnection::List(ListRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  KANTOKU_RETURN_IF_ERROR(CheckText("type", request.query.type));
  KANTOKU_RETURN_IF_ERROR(CheckText("page_token", request.query.page_token));
  inputspb::ListTasksRequest proto;
  proto.set_namespace_(std::move(request.namespace_name));
  proto.set_type(std::move(request.query.type));
  for (const TaskState state : request.query.states) proto.add_states(ToProto(state));
  if (!request.query.root.empty()) {
    proto.set_root_id(request.query.root.bytes().data(), TaskId::kSize);
  }
  proto.set_page_size(request.query.page_size);
  proto.set_page_token(std::move(request.query.page_token));
  KANTOKU_RETURN_IF_ERROR(CheckText("filter", request.query.filter));
  KANTOKU_RETURN_IF_ERROR(CheckText("context_id", request.query.context_id));
  proto.set_filter(std::move(request.query.filter));
  proto.set_context_id(std::move(request.query.context_id));
  proto.set_sort(static_cast<inputspb::TaskSort>(request.query.sort));
  proto.set_descending(request.query.descending);
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::ListTasksRequest, inputspb::ListTasksResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncListTasks(context, sent, queue);
                               },
                               std::move(proto))));
  TaskPage page;
  for (const taskpb::TaskInfo& info : response.tasks()) {
    KANTOKU_ASSIGN_OR_RETURN(TaskInfo task, ToInfo(info));
    page.tasks.push_back(std::move(task));
  }
  page.next_page_token = std::move(*response.mutable_next_page_token());
  return page;
}

absl::StatusOr<uint64_t> GrpcConnection::PatchInfo(PatchInfoRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.patch.why));
  inputspb::PatchInfoRequest proto;
  proto.set_why(std::move(request.patch.why));
  inputspb::InfoPatch& patch = *proto.add_patches();
  patch.set_task_id(request.id.bytes().data(), TaskId::kSize);
  KANTOKU_RETURN_IF_ERROR(SetEntries("info", request.patch.set, *patch.mutable_set()));
  for (const std::string& name : request.patch.remove) {
    KANTOKU_RETURN_IF_ERROR(CheckText("info", name));
    patch.add_remove(name);
  }
  if (request.patch.expected_revision.has_value()) {
    patch.set_expected_revision(*request.patch.expected_revision);
  }
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::PatchInfoRequest, inputspb::PatchInfoResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncPatchInfo(context, sent, queue);
                               },
                               std::move(proto))));
  if (response.results_size() != 1) {
    return platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                           "the server's answer does not fit the question");
  }
  const auto& result = response.results(0);
  absl::Status status = ToStatus(result.status());
  if (status.ok()) return result.revision();
  if (absl::IsAborted(status)) {
    status.SetPayload(kRevisionPayload, absl::Cord(absl::StrCat(result.revision())));
  }
  return status;
}

absl::StatusOr<RestartPage> GrpcConnection::RestartInOneCall(inputspb::RestartTasksRequest proto,
                                                             const RestartRequest& request,
                                                             absl::Duration deadline) {
  proto.set_namespace_(request.namespace_name);
  proto.set_dry_run(request.options.dry_run);
  proto.set_why(request.options.why);
  const absl::Duration left = deadline - options_.environment.clock.Read().steady;
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::RestartTasksRequest, inputspb::RestartTasksResponse>(
                               runtime_, Limits(left),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncRestartTasks(context, sent, queue);
                               },
                               std::move(proto))));
  RestartPage page;
  for (const auto& result : response.results()) page.tasks.push_back(ToRestarted(result));
  page.next_page_token = std::move(*response.mutable_next_page_token());
  return page;
}

// What a call has no room for goes into the next; the first task of a call always has.
absl::StatusOr<RestartPage> GrpcConnection::Restart(RestartRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.options.why));
  const absl::Duration deadline = options_.environment.clock.Read().steady + request.timeout;
  if (request.ids.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(auto matching, ToProto(request.query));
    return RestartInOneCall(std::move(matching), request, deadline);
  }
  RestartPage page;
  page.tasks.resize(request.ids.size());
  std::deque<size_t> open;
  for (size_t i = 0; i < request.ids.size(); ++i) open.push_back(i);
  while (!open.empty()) {
    std::vector<size_t> sent;
    inputspb::RestartTasksRequest proto;
    for (; !open.empty() && sent.size() < kMaxRestarts; open.pop_front()) {
      sent.push_back(open.front());
      proto.add_task_ids(request.ids[open.front()].bytes().data(), TaskId::kSize);
    }
    KANTOKU_ASSIGN_OR_RETURN(RestartPage part,
                             RestartInOneCall(std::move(proto), request, deadline));
    if (part.tasks.size() != sent.size() || DidNotFit(part.tasks.front().status)) {
      return platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                             "the server's answer does not fit the question");
    }
    for (size_t i = 0; i < sent.size(); ++i) {
      if (DidNotFit(part.tasks[i].status)) open.push_back(sent[i]);
      page.tasks[sent[i]] = std::move(part.tasks[i]);
    }
  }
  return page;
}

absl::StatusOr<std::vector<ExecutorInfo>> GrpcConnection::ListExecutors(
    ListExecutorsRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  inputspb::ListExecutorsRequest proto;
  proto.set_namespace_(std::move(request.namespace_name));
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::ListExecutorsRequest, inputspb::ListExecutorsResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncListExecutors(context, sent, queue);
                               },
                               std::move(proto))));
  std::vector<ExecutorInfo> executors;
  for (auto& executor : *response.mutable_executors()) {
    executors.push_back(ToExecutor(std::move(executor)));
  }
  return executors;
}

std::vector<absl::Status> GrpcConnection::ControlExecutors(ControlExecutorsRequest request) {
  const auto response = ControlInOneCall(request);
  if (!response.ok()) {
    return std::vector<absl::Status>(request.session_ids.size(), response.status());
  }
  std::vector<absl::Status> statuses;
  for (const auto& result : response->results()) statuses.push_back(ToStatus(result));
  statuses.resize(request.session_ids.size(),
                  platform::Error(absl::StatusCode::kInternal, "MALFORMED_ANSWER",
                                  "the server's answer is too short"));
  return statuses;
}

absl::StatusOr<inputspb::ControlExecutorsResponse> GrpcConnection::ControlInOneCall(
    const ControlExecutorsRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  inputspb::ControlExecutorsRequest proto;
  proto.set_namespace_(request.namespace_name);
  for (const std::string& text : request.session_ids) {
    const auto id = platform::Uuid::Parse(text);
    if (!id.ok()) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ID",
                             absl::StrCat("session \"", text, "\" is no id of a session"));
    }
    proto.add_session_ids(std::string(id->bytes()));
  }
  proto.set_verb(static_cast<inputspb::ExecutorVerb>(request.verb));
  if (request.verb == ExecutorVerb::kBounce) {
    KANTOKU_RETURN_IF_ERROR(SetDuration("delay", request.what.delay, *proto.mutable_delay()));
  }
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.what.why));
  proto.set_why(request.what.why);
  return Block<inputspb::ControlExecutorsRequest, inputspb::ControlExecutorsResponse>(
      runtime_, Limits(request.timeout),
      [this](auto* context, const auto& sent, auto* queue) {
        return inputs_->AsyncControlExecutors(context, sent, queue);
      },
      std::move(proto));
}

absl::Status GrpcConnection::SetRoute(SetRouteRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  KANTOKU_RETURN_IF_ERROR(CheckText("type", request.route.type));
  KANTOKU_RETURN_IF_ERROR(CheckText("selector", request.route.selector));
  KANTOKU_RETURN_IF_ERROR(CheckText("why", request.what.why));
  inputspb::SetRouteRequest proto;
  proto.set_why(std::move(request.what.why));
  proto.set_namespace_(std::move(request.namespace_name));
  proto.set_type(std::move(request.route.type));
  proto.set_selector(std::move(request.route.selector));
  return Block<inputspb::SetRouteRequest, inputspb::SetRouteResponse>(
             runtime_, Limits(request.timeout),
             [this](auto* context, const auto& sent, auto* queue) {
               return inputs_->AsyncSetRoute(context, sent, queue);
             },
             std::move(proto))
      .status();
}

absl::StatusOr<std::vector<Route>> GrpcConnection::ListRoutes(ListRoutesRequest request) {
  KANTOKU_RETURN_IF_ERROR(CheckText("namespace", request.namespace_name));
  inputspb::ListRoutesRequest proto;
  proto.set_namespace_(std::move(request.namespace_name));
  KANTOKU_ASSIGN_OR_RETURN(auto response,
                           (Block<inputspb::ListRoutesRequest, inputspb::ListRoutesResponse>(
                               runtime_, Limits(request.timeout),
                               [this](auto* context, const auto& sent, auto* queue) {
                                 return inputs_->AsyncListRoutes(context, sent, queue);
                               },
                               std::move(proto))));
  std::vector<Route> routes;
  for (const auto& route : response.routes()) routes.push_back({route.type(), route.selector()});
  return routes;
}

absl::StatusOr<EventPage> GrpcConnection::ReadEvents(ReadEventsRequest request) {
  eventspb::ReadRequest proto;
  KANTOKU_RETURN_IF_ERROR(CheckText("after", request.query.after));
  KANTOKU_RETURN_IF_ERROR(
      ToProto(request.query.filter, request.namespace_name, *proto.mutable_filter()));
  proto.set_after(std::move(request.query.after));
  proto.set_limit(request.query.limit);
  KANTOKU_ASSIGN_OR_RETURN(auto response, (Block<eventspb::ReadRequest, eventspb::ReadResponse>(
                                              runtime_, Limits(request.timeout),
                                              [this](auto* context, const auto& sent, auto* queue) {
                                                return events_->AsyncRead(context, sent, queue);
                                              },
                                              std::move(proto))));
  return EventPage{.events = ToEvents(response.events()),
                   .next = response.next(),
                   .end = response.end(),
                   .gap = response.gap()};
}

std::unique_ptr<EventStream> GrpcConnection::Subscribe(SubscribeRequest request) {
  EventSubscription& wanted = request.subscription;
  eventspb::SubscribeRequest proto;
  absl::Status refusal = CheckText("after", wanted.after);
  refusal.Update(ToProto(wanted.filter, request.namespace_name, *proto.mutable_filter()));
  proto.set_after(std::move(wanted.after));
  proto.set_start(wanted.from_oldest ? eventspb::START_AT_OLDEST : eventspb::START_AT_NOW);
  return std::make_unique<GrpcEventStream>(shared_from_this(), runtime_, *events_, std::move(proto),
                                           options_.retry_for, std::move(refusal));
}

std::unique_ptr<ItemStream> GrpcConnection::Stream(StreamRequest request) {
  return std::make_unique<GrpcItemStream>(shared_from_this(), runtime_, *outputs_, request.id,
                                          request.from, options_.retry_for);
}

absl::Status GrpcConnection::WaitUntilReachable(absl::Duration timeout) {
  KANTOKU_RETURN_IF_ERROR(LibraryThreadScope::CheckMayWait());
  const auto deadline =
      timeout == absl::InfiniteDuration()
          ? std::chrono::system_clock::time_point::max()
          : std::chrono::system_clock::now() + absl::ToChronoMilliseconds(timeout);
  if (options_.inputs->WaitForConnected(deadline)) return absl::OkStatus();
  return platform::Error(
      absl::StatusCode::kDeadlineExceeded, "UNREACHABLE",
      absl::StrCat("no server could be reached within ", absl::FormatDuration(timeout)));
}

RetryLimits GrpcConnection::Limits(absl::Duration timeout) const {
  return {.retry_for = options_.retry_for, .timeout = timeout};
}

}  // namespace kantoku::internal
