#ifndef KANTOKU_TESTS_CHAOS_SOAK_RUNS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_RUNS_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// One run of a handler.
struct Run {
  std::string task;
  uint32_t dispatch = 0;
  pid_t pid = 0;
  absl::Duration begin;
  // When it returned, or its process was gone; infinite while it runs.
  absl::Duration end = absl::InfiniteDuration();
  bool returned = false;
  bool result = false;  // It returned a result.
  uint64_t from = 0;    // The checkpoint with which it began,
  uint64_t left = 0;    // and the latest one that it knew to be durable; 0: none.
  // From then on Inputs may have given its task to somebody else without its knowing: its executor
  // was away for longer than its grace allows. Infinite: never.
  absl::Duration stray = absl::InfiniteDuration();

  // Whether it ever counted as its dispatch's handler, and until when.
  bool honest() const { return begin < stray; }
  absl::Duration honest_end() const { return end < stray ? end : stray; }
};

// Absences longer than that are no longer within the grace, by the clock of whoever measures.
absl::Duration Limit(absl::Duration grace);

// An executor's absences of one sort after the other are one: it needs some time to come back. In
// the order of time.
std::vector<Absence> Merge(std::vector<Absence> absences, absl::Duration gap);

// All runs in the order in which they began. Lines that no handler can have written become
// `trouble`.
std::vector<Run> CollectRuns(const Evidence& evidence, std::vector<std::string>& trouble);

// Two runs of which more than one may not go on at a time.
struct Overlap {
  const Run* earlier = nullptr;
  const Run* later = nullptr;
  bool stray = false;  // One of them had been away past its grace.
};

// Of `runs`, which are in order of their begins, the first at each moment at which there are more
// than `limit`.
std::vector<Overlap> Overlaps(const std::vector<const Run*>& runs, size_t limit);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_RUNS_H_
