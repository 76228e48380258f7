#include "services/inputs/service.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/wire.h"
#include "services/platform/audit/why.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/relayed_stream.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

using platform::Error;
using platform::HandleUnary;
using platform::Identity;
using platform::Reply;

namespace {

constexpr int kMaxIds = 10'000;
constexpr uint32_t kMaxPage = 1'000;
constexpr uint32_t kDefaultPage = 100;
constexpr absl::Duration kMaxEscalation = absl::Hours(1);
// Of GetTasks; half of what a message may have.
constexpr size_t kMaxAnswerBytes = size_t{16} << 20;

absl::Status CheckCount(std::string_view field, int count, int limit) {
  if (count >= 1 && count <= limit) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE",
               absl::StrCat(platform::ToAbsl(field), ": ", count, " are not 1 to ", limit));
}

// Services name whom they ask for, others do not.
absl::Status CheckOnlookers(const v1::GetTasksRequest& request, bool service) {
  if (!service) {
    if (request.onlookers().empty() && request.asked_for().empty()) return absl::OkStatus();
    return Error(absl::StatusCode::kPermissionDenied, "NOT_A_SERVICE",
                 "onlookers: only a service asks for others");
  }
  if (request.asked_for_size() != request.task_ids_size()) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_BATCH_SIZE",
                 absl::StrCat("asked_for: ", request.asked_for_size(), " are not one for each of ",
                              request.task_ids_size(), " ids"));
  }
  const auto count = static_cast<uint32_t>(request.onlookers_size());
  const auto beyond =
      std::ranges::find_if(request.asked_for(), [count](uint32_t place) { return place >= count; });
  if (beyond == request.asked_for().end()) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE",
               absl::StrCat("asked_for: ", *beyond, " is no place among ", count, " onlookers"));
}

// For whom each of the sound ids is asked.
std::vector<platform::Viewer> ReadOnlookers(const v1::GetTasksRequest& request,
                                            const std::vector<absl::Status>& ids) {
  std::vector<platform::Viewer> onlookers;
  onlookers.reserve(request.onlookers_size());
  for (const v1::Onlooker& proto : request.onlookers()) {
    onlookers.emplace_back(
        platform::Onlooker(proto.subject(), {proto.namespaces().begin(), proto.namespaces().end()},
                           proto.administrator() ? platform::Sight::kAll : platform::Sight::kOwn));
  }
  std::vector<platform::Viewer> viewers;
  viewers.reserve(ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    if (ids[i].ok()) viewers.push_back(onlookers[request.asked_for(static_cast<int>(i))]);
  }
  return viewers;
}

// Ids by position; malformed ones have a status instead.
struct Ids {
  std::vector<TaskId> good;
  std::vector<absl::Status> statuses;  // One per id of the call.
};

Ids ReadIds(const google::protobuf::RepeatedPtrField<std::string>& bytes) {
  Ids ids;
  for (const std::string& id : bytes) {
    const auto task = TaskId::FromBytes(id);
    if (task.ok()) ids.good.push_back(*task);
    ids.statuses.push_back(task.ok() ? absl::OkStatus()
                                     : platform::Annotate(task.status(), "task_ids"));
  }
  return ids;
}

// What is asked of each id.
absl::StatusOr<ControlCommand> ReadControl(const v1::ControlRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckCount("task_ids", request.task_ids_size(), kMaxIds));
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  ControlCommand command{.verb = static_cast<ControlVerb>(request.verb()), .tree = request.tree()};
  if (request.verb() == v1::CONTROL_VERB_UNSPECIFIED || !v1::ControlVerb_IsValid(request.verb())) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_VERB",
                 absl::StrCat("verb: ", request.verb(), " is none that this server knows"));
  }
  if (!request.has_escalation()) return command;
  const absl::Duration escalation = platform::FromProto(request.escalation());
  if (command.verb != ControlVerb::kInterrupt) {
    return Error(absl::StatusCode::kInvalidArgument, "CONTRADICTION",
                 "escalation: goes with an interrupt");
  }
  if (escalation < absl::ZeroDuration() || escalation > kMaxEscalation) {
    return Error(absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE",
                 absl::StrCat("escalation: ", absl::FormatDuration(escalation),
                              " is not from 0 to ", absl::FormatDuration(kMaxEscalation)));
  }
  command.escalation = escalation;
  return command;
}

