#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_

#include <cstddef>
#include <deque>
#include <map>
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

// What somebody has asked for and got (audit_note.h).
struct AuditNote {
  std::string_view type;  // Static storage: "audit.control".
  TaskId task{};          // Empty when it is about none.
  SessionId session{};    // As above.
  std::string name_space{};
  std::string owner{};
  std::string task_type{};
  std::map<std::string, std::string> details{};
};

// Packs events into runs: neighbours that differ only in task and dispatch share one.
//
// Thread-compatible.
class EventPacker {
 public:
  // A line ends here, well within what Events takes in one: 8 MiB, and 1,000,000 events of which
  // each counts 20 bytes at least.
  static constexpr size_t kMaxLineBytes = size_t{4} << 20;

  void Add(std::span<const EventMessage> events, absl::Time at);
  void Add(const AuditNote& note, absl::Time at);
  bool empty() const { return batch_.runs().empty() && full_.empty(); }
  // Events that may wait for others: they commit with them, or after a while.
  static bool MayWait(EventType type);
  // The oldest line not taken yet, an encoded EventBatch; not while empty. `previous` is the number
  // of the line before it, 0 when Events surely holds that.
  std::string TakeLine(uint64_t previous);

 private:
  bool Continues(const events::v1::EventRun& run, const EventMessage& event, absl::Time at) const;
  bool Continues(const events::v1::EventRun& run, const AuditNote& note, absl::Time at) const;
  void Begin(const EventMessage& event, absl::Time at);
  void Begin(const AuditNote& note, absl::Time at);
  void CountRun();
  void AddTask(const TaskId& task, uint32_t dispatch);
  void EndLine();

  std::deque<events::v1::EventBatch> full_;  // Lines before batch_.
  events::v1::EventBatch batch_;
  size_t bytes_ = 0;       // At most so many has batch_ when it is encoded.
  EventType last_type_{};  // None of a note.
  absl::Time last_at_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
