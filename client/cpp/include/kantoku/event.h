#ifndef KANTOKU_EVENT_H_
#define KANTOKU_EVENT_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "kantoku/task_id.h"

namespace kantoku {

// Something that happened.
struct Event {
  std::string position;  // Opaque, unique; reading goes on after it.
  std::string type;      // task.created, task.started, task.finished, executor.connected, …
  absl::Time at;
  TaskId task_id;  // Empty when it is about no task.
  std::string namespace_name;
  std::string owner;
  std::string task_type;
  uint32_t dispatch = 0;
  std::string session_id;                      // Of the executor, as text; may be empty.
  std::map<std::string, std::string> details;  // state, reason, message, progress.
};

// Which events are wanted. Every field that is set must match.
struct EventFilter {
  std::vector<std::string> types;  // An entry ending in `*` matches a prefix. None means all.
  std::vector<TaskId> task_ids;    // None means all.
};

struct EventQuery {
  std::string after;  // Go on after this position; empty means the oldest that is kept.
  EventFilter filter;
  uint32_t limit = 0;  // 0 means the server's default, 100; at most 10,000.
};

struct EventPage {
  std::vector<Event> events;  // In order.
  std::string next;           // Where to go on, also when nothing matched.
  bool end = false;           // Nothing more was there.
  bool gap = false;           // Events right before these are missing.
};

struct EventSubscription {
  std::string after;         // Go on after this position; empty means as `from_oldest` says.
  bool from_oldest = false;  // Without a position: from the oldest that is kept, else from now.
  EventFilter filter;
};

// Events as they happen. A broken connection is opened again where it broke, so that nothing is
// missed while retention holds; a gap is told.
//
// Thread-safe, but one Next at a time. Ends when it is destroyed.
class EventStream {
 public:
  virtual ~EventStream() = default;

  // The next events, one or more, or a gap, or only a moved position. Blocks until there are some.
  //
  // DEADLINE_EXCEEDED: none came within `timeout`; nothing is lost, call again. CANCELLED: Cancel
  // was called. Other codes: the server refused or could not be reached for the client's
  // `retry_for`; the stream has ended.
  virtual absl::StatusOr<EventPage> Next(absl::Duration timeout) = 0;
  absl::StatusOr<EventPage> Next() { return Next(absl::InfiniteDuration()); }

  // Ends the stream and a Next that waits. From any thread; idempotent.
  virtual void Cancel() = 0;
};

}  // namespace kantoku

#endif  // KANTOKU_EVENT_H_
