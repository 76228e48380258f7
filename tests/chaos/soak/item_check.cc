#include "tests/chaos/soak/item_check.h"

namespace kantoku::soak {
namespace {

// One reader's items, which begin with the first one of a dispatch.
void CheckReader(const Asked& asked, const std::vector<Read>& items, Verdict& verdict,
                 Complaints& complaints) {
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
    if (item.data != ItemOf(asked.work, item.sequence)) {
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

void CheckItems(const Evidence& evidence, const Asked& asked, const Told& told, Verdict& verdict,
                Complaints& complaints) {
  if (const auto readers = evidence.readers.find(asked.task); readers != evidence.readers.end()) {
    for (const auto& items : readers->second) CheckReader(asked, items, verdict, complaints);
  }
  if (asked.work.items == 0) return;
  const auto last = evidence.last_reader.find(asked.task);
  static const std::vector<Read> none;
  const std::vector<Read>& items = last == evidence.last_reader.end() ? none : last->second;
  CheckReader(asked, items, verdict, complaints);
  verdict.items += items.size();
  size_t counted = 0;
  for (const Read& item : items) counted += item.dispatch == told.dispatch ? 1 : 0;
  if (told.status != OutputStatus::kSucceeded) return;
  verdict.items_again += items.size() - counted;
  if (counted != static_cast<size_t>(asked.work.items)) {
    complaints.Add(
        counted < static_cast<size_t>(asked.work.items) ? verdict.lost : verdict.duplicated,
        NameOf(asked), " yielded ", asked.work.items, " items, and ", counted, " are there");
  }
}

}  // namespace kantoku::soak
