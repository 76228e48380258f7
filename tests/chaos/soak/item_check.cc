#include "tests/chaos/soak/item_check.h"

#include <algorithm>
#include <map>

namespace kantoku::soak {
namespace {

// By dispatch: how many items earlier ones had yielded when its handler began.
using Begins = std::map<uint32_t, uint64_t>;

uint64_t NumberOf(const Begins& begins, const Read& item) {
  const auto begin = begins.find(item.dispatch);
  return item.sequence + (begin == begins.end() ? 0 : begin->second);
}

// One reader's items, which begin with the first one of a dispatch.
void CheckReader(const Asked& asked, const Begins& begins, const std::vector<Read>& items,
                 Verdict& verdict, Complaints& complaints) {
  uint32_t dispatch = 0;
  uint64_t sequence = 0;
  for (const Read& item : items) {
    const bool next_dispatch = item.dispatch > dispatch;
    const uint64_t expected = next_dispatch ? 1 : sequence + 1;
    const std::string where =
        absl::StrCat(NameOf(asked), ", item ", item.sequence, " of dispatch ", item.dispatch);
    if (item.dispatch < dispatch || item.sequence < expected) {
      complaints.Add(verdict.duplicated, where, " came after ", sequence, " of ", dispatch);
    } else if (item.sequence > expected) {
      complaints.Add(verdict.lost, where, " came after ", sequence, " of ", dispatch);
    }
    if (item.data != ItemOf(asked.work, NumberOf(begins, item))) {
      complaints.Add(verdict.wrong, where, " is ", item.data);
    }
    if (dispatch != 0 && item.restarted != next_dispatch) {
      complaints.Add(verdict.wrong, where, next_dispatch ? " is not marked" : " is marked",
                     " as of a handler that began again");
    }
    dispatch = item.dispatch;
    sequence = item.sequence;
  }
}

}  // namespace

void CheckItems(const Evidence& evidence, const Asked& asked, const Told& told,
                const std::vector<const Run*>& runs, Verdict& verdict, Complaints& complaints) {
  Begins begins;
  for (const Run* run : runs) begins.emplace(run->dispatch, run->from);
  if (const auto readers = evidence.readers.find(asked.task); readers != evidence.readers.end()) {
    for (const auto& items : readers->second) {
      CheckReader(asked, begins, items, verdict, complaints);
    }
  }
  if (asked.work.items == 0) return;
  const auto last = evidence.last_reader.find(asked.task);
  static const std::vector<Read> none;
  const std::vector<Read>& items = last == evidence.last_reader.end() ? none : last->second;
  CheckReader(asked, begins, items, verdict, complaints);
  verdict.items += items.size();
  uint64_t reached = 0;
  size_t counted = 0;
  for (const Read& item : items) {
    const uint64_t number = NumberOf(begins, item);
    // Within a dispatch, the reader's check has told.
    if (number > reached + 1 && item.sequence == 1) {
      complaints.Add(verdict.lost, NameOf(asked), ", dispatch ", item.dispatch, " went on at item ",
                     number, " after ", reached);
    }
    reached = number;
    counted += item.dispatch == told.dispatch ? 1 : 0;
  }
  if (told.status != OutputStatus::kSucceeded) return;
  verdict.items_again += items.size() - counted;
  const auto begin = begins.find(told.dispatch);
  if (begin != begins.end()) counted += begin->second;
  if (counted != static_cast<size_t>(asked.work.items)) {
    complaints.Add(
        counted < static_cast<size_t>(asked.work.items) ? verdict.lost : verdict.duplicated,
        NameOf(asked), " yielded ", asked.work.items, " items, and ", counted, " are there");
  }
}

void CheckCheckpoints(const Asked& asked, const std::vector<const Run*>& runs, Verdict& verdict,
                      Complaints& complaints) {
  std::vector<const Run*> ordered = runs;
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const Run* a, const Run* b) { return a->dispatch < b->dispatch; });
  uint64_t left = 0;
  for (const Run* run : ordered) {
    verdict.continued += run->from > 0 ? 1 : 0;
    if (run->from < left) {
      complaints.Add(verdict.lost, NameOf(asked), ", dispatch ", run->dispatch, " began at ",
                     run->from, ", and a checkpoint of ", left, " was durable");
    }
    left = std::max(left, run->left);
  }
}

}  // namespace kantoku::soak