// A batch is in an order of its own when its tasks depend on later ones of the call.
std::vector<SpawnOutcome::Item> InOrderOfCall(std::vector<SpawnOutcome::Item> items,
                                              const std::vector<uint32_t>& places) {
  if (std::ranges::is_sorted(places)) return items;
  std::vector<uint32_t> order(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::ranges::sort(order, {}, [&](uint32_t item) { return places[item]; });
  std::vector<SpawnOutcome::Item> sorted;
  sorted.reserve(items.size());
  for (const uint32_t item : order) sorted.push_back(std::move(items[item]));
  return sorted;
}

absl::Status CheckSort(const v1::ListTasksRequest& request) {
  if (!v1::TaskSort_IsValid(request.sort())) {
    return Error(absl::StatusCode::kInvalidArgument, "BAD_SORT",
                 absl::StrCat("sort: ", request.sort(), " is none that this server knows"));
  }
  if (request.descending() && request.sort() == v1::TASK_SORT_UNSPECIFIED) {
    return Error(absl::StatusCode::kInvalidArgument, "CONTRADICTION",
                 "descending: goes with a sort");
  }
  return absl::OkStatus();
}

// Of what one item came to.
constexpr auto kStatusOf = [](const auto& answer) -> const absl::Status& {
  return answer.status();
};

// Gives each position of the call its own status, or the next answer.
template <typename Answers, typename Response, typename Encode>
void Interleave(const std::vector<absl::Status>& statuses, Answers& answers, Response& response,
                Encode encode) {
  auto next = answers.begin();
  for (const absl::Status& status : statuses) {
    auto& result = *response.add_results();
    if (status.ok()) {
      encode(*next++, result);
    } else {
      SetStatus(status, *result.mutable_status());
    }
  }
}

// Of a malformed id any.
uint32_t SlotOfId(const std::string& bytes) {
  const auto id = TaskId::FromBytes(bytes);
  return id.ok() ? id->slot() : 0;
}

// Of a request with `task_ids`, and what else it says to all of them.
template <typename Request>
platform::BatchParts<Request> PartsById() {
  return {.slots =
              [](const Request& request) {
                std::vector<uint32_t> slots;
                if (request.task_ids_size() > kMaxIds) return slots;
                slots.reserve(request.task_ids_size());
                for (const std::string& id : request.task_ids()) slots.push_back(SlotOfId(id));
                return slots;
              },
          .take =
              [](const Request& request, const std::vector<int>& items) {
                Request part = request;
                part.clear_task_ids();
                for (const int item : items) part.add_task_ids(request.task_ids(item));
                return part;
              }};
}

platform::BatchParts<v1::GetTasksRequest> PartsOfGetTasks() {
  auto parts = PartsById<v1::GetTasksRequest>();
  parts.take = [by_id = std::move(parts.take)](const v1::GetTasksRequest& request,
                                               const std::vector<int>& items) {
    v1::GetTasksRequest part = by_id(request, items);
    // Only services say for whom, and then of each.
    if (request.asked_for_size() != request.task_ids_size()) return part;
    part.clear_asked_for();
    for (const int item : items) part.add_asked_for(request.asked_for(item));
    return part;
  };
  return parts;
}

platform::BatchParts<v1::PatchInfoRequest> PartsOfPatchInfo() {
  return {.slots =
              [](const v1::PatchInfoRequest& request) {
                std::vector<uint32_t> slots;
                if (request.patches_size() > InputsServiceImpl::kMaxPatches) return slots;
                for (const auto& patch : request.patches()) {
                  slots.push_back(SlotOfId(patch.task_id()));
                }
                return slots;
              },
          .take =
              [](const v1::PatchInfoRequest& request, const std::vector<int>& items) {
                v1::PatchInfoRequest part = request;
                part.clear_patches();
                for (const int item : items) *part.add_patches() = request.patches(item);
                return part;
              }};
}

}  // namespace

