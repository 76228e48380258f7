#include "services/inputs/engine/quota_book.h"

#include <algorithm>
#include <array>

#include "services/platform/status.h"

namespace kantoku::inputs {

bool QuotaBook::IsRefusal(std::string_view word) {
  constexpr std::array kWords = {kNamespaceTasks, kNamespaceBytes, kTypeTasks, kTypeBytes};
  return std::ranges::find(kWords, word) != kWords.end();
}

bool QuotaBook::Bounds(std::string_view name_space) const {
  return namespaces_.contains(platform::ToAbsl(name_space));
}

QuotaBook::QuotaBook(std::span<const Quota> quotas) {
  for (const Quota& quota : quotas) {
    Namespace& own = namespaces_[quota.name_space];
    Use& use = quota.type.empty() ? own.all : own.types[quota.type];
    use.max_tasks = quota.max_tasks;
    use.max_bytes = quota.max_bytes;
  }
}

std::string_view QuotaBook::Refusal(std::string_view name_space, std::string_view type,
                                    uint64_t bytes) const {
  const auto own = namespaces_.find(platform::ToAbsl(name_space));
  if (own == namespaces_.end()) return {};
  const auto is_full = [](const Use& use) { return use.tasks >= use.max_tasks; };
  // One that is larger than all of it is taken alone: it would never have room.
  const auto is_heavy = [bytes](const Use& use) {
    return use.tasks > 0 && (use.bytes >= use.max_bytes || bytes > use.max_bytes - use.bytes);
  };
  const Use& all = own->second.all;
  if (is_full(all)) return kNamespaceTasks;
  if (is_heavy(all)) return kNamespaceBytes;
  const auto typed = own->second.types.find(platform::ToAbsl(type));
  if (typed == own->second.types.end()) return {};
  if (is_full(typed->second)) return kTypeTasks;
  return is_heavy(typed->second) ? kTypeBytes : std::string_view();
}

void QuotaBook::Take(std::string_view name_space, std::string_view type, uint64_t bytes) {
  const auto own = namespaces_.find(platform::ToAbsl(name_space));
  if (own == namespaces_.end()) return;
  const auto take = [bytes](Use& use) {
    ++use.tasks;
    use.bytes += bytes;
  };
  take(own->second.all);
  if (const auto typed = own->second.types.find(platform::ToAbsl(type));
      typed != own->second.types.end()) {
    take(typed->second);
  }
}

void QuotaBook::Give(std::string_view name_space, std::string_view type, uint64_t bytes) {
  const auto own = namespaces_.find(platform::ToAbsl(name_space));
  if (own == namespaces_.end()) return;
  const auto give = [bytes](Use& use) {
    --use.tasks;
    use.bytes -= bytes;
  };
  give(own->second.all);
  if (const auto typed = own->second.types.find(platform::ToAbsl(type));
      typed != own->second.types.end()) {
    give(typed->second);
  }
}

}  // namespace kantoku::inputs
