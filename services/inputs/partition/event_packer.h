#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_

#include <span>
#include <string>

#include "absl/time/time.h"
#include "kantoku/events/v1/events.pb.h"
#include "services/inputs/engine/effects.h"

namespace kantoku::inputs {

// The name under which Events knows a type of event: "task.created".
std::string_view NameOf(EventType type);
// "succeeded", "running", …
std::string_view NameOf(TaskState state);

// Packs events into runs: neighbours that differ only in task and dispatch share one.
//
// Thread-compatible.
class EventPacker {
 public:
  void Add(std::span<const EventMessage> events, absl::Time at);
  bool empty() const { return batch_.runs().empty(); }
  // Events that may wait for others: they commit with them, or after a while.
  static bool MayWait(EventType type);
  // An encoded EventBatch of everything since the last call. `previous` is the number of the line
  // before it, 0 when Events surely holds that.
  std::string TakeBytes(uint64_t previous);

 private:
  bool Continues(const events::v1::EventRun& run, const EventMessage& event, absl::Time at) const;
  void Begin(const EventMessage& event, absl::Time at);

  events::v1::EventBatch batch_;
  EventType last_type_{};
  absl::Time last_at_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