InputsServiceImpl::InputsServiceImpl(Options options, const Routes& routes,
                                     const platform::MacKeys& keys, platform::Clock& clock,
                                     platform::CallMonitor& calls)
    : PartitionedService(v1::InputsService::service_full_name(), routes),
      options_(std::move(options)),
      silent_(options_.hello_limit),
      keys_(keys),
      clock_(clock),
      spawn_(calls.MethodOf("InputsService/Spawn")),
      pull_(calls.MethodOf("InputsService/Pull")),
      control_(calls.MethodOf("InputsService/Control")),
      get_tasks_(calls.MethodOf("InputsService/GetTasks")),
      list_tasks_(calls.MethodOf("InputsService/ListTasks")),
      patch_info_(calls.MethodOf("InputsService/PatchInfo")),
      restart_tasks_(calls.MethodOf("InputsService/RestartTasks")),
      list_executors_(calls.MethodOf("InputsService/ListExecutors")),
      control_executors_(calls.MethodOf("InputsService/ControlExecutors")),
      set_route_(calls.MethodOf("InputsService/SetRoute")),
      list_routes_(calls.MethodOf("InputsService/ListRoutes")),
      set_limits_(calls.MethodOf("InputsService/SetLimits")),
      list_limits_(calls.MethodOf("InputsService/ListLimits")),
      set_pause_(calls.MethodOf("InputsService/SetPause")),
      list_pauses_(calls.MethodOf("InputsService/ListPauses")),
      set_blocks_(calls.MethodOf("InputsService/SetBlocks")),
      list_blocks_(calls.MethodOf("InputsService/ListBlocks")) {
  Handle("Spawn", &InputsServiceImpl::Spawn);
  Handle("Pull", &InputsServiceImpl::Pull);
  HandleBatch("Control", control_, &InputsServiceImpl::Control, PartsById<v1::ControlRequest>());
  HandleBatch("GetTasks", get_tasks_, &InputsServiceImpl::GetTasks, PartsOfGetTasks());
  HandleBatch("PatchInfo", patch_info_, &InputsServiceImpl::PatchInfo, PartsOfPatchInfo());
  HandleInNamespace("ListTasks", list_tasks_, &InputsServiceImpl::ListTasks);
  HandleInNamespace("RestartTasks", restart_tasks_, &InputsServiceImpl::RestartTasks);
  HandleInNamespace("ListExecutors", list_executors_, &InputsServiceImpl::ListExecutors);
  HandleInNamespace("ControlExecutors", control_executors_, &InputsServiceImpl::ControlExecutors);
  HandleInNamespace("SetRoute", set_route_, &InputsServiceImpl::SetRoute);
  HandleInNamespace("ListRoutes", list_routes_, &InputsServiceImpl::ListRoutes);
  HandleInNamespace("SetLimits", set_limits_, &InputsServiceImpl::SetLimits);
  HandleInNamespace("ListLimits", list_limits_, &InputsServiceImpl::ListLimits);
  HandleInNamespace("SetPause", set_pause_, &InputsServiceImpl::SetPause);
  HandleInNamespace("ListPauses", list_pauses_, &InputsServiceImpl::ListPauses);
  HandleSound("SetBlocks", set_blocks_, &InputsServiceImpl::SetBlocksEverywhere);
  HandleInSlot("ListBlocks", list_blocks_, &InputsServiceImpl::ListBlocks,
               std::function<uint32_t(const v1::ListBlocksRequest&)>(
                   [](const v1::ListBlocksRequest&) { return uint32_t{0}; }));
}

template <typename Request, typename Response>
void InputsServiceImpl::HandleInNamespace(
    const std::string& method, platform::CallMonitor::Method& monitor,
    void (InputsServiceImpl::*handle)(Served&, platform::UnaryCall*, const Request*, Response*)) {
  HandleInSlot(method, monitor, handle,
               std::function<uint32_t(const Request&)>([](const Request& request) {
                 return platform::SlotOfNamespace(NamespaceOf(request), platform::kSlotCount);
               }));
}

absl::Status InputsServiceImpl::CheckNamespace(const Identity& caller,
                                               const std::string& name) const {
  KANTOKU_RETURN_IF_ERROR(platform::Annotate(CheckMayUse(caller, name), "namespace"));
  if (options_.namespaces.contains(name)) return absl::OkStatus();
  return Error(absl::StatusCode::kNotFound, "NO_SUCH_NAMESPACE",
               absl::StrCat("namespace: there is no \"", name, "\""));
}

