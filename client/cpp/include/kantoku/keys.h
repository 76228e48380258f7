#ifndef KANTOKU_KEYS_H_
#define KANTOKU_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

// Keys that tasks name, and what is set for them.
namespace kantoku {

// Who shares a key of the same name, and with it one limit.
enum class KeyScope : uint8_t {
  kNamespace = 1,  // All tasks of the namespace that name it.
  kType,           // Those of one type.
  kOwner,          // Those of one owner.
};

// How fast a bucket fills: so many tokens, evenly over each period, up to the burst.
struct Rate {
  uint32_t tokens = 1;
  absl::Duration period = absl::Seconds(1);  // 1 ms to 24 h, in whole milliseconds.
  uint32_t burst = 0;                        // 0: as many as `tokens`.

  bool operator==(const Rate&) const = default;
};

// The keys of a task; services/inputs/README.md says what each does. Names have 1 to 255 bytes.
struct TaskKeys {
  // So many dispatches of tasks that name it run at once.
  struct Concurrency {
    std::string name;
    uint32_t limit = 0;  // Made where there is none; 0: refused there, NO_SUCH_LIMIT.
    KeyScope scope = KeyScope::kNamespace;
    bool operator==(const Concurrency&) const = default;
  };
  // A dispatch takes tokens from the key's bucket.
  struct Throttle {
    std::string name;
    uint32_t cost = 1;
    std::optional<Rate> rate;  // Made where there is none; absent: refused there, NO_SUCH_LIMIT.
    KeyScope scope = KeyScope::kNamespace;
    bool operator==(const Throttle&) const = default;
  };

  std::string ordering;  // One at a time, in the order of their spawn; empty: none.
  std::string fairness;  // Whose turn it is among tasks of a type; empty: none.
  uint32_t weight = 0;   // Of the fairness key, where none is set; 0: none, which is 1.
  std::vector<Concurrency> concurrency;  // At most 8.
  std::vector<Throttle> rates;           // At most 8.

  bool empty() const {
    return ordering.empty() && fairness.empty() && concurrency.empty() && rates.empty();
  }
  bool operator==(const TaskKeys&) const = default;
};

enum class LimitKind : uint8_t { kConcurrency = 1, kRate, kWeight };

// Which limit.
struct LimitName {
  LimitKind kind = LimitKind::kConcurrency;
  std::string key;
  KeyScope scope = KeyScope::kNamespace;  // A weight has no other.
  std::string of;                         // The type or the owner, where that is the scope.

  bool operator==(const LimitName&) const = default;
};

// A limit of a key: the value that goes with its kind.
struct Limit {
  LimitName name;
  uint32_t max_running = 0;  // 1 to 1,000,000.
  std::optional<Rate> rate;
  uint32_t weight = 0;  // 1 to 1,000.

  bool operator==(const Limit&) const = default;
};

// A limit and how far it is used.
struct LimitInfo {
  Limit limit;
  bool transient = false;  // A task made it: it goes with the last that names it, a rate when full.
  uint64_t tasks = 0;      // Living ones that name it,
  uint64_t waiting = 0;    // of these, that wait for it.
  uint64_t running = 0;    // Of a concurrency key: dispatches that count.
  double tokens = 0;       // Of a rate key: below 0 when it owes.
};

// A type, or a namespace, of which nothing is dispatched.
struct TypePause {
  std::string type;  // Empty: the whole namespace.
  std::string reason;

  bool operator==(const TypePause&) const = default;
};

}  // namespace kantoku

#endif  // KANTOKU_KEYS_H_
