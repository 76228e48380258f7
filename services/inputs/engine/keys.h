#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_KEYS_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_KEYS_H_

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// The keys that tasks name, and what limits them: plain values.
namespace kantoku::inputs {

// The wire's numbers, which are recorded; ordering keys have no limits.
enum class KeyKind : uint8_t { kConcurrency = 1, kRate, kFairness, kOrdering };
// The wire's numbers, which are recorded.
enum class KeyScope : uint8_t { kNamespace = 1, kType, kOwner };

// Which key, of a namespace.
struct KeyName {
  KeyKind kind = KeyKind::kConcurrency;
  KeyScope scope = KeyScope::kNamespace;
  std::string of;  // The type or the owner whose tasks share it, where that is its scope.
  std::string key;
  auto operator<=>(const KeyName&) const = default;  // NOLINT(modernize-use-nullptr)
  template <typename H>
  friend H AbslHashValue(H h, const KeyName& name) {
    return H::combine(std::move(h), name.kind, name.scope, name.of, name.key);
  }
};

// `tokens` are added over each period, up to `burst`.
struct Rate {
  uint32_t tokens = 0;  // 0: none.
  uint32_t period_ms = 1'000;
  uint32_t burst = 0;
  bool empty() const { return tokens == 0; }
  // In what time it gives so many tokens, in seconds; 0 when it limits nothing.
  double SecondsFor(uint32_t cost) const { return empty() ? 0 : 1e-3 * period_ms * cost / tokens; }
  // Whether an empty bucket is full after this time.
  bool FillsWithin(uint64_t ms) const {
    return uint64_t{burst} * period_ms <= uint64_t{tokens} * ms;
  }
  bool operator==(const Rate&) const = default;
};

// What is set for a key: the one that its kind goes with.
struct LimitValue {
  uint32_t number = 0;  // Of a concurrency key: dispatches at once; of a fairness key: its weight.
  Rate rate;
  bool operator==(const LimitValue&) const = default;
};

// The keys that a task names. Validated; lists are sorted by scope and name, and name none twice.
struct TaskKeys {
  struct Concurrency {
    std::string name;
    KeyScope scope = KeyScope::kNamespace;
    uint32_t limit = 0;  // Of a missing one; 0: none.
    bool operator==(const Concurrency&) const = default;
  };
  struct Throttle {
    std::string name;
    KeyScope scope = KeyScope::kNamespace;
    uint32_t cost = 1;
    Rate rate;  // Of a missing one.
    bool operator==(const Throttle&) const = default;
  };
  std::string ordering;  // Empty: none.
  std::string fairness;  // Empty: none.
  uint32_t weight = 0;   // Of the fairness key, where none is set; 0: none.
  std::vector<Concurrency> concurrency;
  std::vector<Throttle> rates;

  bool empty() const {
    return ordering.empty() && fairness.empty() && concurrency.empty() && rates.empty();
  }
  bool operator==(const TaskKeys&) const = default;
};

// A KeyName whose texts live elsewhere.
struct KeyView {
  KeyKind kind;
  KeyScope scope;
  std::string_view of;
  std::string_view key;
  KeyView(KeyKind kind, KeyScope scope, std::string_view of, std::string_view key)
      : kind(kind), scope(scope), of(of), key(key) {}
  KeyView(const KeyName& name)  // NOLINT(google-explicit-constructor): it says the same.
      : KeyView(name.kind, name.scope, name.of, name.key) {}
  explicit operator KeyName() const { return {kind, scope, std::string(of), std::string(key)}; }
};

// Whose tasks share a key of this scope, of those that a task may name.
inline std::string_view WhoseOf(KeyScope scope, std::string_view owner, std::string_view type) {
  if (scope == KeyScope::kOwner) return owner;
  return scope == KeyScope::kType ? type : std::string_view();
}

// A limit and how far it is used.
struct LimitView {
  KeyName name;
  LimitValue value;
  bool transient = false;  // A task made it: it goes with the last that names it.
  uint64_t tasks = 0;      // Living ones that name it,
  uint64_t waiting = 0;    // of these, that wait for it.
  uint64_t running = 0;    // Of a concurrency key.
  double tokens = 0;       // Of a rate key.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_KEYS_H_
