#include "client/cpp/src/fake_lists.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "client/cpp/src/fake_server.h"
#include "client/cpp/src/status_payloads.h"
#include "services/platform/status.h"

namespace kantoku {
namespace internal {
namespace {

int64_t ValueOf(const TaskInfo& task, TaskSort sort) {
  switch (sort) {
    case TaskSort::kPriority:
      return task.priority;
    case TaskSort::kEnded:
      return absl::ToUnixMillis(task.ended_at.value_or(absl::InfiniteFuture()));
    case TaskSort::kCreated:
    case TaskSort::kNone:
      return absl::ToUnixMillis(task.created_at);
  }
  return 0;
}

}  // namespace

absl::Status NoFilters() {
  return platform::Error(absl::StatusCode::kUnimplemented, "NOT_IN_FAKE",
                         "filter: a fake does not read selectors");
}

void Sort(const TaskQuery& query, std::vector<TaskInfo>& tasks) {
  if (query.sort == TaskSort::kNone) return;
  std::sort(tasks.begin(), tasks.end(), [&](const TaskInfo& a, const TaskInfo& b) {
    const int64_t left = ValueOf(a, query.sort);
    const int64_t right = ValueOf(b, query.sort);
    if (left != right) return query.descending ? left > right : left < right;
    return a.id < b.id;
  });
}

}  // namespace internal

absl::StatusOr<uint64_t> FakeKantoku::Server::PatchInfo(PatchInfoRequest request) {
  platform::MutexLock lock(mutex_);
  Record* const record = Find(request.id);
  if (record == nullptr) {
    return platform::Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                           absl::StrCat("no task ", request.id.ToString()));
  }
  TaskInfo& info = record->info;
  if (record->output.has_value()) {
    return platform::Error(absl::StatusCode::kFailedPrecondition, "TASK_ENDED",
                           absl::StrCat("task ", request.id.ToString(), " has ended"));
  }
  if (request.patch.expected_revision.value_or(info.info_revision) != info.info_revision) {
    absl::Status status =
        platform::Error(absl::StatusCode::kAborted, "REVISION_DIFFERS",
                        absl::StrCat("expected_revision: the revision is ", info.info_revision));
    status.SetPayload(internal::kRevisionPayload, absl::Cord(absl::StrCat(info.info_revision)));
    return status;
  }
  const auto before = info.info;
  for (const std::string& name : request.patch.remove) info.info.erase(name);
  for (const auto& [name, value] : request.patch.set) info.info[name] = value;
  if (info.info != before) ++info.info_revision;
  return info.info_revision;
}

}  // namespace kantoku
