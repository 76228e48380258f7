#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_

#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
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

// Packs events into runs: those that differ only in task and dispatch share one. Of what happened
// to tasks at once, and is plain (of one kind, without details but the state that they ended in),
// they need not be neighbours: tasks of many types in turn are as many runs as there are types.
//
// Guarantees: events of one task stand in the order in which they were added, and nothing passes
// an event of another kind, or one that is not plain. For a task keeps its type and its owner, and
// that it left a session for another is told by an event of another kind.
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
  // What plain events that happened at once have in common. Runs are only joined within one.
  struct Kind {
    EventType type{};
    std::optional<TaskState> state;
    absl::Time at;

    friend bool operator==(const Kind&, const Kind&) = default;
  };
  // What the events of one run have in common beyond that.
  struct Peers {
    std::string_view name_space;
    std::string_view owner;
    std::string_view task_type;
    std::string_view session;

    friend bool operator==(const Peers&, const Peers&) = default;
    template <typename H>
    friend H AbslHashValue(H h, const Peers& peers) {
      return H::combine(std::move(h), peers.name_space, peers.owner, peers.task_type,
                        peers.session);
    }
  };

  static bool IsPlain(const EventMessage& event);
  static Peers PeersOf(const EventMessage& event);
  static Peers PeersOf(const events::v1::EventRun& run);
  events::v1::EventRun& RunOfPlain(const EventMessage& event, absl::Time at);
  bool Continues(const events::v1::EventRun& run, const AuditNote& note, absl::Time at) const;
  events::v1::EventRun& Begin(const EventMessage& event, absl::Time at);
  events::v1::EventRun& Begin(const AuditNote& note, absl::Time at);
  void Count(const events::v1::EventRun& begun);
  void AddTask(const TaskId& task, uint32_t dispatch, events::v1::EventRun& run);
  // Nothing joins the runs before any more.
  void CloseRuns();
  void EndLine();

  std::deque<events::v1::EventBatch> full_;  // Lines before batch_.
  events::v1::EventBatch batch_;
  size_t bytes_ = 0;  // At most so many has batch_ when it is encoded.
  absl::Time last_note_at_;

  std::optional<Kind> kind_;  // Of the runs that may be joined; none: there are none.
  absl::flat_hash_map<Peers, events::v1::EventRun*> open_;
  events::v1::EventRun* latest_ = nullptr;  // Of them, that which was joined last.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_EVENT_PACKER_H_
