#ifndef KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_
#define KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_

#include "tests/chaos/soak/checker.h"
#include "tests/chaos/soak/complaints.h"
#include "tests/chaos/soak/evidence.h"
#include "tests/chaos/soak/runs.h"

namespace kantoku::soak {

// What readers were given of a task that has ended, whose handlers are `runs`: each item once per
// dispatch, in order and without a gap, from where its handler began, a new dispatch marked, and of
// a task that succeeded all items, those before the checkpoint of the dispatch that counts by
// earlier ones.
void CheckItems(const Evidence& evidence, const Asked& asked, const Told& told,
                const std::vector<const Run*>& runs, Verdict& verdict, Complaints& complaints);

// A handler begins where the latest checkpoint stands that an earlier dispatch knew to be durable,
// or behind it.
void CheckCheckpoints(const Asked& asked, const std::vector<const Run*>& runs, Verdict& verdict,
                      Complaints& complaints);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_
