#ifndef KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_
#define KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_

#include "tests/chaos/soak/checker.h"
#include "tests/chaos/soak/complaints.h"
#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// What readers were given of a task that has ended: each item once per dispatch, in order and
// without a gap, a new dispatch marked, and of a task that succeeded all items of the dispatch that
// counts.
void CheckItems(const Evidence& evidence, const Asked& asked, const Told& told, Verdict& verdict,
                Complaints& complaints);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_ITEM_CHECK_H_
