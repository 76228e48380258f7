#ifndef KANTOKU_TESTS_CHAOS_SOAK_EVIDENCE_H_
#define KANTOKU_TESTS_CHAOS_SOAK_EVIDENCE_H_

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "kantoku/keys.h"
#include "kantoku/output.h"
#include "tests/chaos/soak/journal.h"
#include "tests/chaos/soak/work.h"

namespace kantoku::soak {

// A task that a client asked for and that was accepted.
struct Asked {
  std::string task;  // Its id.
  std::string type;
  Work work;
  absl::Duration at;       // Before that it was not asked for.
  bool once = false;       // Effect ONCE: may fail, and begins at most once.
  bool stoppable = false;  // Somebody may have asked it, or its tree, to stop: may be cancelled.
  std::string root;        // Of its tree; empty: it is one itself, if it is in any.
  std::string zone;        // Only executors of this zone may run it; empty: all.
  // At most so many handlers of tasks with this key at once; empty: no limit.
  std::string limit_key;
  int limit = 0;
  // Dispatches of tasks with this key take a token of a bucket that fills so; empty: no rate.
  std::string rate_key;
  Rate rate;
  // Tasks of a key run one at a time, in the order of `order`; empty: in any.
  std::string ordering_key;
  uint64_t order = 0;
  std::vector<std::string> after;  // Tasks that must have succeeded before it begins.
};

// The end of a task, as somebody was told it.
struct Told {
  OutputStatus status = OutputStatus::kSucceeded;
  std::string data;
  std::string reason;
  uint32_t dispatch = 0;
  absl::Duration at;  // When it was told; of no meaning in what Outputs says.
};

// Somebody asked a tree to stop.
struct Stop {
  std::string root;
  std::string verb;
  // When he was told that it will; infinite: he was not, and it may or may not.
  absl::Duration answered = absl::InfiniteDuration();
};

// What a reader was given of a task's items.
struct Read {
  uint32_t dispatch = 0;
  uint64_t sequence = 0;
  std::string data;
  bool restarted = false;
  bool reopened = false;  // The first one after the stream was opened anew where it was left.
};

struct Executor {
  std::string name;
  std::string zone;
  absl::Duration ended = absl::InfiniteDuration();  // When its process was gone.
};

// A time in which an executor could not hear Inputs, or not act: frozen, cut off, or Inputs away.
struct Absence {
  std::string executor;  // Its name; empty: all of them.
  absl::Duration from;
  absl::Duration to;
};

// All that is known from outside Kantoku when a run is over, and what Kantoku says of it.
struct Evidence {
  std::vector<Asked> asked;
  std::vector<Entry> journal;
  std::map<pid_t, Executor> executors;
  std::vector<Absence> absences;
  // How long an executor may be away before what it holds goes elsewhere.
  absl::Duration grace;
  std::vector<Stop> stops;
  std::map<std::string, Told> told;     // By task: the first end that a client was told.
  std::map<std::string, Told> outputs;  // By task: what Outputs says in the end.
  // By task: each reader's items, and those of a last one, when all is over.
  std::map<std::string, std::vector<std::vector<Read>>> readers;
  std::map<std::string, std::vector<Read>> last_reader;
  std::map<std::string, int> finished_events;  // By task: task.finished in Events.
  std::vector<std::string> trouble;            // What clients were told and must not be.
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_EVIDENCE_H_