void InputsServiceImpl::Spawn(platform::UnaryCall* call,
                              const platform::Received<v1::SpawnRequest>* request,
                              v1::SpawnResponse* response) {
  Route(call, spawn_, "Spawn", PartitionOf(NamespaceOf(request->message)), *request, response,
        [&](Served& served) { SpawnHere(served, call, *request, response); });
}

void InputsServiceImpl::SpawnHere(Served& served, platform::UnaryCall* call,
                                  const platform::Received<v1::SpawnRequest>& request,
                                  v1::SpawnResponse* response) {
  HandleUnary(call, spawn_, [&](const Identity& caller, Reply reply) {
    auto checked = ReadSpawn(request, caller, options_.limits, clock_.Read().wall);
    if (!checked.ok()) return reply(checked.status());
    if (const absl::Status known = CheckNamespace(caller, checked->batch->name_space);
        !known.ok()) {
      return reply(known);
    }
    call->NoteRefusedItem(checked->statuses, std::identity());
    auto answer = [response, statuses = std::move(checked->statuses),
                   places = std::move(checked->places),
                   reply = std::move(reply)](absl::StatusOr<SpawnOutcome> outcome) mutable {
      if (outcome.ok()) {
        const auto items = InOrderOfCall(std::move(outcome->items), places);
        Interleave(statuses, items, *response, &SetSpawnResult);
      }
      reply(outcome.status());
    };
    if (checked->batch->specs.empty()) return answer(SpawnOutcome());
    served.partition.Spawn(std::move(checked->batch), std::move(answer),
                           absl::FromChrono(call->deadline()));
  });
}

void InputsServiceImpl::Pull(PullStream::Call* call) {
  const auto caller = platform::AdmitCall(*call);
  if (!caller.ok()) return call->Refuse(pull_, caller.status());
  if (map().count() == 1) return PullIn(0, call, *caller, std::nullopt);
  // The executor says first whose tasks it runs.
  const auto first = platform::ReadFirst<PullStream::Request, PullStream::Response>(
      call, pull_, [this, caller = *caller](PullStream::Call* call, PullStream::Request first) {
        const uint32_t partition = PartitionOf(NamespaceOf(first.message.hello()));
        PullIn(partition, call, caller, std::move(first));
      });
  silent_.Add(first, clock_.Read().steady,
              Error(absl::StatusCode::kUnavailable, "PINGS_UNANSWERED", "nothing was heard"));
}

void InputsServiceImpl::PullIn(uint32_t partition, PullStream::Call* call,
                               const std::shared_ptr<const Identity>& caller,
                               std::optional<PullStream::Request> first) {
  const Place place = Find(partition, *call);
  if (place.here != nullptr) {
    const std::shared_ptr<Partition> served(place.here, &place.here->partition);
    auto stream =
        std::make_shared<PullStream>(call, pull_, caller, served, keys_, options_.namespaces);
    place.here->streams.Add(stream);
    return stream->Start(std::move(first));
  }
  if (place.address.empty()) return call->Refuse(pull_, Nowhere(partition));
  using Relayed = platform::RelayedStream<PullStream::Request, v1::PullResponse>;
  std::make_shared<Relayed>(
      call, pull_, *forwarder(),
      platform::RelayTarget{.path = PathOf("Pull"),
                            .replica = {.address = place.address, .partition = partition}})
      ->Start(std::move(first));
}

void InputsServiceImpl::Control(Served& served, platform::UnaryCall* call,
                                const v1::ControlRequest* request, v1::ControlResponse* response) {
  HandleUnary(call, control_, [&](const Identity&, Reply reply) {
    auto what = ReadControl(*request);
    if (!what.ok()) return reply(what.status());
    Ids ids = ReadIds(request->task_ids());
    using States = std::vector<absl::StatusOr<TaskState>>;
    served.partition.Control({.tasks = std::move(ids.good),
                              .what = *what,
                              .viewer = platform::Viewer(*call->identity()),
                              .why = request->why()},
                             [call, response, statuses = std::move(ids.statuses),
                              reply = std::move(reply)](absl::StatusOr<States> states) mutable {
                               if (states.ok()) {
                                 call->NoteRefusedItem(*states, kStatusOf);
                                 Interleave(statuses, *states, *response, &SetControlResult);
                               }
                               reply(states.status());
                             });
  });
}

