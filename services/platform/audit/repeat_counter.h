#ifndef KANTOKU_SERVICES_PLATFORM_AUDIT_REPEAT_COUNTER_H_
#define KANTOKU_SERVICES_PLATFORM_AUDIT_REPEAT_COUNTER_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/platform/audit/audit_trail.h"

namespace kantoku::platform {

// Makes few events of many that are alike: equal in all but their `message`.
//
// Thread-compatible. Times are steady.
class RepeatCounter {
 public:
  struct Options {
    absl::Duration interval = absl::Minutes(1);
    // Events that are told apart. More of a type are alike, too: theirs has the reason OTHERS and
    // no other details.
    size_t max_kinds = 4096;
  };

  explicit RepeatCounter(const Options& options) : options_(options) {}

  // What is to be said of this one now: it, or nothing where one like it was said lately.
  std::optional<AuditEvent> Add(AuditEvent event, absl::Duration now);

  // What came since, of those that were said an interval ago; each with `count`, and without the
  // message, which may have been another one each time. One that did not come again is forgotten.
  std::vector<AuditEvent> TakeDue(absl::Duration now);
  std::vector<AuditEvent> TakeAll() { return TakeDue(absl::InfiniteDuration()); }

 private:
  struct Kind {
    AuditEvent event;  // Without its message.
    uint64_t repeats = 0;
    absl::Duration due;
  };

  const Options options_;
  absl::flat_hash_map<std::string, Kind> kinds_;
  absl::Duration next_due_ = absl::InfiniteDuration();  // The least, or earlier.
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUDIT_REPEAT_COUNTER_H_
