#ifndef KANTOKU_SERVICES_EVENTS_EVENT_FILTER_H_
#define KANTOKU_SERVICES_EVENTS_EVENT_FILTER_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "kantoku/events/v1/events.pb.h"
#include "services/platform/identity/identity.h"

namespace kantoku::events {

// Which events a reader wants, and may see: those about tasks of its own, and those about no task
// but the audit trail; an administrator of the namespace, and a service, those about everybody's.
// Events about the installation lie in the namespace `*`, which only administrators of every
// namespace, and services, may name.
// Asked once per run for what its events share, then, when the filter names tasks, once per task.
//
// Thread-compatible.
class EventFilter {
 public:
  static constexpr int kMaxTypes = 100;
  static constexpr int kMaxTasks = 10'000;

  // INVALID_ARGUMENT: FILTER_TOO_LARGE, INVALID_EVENT_TYPE, INVALID_ID; names the entry.
  // PERMISSION_DENIED, NAMESPACE_FORBIDDEN, NOT_ADMINISTRATOR.
  static absl::StatusOr<EventFilter> Make(const v1::EventFilter& filter,
                                          const platform::Identity& reader);

  // Equal ones match, and show, the same.
  friend bool operator==(const EventFilter&, const EventFilter&) = default;

  bool MatchesRun(const v1::EventRun& run) const;

  // Whether tasks matter.
  bool names_tasks() const { return !tasks_.empty(); }
  bool MatchesTask(std::string_view task_id) const;

 private:
  bool MaySee(const v1::EventRun& run) const;
  bool MatchesType(std::string_view type) const;

  std::optional<std::string> owner_;  // Of tasks; none: all.
  std::string name_space_;
  absl::flat_hash_set<std::string> types_;
  std::vector<std::string> type_prefixes_;
  bool all_types_ = true;
  absl::flat_hash_set<std::string> tasks_;
};

}  // namespace kantoku::events

#endif  // KANTOKU_SERVICES_EVENTS_EVENT_FILTER_H_
