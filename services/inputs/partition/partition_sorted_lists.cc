#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/platform/status.h"

// Lists in an order of their own. Nothing is kept from page to page: each looks at all that the
// list may show, and goes on behind the last task of the one before.
namespace kantoku::inputs {

using platform::Error;

namespace {

// Tasks that a sorted list may look at.
constexpr size_t kSortBudget = 20'000;

struct Place {
  int64_t value = 0;
  TaskKey key = 0;
};

int64_t ValueOf(const TaskView& task, TaskSort sort) {
  switch (sort) {
    case TaskSort::kPriority:
      return task.priority;
    case TaskSort::kEnded:
      return task.ended_at.has_value() ? absl::ToUnixMillis(*task.ended_at) : INT64_MAX;
    case TaskSort::kCreated:
    case TaskSort::kNone:
      return static_cast<int64_t>(task.id.key());
  }
  return 0;
}

// Equal ones are in the order of their spawn, whichever way round the list is.
bool IsBefore(const Place& a, const Place& b, bool descending) {
  if (a.value != b.value) return descending ? a.value > b.value : a.value < b.value;
  return a.key < b.key;
}

absl::StatusOr<Place> ParsePlace(std::string_view token) {
  Place place;
  const char* const end = token.data() + token.size();
  if (token.starts_with('S')) {
    const auto value = std::from_chars(token.data() + 1, end, place.value);
    if (value.ec == std::errc() && value.ptr != end && *value.ptr == '.') {
      const auto key = std::from_chars(value.ptr + 1, end, place.key);
      if (key.ec == std::errc() && key.ptr == end) return place;
    }
  }
  return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
               "page_token: did not come from an earlier page of this list");
}

absl::Status TooMany(std::string_view which) {
  return Error(absl::StatusCode::kFailedPrecondition, "SORT_LIMIT",
               absl::StrCat("sort: more than ", kSortBudget, " ", platform::ToAbsl(which),
                            " tasks are to be looked at; name states without these, a context for "
                            "living ones, or take the list in the order of spawns"));
}

}  // namespace

absl::StatusOr<std::vector<TaskView>> Partition::AllMatching(const TaskFilter& filter) {
  std::vector<TaskView> tasks;
  const auto shows = [&](auto... states) { return (filter.Shows(states) || ...); };
  const bool living = filter.states.empty() || !std::ranges::all_of(filter.states, &IsFinal);
  if (living) {
    std::optional<TaskKey> from = 0;
    tasks = engine_.List(filter, SIZE_MAX, kSortBudget, from);
    if (from.has_value()) return TooMany("living");
  }
  const auto add = [&](RecordKind kind, const History& history) -> absl::Status {
    if (history.size() > kSortBudget) {
      return TooMany(kind == RecordKind::kHistory ? "succeeded" : "dead");
    }
    for (const History::Row& row : history.rows()) {
      KANTOKU_ASSIGN_OR_RETURN(const Row ended, ReadRow(kind, row.number));
      for (const TaskView& task : *ended) {
        if (!filter.Matches(task)) continue;
        tasks.push_back(task);
        tasks.back().restarted_as = engine_.RestartedAs(task.id.key());
      }
    }
    return absl::OkStatus();
  };
  if (shows(TaskState::kSucceeded)) {
    KANTOKU_RETURN_IF_ERROR(add(RecordKind::kHistory, engine_.history()));
  }
  if (shows(TaskState::kFailed, TaskState::kCancelled)) {
    KANTOKU_RETURN_IF_ERROR(add(RecordKind::kDead, engine_.dead()));
  }
  return tasks;
}

absl::StatusOr<TaskPage> Partition::ApplySortedList(const ListCommand& command,
                                                    const TaskFilter& filter) {
  std::optional<Place> last;
  if (!command.page_token.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(last, ParsePlace(command.page_token));
  }
  KANTOKU_ASSIGN_OR_RETURN(std::vector<TaskView> tasks, AllMatching(filter));
  const auto place = [&](const TaskView& task) {
    return Place{ValueOf(task, command.sort), task.id.key()};
  };
  if (last.has_value()) {
    std::erase_if(tasks, [&](const TaskView& task) {
      return !IsBefore(*last, place(task), command.descending);
    });
  }
  std::ranges::sort(tasks, [&](const TaskView& a, const TaskView& b) {
    return IsBefore(place(a), place(b), command.descending);
  });
  TaskPage page;
  const bool more = tasks.size() > command.limit;
  if (more) tasks.erase(tasks.begin() + static_cast<std::ptrdiff_t>(command.limit), tasks.end());
  page.tasks = std::move(tasks);
  if (more) {
    const Place end = place(page.tasks.back());
    page.next = absl::StrCat("S", end.value, ".", end.key);
  }
  return page;
}

}  // namespace kantoku::inputs
