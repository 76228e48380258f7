#ifndef KANTOKU_SERVICES_OUTPUTS_STORE_H_
#define KANTOKU_SERVICES_OUTPUTS_STORE_H_

#include "services/platform/store/record_store.h"

namespace kantoku::outputs {

// What Outputs keeps, each kind in a table of its own. What the values look like is in README.md
// and in result_codec.h.

// The end of a task, under TaskId::key(). Kept for its retention, and without its data until a day
// after the last lease token of the task ended.
inline constexpr platform::RecordKind kResultKind = 1;
// The latest dispatch of a task that may not write any more, under TaskId::key().
inline constexpr platform::RecordKind kFenceKind = 2;
// The keys of results that come of age in one minute, one record per commit and minute, under
// minute << kExpiryCounterBits | counter. It saves each result a row in an index by time.
inline constexpr platform::RecordKind kExpiryKind = 3;
// The highest epoch of Inputs that was seen for a slot, under the slot.
inline constexpr platform::RecordKind kEpochKind = 4;

// Who yields the items of one dispatch, under a number of its own.
inline constexpr platform::RecordKind kStreamKind = 5;
// Neighbouring items of one dispatch, of one commit and at most 1,000, under
// stream number << kItemSequenceBits | number of the first of them.
inline constexpr platform::RecordKind kItemsKind = 6;

inline constexpr int kExpiryCounterBits = 24;
inline constexpr int kItemSequenceBits = 24;

// To be opened by a RecordStoreFactory.
inline platform::StoreSchema OutputsSchema() {
  return {.component = "outputs",
          .format = 2,  // Rises with each new kind or format of a record: older programs refuse it.
          .kinds = {{kResultKind, "result"},
                    {kFenceKind, "fence"},
                    {kExpiryKind, "expiry"},
                    {kEpochKind, "epoch"},
                    {kStreamKind, "stream"},
                    {kItemsKind, "items"}}};
}

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_STORE_H_
