#include "services/inputs/engine/task_filter.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kantoku::inputs {
namespace {

using Told = std::optional<std::string>;

Told UnlessEmpty(std::string_view text) {
  return text.empty() ? std::nullopt : Told(std::string(text));
}

Told IdText(const TaskId& id) { return id.empty() ? std::nullopt : Told(id.ToString()); }

// Seconds since 1970 with milliseconds, as selectors compare numbers.
Told TimeText(const std::optional<absl::Time>& time) {
  if (!time.has_value()) return std::nullopt;
  const int64_t millis = absl::ToUnixMillis(*time);
  return absl::StrFormat("%d.%03d", millis / 1'000, millis % 1'000);
}

struct ServerLabel {
  std::string_view name;
  Told (*of)(const TaskView& view);
};

constexpr std::array<ServerLabel, 11> kServerLabels = {{
    {"task.type", [](const TaskView& view) { return UnlessEmpty(view.type); }},
    {"task.state", [](const TaskView& view) { return UnlessEmpty(WordOf(view.state)); }},
    {"task.priority", [](const TaskView& view) { return Told(absl::StrCat(view.priority)); }},
    {"task.context",
     [](const TaskView& view) {
       return view.info == nullptr ? Told() : UnlessEmpty(view.info->context);
     }},
    {"task.reference", [](const TaskView& view) { return UnlessEmpty(view.reference); }},
    {"task.reason", [](const TaskView& view) { return UnlessEmpty(view.last_failure.reason); }},
    {"task.attempts",
     [](const TaskView& view) { return Told(absl::StrCat(view.failed_attempts)); }},
    {"task.parent", [](const TaskView& view) { return IdText(view.parent); }},
    {"task.root", [](const TaskView& view) { return IdText(view.root); }},
    {"task.created", [](const TaskView& view) { return TimeText(view.id.time()); }},
    {"task.ended", [](const TaskView& view) { return TimeText(view.ended_at); }},
}};

}  // namespace

std::string_view WordOf(TaskState state) {
  switch (state) {
    case TaskState::kScheduled:
      return "scheduled";
    case TaskState::kReady:
      return "ready";
    case TaskState::kLeased:
      return "leased";
    case TaskState::kRunning:
      return "running";
    case TaskState::kCancelling:
      return "cancelling";
    case TaskState::kSettling:
      return "settling";
    case TaskState::kSucceeded:
      return "succeeded";
    case TaskState::kFailed:
      return "failed";
    case TaskState::kCancelled:
      return "cancelled";
    case TaskState::kPausing:
      return "pausing";
    case TaskState::kPaused:
      return "paused";
    case TaskState::kResuming:
      return "resuming";
    case TaskState::kInterrupting:
      return "interrupting";
    case TaskState::kBlocked:
      return "blocked";
  }
  return "";
}

Told LabelOf(const TaskView& view, std::string_view name) {
  if (name.starts_with(kServerInfoPrefix)) {
    const auto known = std::ranges::find(kServerLabels, name, &ServerLabel::name);
    return known == kServerLabels.end() ? std::nullopt : known->of(view);
  }
  const std::string* const entry = view.info == nullptr ? nullptr : view.info->labels.Find(name);
  return entry == nullptr ? std::nullopt : Told(*entry);
}

// Only of labels that the selector looks at; what could be no label is absent.
bool MatchesInfo(const Selector& selector, const TaskView& view) {
  std::vector<Label> labels;
  for (const std::string& name : selector.names()) {
    auto value = LabelOf(view, name);
    if (!value.has_value() || !Labels::Make({{name, *value}}).ok()) continue;
    labels.push_back({name, *std::move(value)});
  }
  const auto made = Labels::Make(std::move(labels));
  return made.ok() && selector.Matches(*made);
}

bool TaskFilter::Shows(TaskState state) const {
  return states.empty() || std::ranges::find(states, state) != states.end();
}

bool TaskFilter::Matches(const TaskView& view) const {
  return view.name_space == name_space && (type.empty() || view.type == type) &&
         viewer.Sees(view.name_space, view.owner) && (root.empty() || view.root == root) &&
         Shows(view.state) &&
         (context.empty() || (view.info != nullptr && view.info->context == context)) &&
         (!selector.has_value() || MatchesInfo(*selector, view));
}

}  // namespace kantoku::inputs
