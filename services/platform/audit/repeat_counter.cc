#include "services/platform/audit/repeat_counter.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr char kMessage[] = "message";

// Each text with its length before it, so that no two events have the same.
std::string KeyOf(const AuditEvent& event) {
  std::string key;
  const auto add = [&](std::string_view text) {
    absl::StrAppend(&key, text.size(), ":", ToAbsl(text));
  };
  add(event.type);
  add(event.name_space);
  for (const auto& [name, value] : event.details) {
    if (name == kMessage) continue;
    add(name);
    add(value);
  }
  return key;
}

AuditEvent OneOfOthers(const AuditEvent& event) {
  return {.type = event.type, .details = {{"reason", "OTHERS"}}};
}

}  // namespace

std::optional<AuditEvent> RepeatCounter::Add(AuditEvent event, absl::Duration now) {
  auto found = kinds_.find(KeyOf(event));
  if (found == kinds_.end() && kinds_.size() >= options_.max_kinds) {
    event = OneOfOthers(event);
    found = kinds_.find(KeyOf(event));
  }
  if (found != kinds_.end()) {
    ++found->second.repeats;
    return std::nullopt;
  }
  Kind kind = {.event = event, .due = now + options_.interval};
  kind.event.details.erase(kMessage);
  next_due_ = std::min(next_due_, kind.due);
  kinds_.emplace(KeyOf(event), std::move(kind));
  return event;
}

std::vector<AuditEvent> RepeatCounter::TakeDue(absl::Duration now) {
  std::vector<AuditEvent> taken;
  if (now < next_due_) return taken;
  next_due_ = absl::InfiniteDuration();
  for (auto each = kinds_.begin(); each != kinds_.end();) {
    const auto current = each++;
    Kind& kind = current->second;
    if (kind.due <= now) {
      if (kind.repeats == 0) {
        kinds_.erase(current);
        continue;
      }
      taken.push_back(kind.event);
      taken.back().details["count"] = absl::StrCat(std::exchange(kind.repeats, 0));
      kind.due = now + options_.interval;
    }
    next_due_ = std::min(next_due_, kind.due);
  }
  return taken;
}

}  // namespace kantoku::platform
