#include "services/inputs/engine/quota_book.h"

#include <algorithm>
#include <array>

#include "services/platform/status.h"

namespace kantoku::inputs {

bool QuotaBook::IsRefusal(std::string_view word) {
  constexpr std::array kWords = {kNamespaceTasks, kNamespaceBytes, kTypeTasks, kTypeBytes};
  return std::ranges::find(kWords, word) != kWords.end();
}

bool QuotaBook::Bounds(std::string_view name_space) const { return Find(name_space) != nullptr; }

QuotaBook::QuotaBook(std::span<const Quota> quotas) {
  for (const Quota& quota : quotas) {
    Namespace& own = namespaces_[quota.name_space];
    Use& use = quota.type.empty() ? own.all : own.types[quota.type];
    use.max_tasks = quota.max_tasks;
    use.max_bytes = quota.max_bytes;
  }
}

// Of servers without quotas, which most are, not even a name is hashed.
const QuotaBook::Namespace* QuotaBook::Find(std::string_view name_space) const {
  if (namespaces_.empty()) return nullptr;
  const auto own = namespaces_.find(platform::ToAbsl(name_space));
  return own == namespaces_.end() ? nullptr : &own->second;
}

std::string_view QuotaBook::Refusal(std::string_view name_space, std::string_view type,
                                    uint64_t bytes) const {
  const Namespace* const own = Find(name_space);
  if (own == nullptr) return {};
  const auto is_full = [](const Use& use) { return use.tasks >= use.max_tasks; };
  // One that is larger than all of it is taken alone: it would never have room.
  const auto is_heavy = [bytes](const Use& use) {
    return use.tasks > 0 && (use.bytes >= use.max_bytes || bytes > use.max_bytes - use.bytes);
  };
  if (is_full(own->all)) return kNamespaceTasks;
  if (is_heavy(own->all)) return kNamespaceBytes;
  const auto typed = own->types.find(platform::ToAbsl(type));
  if (typed == own->types.end()) return {};
  if (is_full(typed->second)) return kTypeTasks;
  return is_heavy(typed->second) ? kTypeBytes : std::string_view();
}

template <typename Change>
void QuotaBook::ForEachUse(std::string_view name_space, std::string_view type, Change change) {
  if (namespaces_.empty()) return;
  const auto own = namespaces_.find(platform::ToAbsl(name_space));
  if (own == namespaces_.end()) return;
  change(own->second.all);
  const auto typed = own->second.types.find(platform::ToAbsl(type));
  if (typed != own->second.types.end()) change(typed->second);
}

void QuotaBook::Take(std::string_view name_space, std::string_view type, uint64_t bytes) {
  ForEachUse(name_space, type, [bytes](Use& use) {
    ++use.tasks;
    use.bytes += bytes;
  });
}

void QuotaBook::Give(std::string_view name_space, std::string_view type, uint64_t bytes) {
  ForEachUse(name_space, type, [bytes](Use& use) {
    --use.tasks;
    use.bytes -= bytes;
  });
}

}  // namespace kantoku::inputs
