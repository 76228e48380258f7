#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_TASK_FILTER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_TASK_FILTER_H_

#include <optional>
#include <string_view>
#include <vector>

#include "services/inputs/engine/types.h"
#include "services/inputs/selector/selector.h"
#include "services/platform/identity/viewer.h"

namespace kantoku::inputs {

// Which tasks a list shows.
struct TaskFilter {
  std::string_view name_space;
  std::string_view type;               // Empty: all.
  std::vector<TaskState> states;       // Empty: all.
  platform::Viewer viewer;             // Who looks: shown is what it sees.
  TaskId root;                         // Empty: of all trees and of none.
  std::string_view context;            // Empty: of all contexts and of none.
  std::optional<Selector> selector{};  // Of their info, and what LabelOf tells beside it.

  bool Matches(const TaskView& view) const;
  // Whether a task in such a state may match at all.
  bool Shows(TaskState state) const;
};

// The words of states in filters: "running".
std::string_view WordOf(TaskState state);

// Whether it matches the info of a task, and what LabelOf tells beside it.
bool MatchesInfo(const Selector& selector, const TaskView& view);

// What a filter finds under this name: an entry of the info, or what the server adds, such as
// `task.type`. nullopt where there is none.
std::optional<std::string> LabelOf(const TaskView& view, std::string_view name);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_TASK_FILTER_H_
