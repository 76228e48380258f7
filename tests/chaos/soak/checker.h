#ifndef KANTOKU_TESTS_CHAOS_SOAK_CHECKER_H_
#define KANTOKU_TESTS_CHAOS_SOAK_CHECKER_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// What came of a run.
struct Verdict {
  // What happened.
  size_t tasks = 0;
  size_t succeeded = 0;
  size_t failed = 0;
  size_t cancelled = 0;
  size_t stops = 0;       // Of trees, that were answered.
  size_t runs = 0;        // Of handlers.
  size_t runs_again = 0;  // Beyond the first one of each task.
  size_t items = 0;
  size_t items_again = 0;  // Of dispatches that were superseded.
  size_t continued = 0;    // Handlers that began with a checkpoint.
  std::map<std::string, size_t> tasks_by_type;

  // What must not happen.
  size_t lost = 0;              // Accepted, and without an end, a result, or some of its items.
  size_t duplicated = 0;        // More than one end, result, or copy of an item.
  size_t wrong = 0;             // An end or an item that nothing of what ran explains.
  size_t once_twice = 0;        // Tasks of effect ONCE that began twice.
  size_t overlaps = 0;          // A task's handlers at the same time.
  size_t limit_violations = 0;  // Of concurrency and rate keys.
  size_t order_violations = 0;  // Of ordering keys, dependencies and placements.
  size_t late_begins = 0;       // Handlers that began after their task's end was told, …
  size_t stops_ignored = 0;     // … or began, or went on, after a stop of their tree was.
  size_t trouble = 0;           // What clients were told and must not be.

  // The same of handlers that had been frozen or cut off past their grace: nobody can prevent it.
  size_t stray_overlaps = 0;
  size_t stray_limits = 0;
  size_t stray_orders = 0;
  size_t stray_begins = 0;

  // The first ones of what must not happen, for people.
  std::vector<std::string> complaints;

  bool good() const {
    return lost + duplicated + wrong + once_twice + overlaps + limit_violations + order_violations +
               late_begins + stops_ignored + trouble ==
           0;
  }
};

// Holds what ran, what clients saw and what Outputs says against what was asked. Pure: equal
// evidence, equal verdict.
Verdict Check(const Evidence& evidence);

// Some lines for people. `once 0 began twice` and the like are in it.
std::string Summary(const Verdict& verdict);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_CHECKER_H_
