#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// What operators set and ask for: routes, and executors that are to leave.
namespace kantoku::inputs {

using platform::Error;
using platform::Now;

absl::Status Engine::SetRoute(std::string_view name_space, std::string_view type,
                              const std::optional<Selector>& selector, const Now& now,
                              Effects& effects) {
  Advance(now);
  const std::pair<std::string, std::string> key(name_space, type);
  const auto known = routes_.find(key);
  if (!selector.has_value()) {
    if (known == routes_.end()) {
      return Error(absl::StatusCode::kNotFound, "NO_SUCH_ROUTE",
                   absl::StrCat("type: there is no route for \"", platform::ToAbsl(type), "\""));
    }
    effects.routes.push_back({known->second.number, std::nullopt});
    routes_.erase(known);
    matcher_.SetRoute(name_space, type, nullptr);
    return absl::OkStatus();
  }
  if (known == routes_.end() && routes_.size() >= options_.max_routes) {
    return Error(
        absl::StatusCode::kResourceExhausted, "ROUTE_LIMIT",
        absl::StrCat("type: one more route exceeds the server's limit of ", options_.max_routes));
  }
  const uint64_t number = known == routes_.end() ? next_object_++ : known->second.number;
  routes_.insert_or_assign(key, Route{number, *selector});
  effects.routes.push_back({number, RouteRecord{key.first, key.second, selector}});
  if (KANTOKU_PLANTED("another route of a type not heeded") && known != routes_.end()) {
    return absl::OkStatus();
  }
  matcher_.SetRoute(name_space, type, &*selector);
  return absl::OkStatus();
}

void Engine::RecoverRoute(uint64_t number, const RouteRecord& record) {
  next_object_ = std::max(next_object_, number + 1);
  routes_.insert_or_assign(std::pair(record.name_space, record.type),
                           Route{number, *record.selector});
  if (KANTOKU_PLANTED("route lost in recovery")) return;
  matcher_.SetRoute(record.name_space, record.type, &*record.selector);
}

std::vector<RouteRecord> Engine::Routes(std::string_view name_space) const {
  std::vector<RouteRecord> routes;
  for (auto route = routes_.lower_bound(std::pair(std::string(name_space), std::string()));
       route != routes_.end() && route->first.first == name_space; ++route) {
    routes.push_back({route->first.first, route->first.second, route->second.selector});
  }
  return routes;
}

absl::Status Engine::ControlExecutor(std::string_view name_space, const platform::Viewer& viewer,
                                     const SessionId& id, ExecutorVerb verb, absl::Duration delay,
                                     Effects& effects) {
  Session* const session = sessions_.Find(id);
  if (session == nullptr || names_.at(session->name_space) != name_space) {
    return Error(absl::StatusCode::kNotFound, "NO_SUCH_SESSION",
                 absl::StrCat("session_ids: there is no session ", id.ToString()));
  }
  if (!viewer.Sees(name_space, session->caller.subject)) {
    return Error(absl::StatusCode::kPermissionDenied, "NOT_YOUR_EXECUTOR",
                 absl::StrCat("session_ids: session ", id.ToString(),
                              " is of another user; whose it is and administrators may ask it"));
  }
  if (session->connection == 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "NOT_CONNECTED",
                 absl::StrCat("session_ids: session ", id.ToString(), " is not connected"));
  }
  session->leaving = !KANTOKU_PLANTED("dispatch to an executor that is to leave");
  matcher_.SetRoom(session->number, session->room());
  effects.executor_controls.push_back({session->connection, verb, delay});
  return absl::OkStatus();
}

}  // namespace kantoku::inputs
