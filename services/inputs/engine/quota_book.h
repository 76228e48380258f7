#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_QUOTA_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_QUOTA_BOOK_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace kantoku::inputs {

// How much may wait or run of a namespace, or of one of its types.
struct Quota {
  std::string name_space;
  std::string type;  // Empty: all of the namespace.
  uint64_t max_tasks = UINT64_MAX;
  uint64_t max_bytes = UINT64_MAX;  // Of their specs in the store.
};

// What living tasks use up of the quotas. Namespaces and types without one are not counted.
//
// Thread-compatible.
class QuotaBook {
 public:
  // Why one more task has no room.
  static constexpr std::string_view kNamespaceTasks = "NAMESPACE_LIMIT";
  static constexpr std::string_view kNamespaceBytes = "NAMESPACE_BYTES";
  static constexpr std::string_view kTypeTasks = "TYPE_PENDING_LIMIT";
  static constexpr std::string_view kTypeBytes = "TYPE_BYTES";

  static bool IsRefusal(std::string_view word);

  // Each (namespace, type) once.
  explicit QuotaBook(std::span<const Quota> quotas);

  // Whether anything of the namespace is bounded.
  bool Bounds(std::string_view name_space) const;
  // One of the words above; empty: it has room.
  std::string_view Refusal(std::string_view name_space, std::string_view type,
                           uint64_t bytes) const;
  // A task begins or ends to live; those that lived before a restart may be more than the quota.
  void Take(std::string_view name_space, std::string_view type, uint64_t bytes);
  void Give(std::string_view name_space, std::string_view type, uint64_t bytes);

 private:
  struct Use {
    uint64_t max_tasks = UINT64_MAX;
    uint64_t max_bytes = UINT64_MAX;
    uint64_t tasks = 0;
    uint64_t bytes = 0;
  };
  struct Namespace {
    Use all;
    absl::flat_hash_map<std::string, Use> types;
  };

  const Namespace* Find(std::string_view name_space) const;
  template <typename Change>
  void ForEachUse(std::string_view name_space, std::string_view type, Change change);

  absl::flat_hash_map<std::string, Namespace> namespaces_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_QUOTA_BOOK_H_