void InputsServiceImpl::GetTasks(Served& served, platform::UnaryCall* call,
                                 const v1::GetTasksRequest* request,
                                 v1::GetTasksResponse* response) {
  HandleUnary(call, get_tasks_, [&](const Identity& caller, Reply reply) {
    const bool service = !caller.service.empty();  // Outputs asks on behalf of those who wait.
    absl::Status sound = CheckCount("task_ids", request->task_ids_size(), kMaxIds);
    if (sound.ok()) sound = CheckOnlookers(*request, service);
    if (!sound.ok()) return reply(sound);
    Ids ids = ReadIds(request->task_ids());
    std::vector<platform::Viewer> viewers;
    if (service) {
      viewers = ReadOnlookers(*request, ids.statuses);
    } else {
      viewers.emplace_back(*call->identity());
    }
    using Views = std::vector<absl::StatusOr<TaskView>>;
    served.partition.GetTasks(
        std::move(ids.good), std::move(viewers), request->explain() && !request->states_only(),
        [call, response, service, states_only = request->states_only(),
         statuses = std::move(ids.statuses),
         reply = std::move(reply)](absl::StatusOr<Views> views) mutable {
          if (views.ok()) {
            if (!service) call->NoteRefusedItem(*views, kStatusOf);
            size_t room = kMaxAnswerBytes;
            Interleave(statuses, *views, *response,
                       [&](const absl::StatusOr<TaskView>& view, auto& result) {
                         SetTaskResult(view, states_only, room, result);
                       });
          }
          reply(views.status());
        });
  });
}

void InputsServiceImpl::ListTasks(Served& served, platform::UnaryCall* call,
                                  const v1::ListTasksRequest* request,
                                  v1::ListTasksResponse* response) {
  HandleUnary(call, list_tasks_, [&](const Identity& caller, Reply reply) {
    absl::Status sound = CheckNamespace(caller, NamespaceOf(*request));
    if (sound.ok() && request->page_size() > kMaxPage) {
      sound =
          Error(absl::StatusCode::kInvalidArgument, "OUT_OF_RANGE",
                absl::StrCat("page_size: ", request->page_size(), " is not from 1 to ", kMaxPage));
    }
    TaskId root;
    if (sound.ok() && !request->root_id().empty()) {
      const auto id = TaskId::FromBytes(request->root_id());
      if (id.ok()) root = *id;
      sound = platform::Annotate(id.status(), "root_id");
    }
    if (sound.ok()) sound = CheckSort(*request);
    if (sound.ok()) sound = CheckContext("context_id", request->context_id());
    auto filter = ReadFilter("filter", request->filter());
    if (sound.ok()) sound = filter.status();
    if (!sound.ok()) return reply(sound);
    ListCommand command{.name_space = NamespaceOf(*request),
                        .viewer = platform::Viewer(*call->identity()),
                        .type = request->type(),
                        .states = ReadStates(request->states()),
                        .root = root,
                        .limit = request->page_size() == 0 ? kDefaultPage : request->page_size(),
                        .page_token = request->page_token(),
                        .context = request->context_id(),
                        .selector = *std::move(filter),
                        .sort = static_cast<TaskSort>(request->sort()),
                        .descending = request->descending()};
    served.partition.ListTasks(std::move(command), [response, reply = std::move(reply)](
                                                       absl::StatusOr<TaskPage> page) mutable {
      if (page.ok()) {
        for (const TaskView& task : page->tasks) SetTaskInfo(task, *response->add_tasks());
        response->set_next_page_token(page->next);
      }
      reply(page.status());
    });
  });
}

void InputsServiceImpl::ListExecutors(Served& served, platform::UnaryCall* call,
                                      const v1::ListExecutorsRequest* request,
                                      v1::ListExecutorsResponse* response) {
  HandleUnary(call, list_executors_, [&](const Identity& caller, Reply reply) {
    if (const absl::Status known = CheckNamespace(caller, NamespaceOf(*request)); !known.ok()) {
      return reply(known);
    }
    served.partition.ListExecutors(NamespaceOf(*request),
                                   [response, reply = std::move(reply)](
                                       absl::StatusOr<std::vector<SessionView>> sessions) mutable {
                                     if (sessions.ok()) {
                                       for (const SessionView& session : *sessions) {
                                         SetExecutorInfo(session, *response->add_executors());
                                       }
                                     }
                                     reply(sessions.status());
                                   });
  });
}

}  // namespace kantoku::inputs
