#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/service.h"
#include "services/inputs/wire.h"
#include "services/platform/audit/why.h"
#include "services/platform/proto_time.h"
#include "services/platform/rpc/unary.h"
#include "services/platform/status.h"

// The calls of operators: executors that are to leave, and routes.
namespace kantoku::inputs {

using platform::Error;
using platform::HandleUnary;
using platform::Identity;
using platform::Reply;

namespace {

constexpr int kMaxSessions = 10'000;
constexpr absl::Duration kMaxBounce = absl::Hours(1);

absl::StatusOr<ExecutorCommand> ReadCommand(const v1::ControlExecutorsRequest& request) {
  const auto bad = [](std::string_view reason, std::string_view message) {
    return Error(absl::StatusCode::kInvalidArgument, reason, message);
  };
  if (request.session_ids_size() < 1 || request.session_ids_size() > kMaxSessions) {
    return bad("BAD_BATCH_SIZE", absl::StrCat("session_ids: ", request.session_ids_size(),
                                              " are not 1 to ", kMaxSessions));
  }
  if (request.verb() == v1::EXECUTOR_VERB_UNSPECIFIED ||
      !v1::ExecutorVerb_IsValid(request.verb())) {
    return bad("BAD_VERB",
               absl::StrCat("verb: ", request.verb(), " is none that this server knows"));
  }
  if (request.has_delay() && request.verb() != v1::EXECUTOR_VERB_BOUNCE) {
    return bad("CONTRADICTION", "delay: only a bounce has one");
  }
  const absl::Duration delay = platform::FromProto(request.delay());
  if (delay < absl::ZeroDuration() || delay > kMaxBounce) {
    return bad("OUT_OF_RANGE",
               absl::StrCat("delay: ", absl::FormatDuration(delay), " is not from 0 to ",
                            absl::FormatDuration(kMaxBounce)));
  }
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  ExecutorCommand command{.name_space = NamespaceOf(request),
                          .verb = static_cast<ExecutorVerb>(request.verb()),
                          .delay = delay,
                          .why = request.why()};
  for (const std::string& bytes : request.session_ids()) {
    const auto id = platform::Uuid::FromBytes(bytes);
    if (!id.ok()) return platform::Annotate(id.status(), "session_ids");
    command.sessions.emplace_back(*id);
  }
  return command;
}

absl::StatusOr<RouteCommand> ReadRoute(const v1::SetRouteRequest& request) {
  KANTOKU_RETURN_IF_ERROR(CheckType("type", request.type()));
  KANTOKU_RETURN_IF_ERROR(platform::CheckWhy(request.why()));
  RouteCommand command{
      .name_space = NamespaceOf(request), .type = request.type(), .why = request.why()};
  if (request.selector().empty()) return command;
  auto selector = Selector::Parse(request.selector());
  if (!selector.ok()) return platform::Annotate(selector.status(), "selector");
  command.selector = *std::move(selector);
  return command;
}

}  // namespace

void InputsServiceImpl::ControlExecutors(Served& served, platform::UnaryCall* call,
                                         const v1::ControlExecutorsRequest* request,
                                         v1::ControlExecutorsResponse* response) {
  HandleUnary(call, control_executors_, [&](const Identity& caller, Reply reply) {
    auto command = ReadCommand(*request);
    absl::Status sound = command.status();
    if (sound.ok()) sound = CheckNamespace(caller, command->name_space);
    if (!sound.ok()) return reply(sound);
    command->viewer = platform::Viewer(*call->identity());
    using Statuses = std::vector<absl::Status>;
    served.partition.ControlExecutors(
        *std::move(command),
        [call, response, reply = std::move(reply)](absl::StatusOr<Statuses> statuses) mutable {
          if (statuses.ok()) {
            call->NoteRefusedItem(*statuses, std::identity());
            for (const absl::Status& status : *statuses) {
              SetStatus(status, *response->add_results());
            }
          }
          reply(statuses.status());
        });
  });
}

void InputsServiceImpl::SetRoute(Served& served, platform::UnaryCall* call,
                                 const v1::SetRouteRequest* request, v1::SetRouteResponse*) {
  HandleUnary(call, set_route_, [&](const Identity& caller, Reply reply) {
    auto command = ReadRoute(*request);
    absl::Status sound = command.status();
    if (sound.ok()) sound = CheckNamespace(caller, command->name_space);
    if (!sound.ok()) return reply(sound);
    command->by = caller;
    served.partition.SetRoute(
        *std::move(command),
        [reply = std::move(reply)](absl::StatusOr<Partition::Nothing> done) mutable {
          reply(done.status());
        });
  });
}

void InputsServiceImpl::ListRoutes(Served& served, platform::UnaryCall* call,
                                   const v1::ListRoutesRequest* request,
                                   v1::ListRoutesResponse* response) {
  HandleUnary(call, list_routes_, [&](const Identity& caller, Reply reply) {
    const std::string name_space = NamespaceOf(*request);
    if (const absl::Status known = CheckNamespace(caller, name_space); !known.ok())
      return reply(known);
    served.partition.ListRoutes(name_space,
                                [response, reply = std::move(reply)](
                                    absl::StatusOr<std::vector<RouteRecord>> routes) mutable {
                                  if (routes.ok()) {
                                    for (const RouteRecord& route : *routes) {
                                      v1::Route& proto = *response->add_routes();
                                      proto.set_type(route.type);
                                      proto.set_selector(route.selector->canonical());
                                    }
                                  }
                                  reply(routes.status());
                                });
  });
}

}  // namespace kantoku::inputs
