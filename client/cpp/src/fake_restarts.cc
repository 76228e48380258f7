#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client/cpp/src/fake_lists.h"
#include "client/cpp/src/fake_server.h"
#include "services/platform/status.h"

// Restarts of dead tasks, as far as a fake has them.
namespace kantoku {
namespace {

constexpr size_t kDefaultPageSize = 100;

bool Matches(const DeadTaskQuery& query, const std::string& namespace_name, const TaskInfo& info) {
  const bool dead = info.state == TaskState::kFailed || info.state == TaskState::kCancelled;
  const auto& states = query.states;
  const std::string reason = info.last_error.has_value() ? info.last_error->reason : "";
  return dead && info.namespace_name == namespace_name &&
         (query.type.empty() || info.type == query.type) &&
         (query.reason.empty() || reason == query.reason) &&
         (states.empty() || std::find(states.begin(), states.end(), info.state) != states.end()) &&
         (query.root.empty() || info.root == query.root) &&
         (query.context_id.empty() || info.context_id == query.context_id) &&
         info.ended_at >= query.ended_after.value_or(absl::InfinitePast()) &&
         info.ended_at < query.ended_before.value_or(absl::InfiniteFuture());
}

}  // namespace

absl::StatusOr<RestartPage> FakeKantoku::Server::Restart(RestartRequest request) {
  if (!request.query.filter.empty()) return internal::NoFilters();
  RestartPage page;
  {
    platform::MutexLock lock(mutex_);
    std::vector<TaskId> ids = std::move(request.ids);
    if (ids.empty()) {
      KANTOKU_ASSIGN_OR_RETURN(ids, PickDead(request, page.next_page_token));
    }
    for (const TaskId& id : ids) page.tasks.push_back(RestartOne(id, request.options.dry_run));
  }
  RunDue();
  return page;
}

// A token names the first record to look at, and how many there were on the first page: what has
// come since is on none.
absl::StatusOr<std::vector<TaskId>> FakeKantoku::Server::PickDead(const RestartRequest& request,
                                                                  std::string& next) const {
  size_t at = 0;
  size_t end = records_.size();
  if (const std::string& token = request.query.page_token; !token.empty()) {
    const std::vector<std::string> parts = absl::StrSplit(token, '.');
    if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &at) ||
        !absl::SimpleAtoi(parts[1], &end) || end > records_.size()) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
                             "page_token: did not come from an earlier page");
    }
  }
  const size_t most = request.query.page_size == 0 ? kDefaultPageSize : request.query.page_size;
  std::vector<TaskId> ids;
  for (; at < end; ++at) {
    const TaskInfo& info = records_[at]->info;
    if (!Matches(request.query, request.namespace_name, info)) continue;
    if (ids.size() == most) {
      next = absl::StrCat(at, ".", end);
      break;
    }
    ids.push_back(info.id);
  }
  return ids;
}

RestartedTask FakeKantoku::Server::RestartOne(const TaskId& id, bool dry_run) {
  Record* const dead = Find(id);
  const auto refuse = [&](absl::StatusCode code, std::string_view reason) {
    return RestartedTask{
        .dead = id,
        .status = platform::Error(code, reason, absl::StrCat("task ", id.ToString())),
        .id = {}};
  };
  if (dead == nullptr) return refuse(absl::StatusCode::kNotFound, "NO_SUCH_TASK");
  if (!dead->output.has_value()) {
    return refuse(absl::StatusCode::kFailedPrecondition, "TASK_LIVES");
  }
  if (dead->output->succeeded()) {
    return refuse(absl::StatusCode::kFailedPrecondition, "TASK_SUCCEEDED");
  }
  RestartedTask restarted{.dead = id, .status = {}, .id = dead->info.restarted_as};
  if (dry_run || !restarted.id.empty()) return restarted;
  const TaskInfo info = dead->info;
  TaskSpec spec = dead->spec;
  by_reference_.erase({info.namespace_name, spec.reference});
  for (Dependency& dependency : spec.dependencies) {
    const Record* newest = Find(dependency.task);
    while (!newest->info.restarted_as.empty()) newest = Find(newest->info.restarted_as);
    dependency.task = newest->info.id;
    if (newest->output.has_value()) dependency.on_failure = OnFailure::kRun;
  }
  spec.parent = TaskId();  // It may have ended, and its tree too: both are kept.
  spec.root = TaskId();
  const auto spawned = Accept(info.namespace_name, std::move(spec));
  if (!spawned.ok()) return {.dead = id, .status = spawned.status(), .id = {}};
  Record& record = *Find(spawned->id);
  record.info.parent = info.parent;
  record.info.root = info.root;
  record.info.info = info.info;
  record.info.restarted_from = id;
  dead->info.restarted_as = spawned->id;
  restarted.id = spawned->id;
  restarted.created = true;
  return restarted;
}

}  // namespace kantoku
