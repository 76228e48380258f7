#include "services/events/event_filter.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

namespace kantoku::events {
namespace {

absl::Status TooLarge(std::string_view field, int size, int limit) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "FILTER_TOO_LARGE",
                         absl::StrCat("filter.", platform::ToAbsl(field), ": has ", size,
                                      " entries, the limit is ", limit));
}

// What was refused, and what administrators did.
constexpr std::string_view kAuditPrefix = "audit.";

// Whether a reader may name this namespace.
absl::Status CheckNamespace(const platform::Identity& reader, std::string_view name_space) {
  KANTOKU_RETURN_IF_ERROR(platform::CheckMayUse(reader, name_space));
  if (name_space != platform::kEveryNamespace || reader.IsAdminOf(name_space)) {
    return absl::OkStatus();
  }
  return platform::Error(absl::StatusCode::kPermissionDenied, "NOT_ADMINISTRATOR",
                         "what is about the installation is for administrators");
}

}  // namespace

absl::StatusOr<EventFilter> EventFilter::Make(const v1::EventFilter& filter,
                                              const platform::Identity& reader) {
  if (filter.types_size() > kMaxTypes) return TooLarge("types", filter.types_size(), kMaxTypes);
  if (filter.task_ids_size() > kMaxTasks) {
    return TooLarge("task_ids", filter.task_ids_size(), kMaxTasks);
  }
  EventFilter made;
  made.name_space_ = filter.namespace_().empty() ? "default" : filter.namespace_();
  if (reader.service.empty()) {
    KANTOKU_RETURN_IF_ERROR(
        platform::Annotate(CheckNamespace(reader, made.name_space_), "filter.namespace"));
    if (!reader.IsAdminOf(made.name_space_)) made.owner_ = reader.subject;
  }
  for (int i = 0; i < filter.types_size(); ++i) {
    std::string type = filter.types(i);
    if (type.empty()) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_EVENT_TYPE",
                             absl::StrCat("filter.types[", i, "]: is empty"));
    }
    made.all_types_ = false;
    if (type.back() == '*') {
      type.pop_back();
      made.type_prefixes_.push_back(std::move(type));
    } else {
      made.types_.insert(std::move(type));
    }
  }
  for (int i = 0; i < filter.task_ids_size(); ++i) {
    const auto id = platform::TaskId::FromBytes(filter.task_ids(i));
    if (!id.ok()) return platform::Annotate(id.status(), absl::StrCat("filter.task_ids[", i, "]"));
    made.tasks_.insert(filter.task_ids(i));
  }
  return made;
}

bool EventFilter::MatchesRun(const v1::EventRun& run) const {
  if (run.namespace_() != name_space_ || !MaySee(run) || !MatchesType(run.type())) return false;
  return tasks_.empty() || !run.task_ids().empty();
}

bool EventFilter::MaySee(const v1::EventRun& run) const {
  if (!owner_.has_value() || run.owner() == *owner_) return true;
  return run.owner().empty() && run.task_ids().empty() && !run.type().starts_with(kAuditPrefix);
}

bool EventFilter::MatchesTask(std::string_view task_id) const {
  return tasks_.contains(platform::ToAbsl(task_id));
}

bool EventFilter::MatchesType(std::string_view type) const {
  return all_types_ || types_.contains(platform::ToAbsl(type)) ||
         std::any_of(type_prefixes_.begin(), type_prefixes_.end(),
                     [type](const std::string& prefix) { return type.starts_with(prefix); });
}

}  // namespace kantoku::events
