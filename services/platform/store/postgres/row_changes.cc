#include "services/platform/store/postgres/row_changes.h"

#include <algorithm>
#include <iterator>

namespace kantoku::platform {
namespace {

using Operation = WriteBatch::Operation;

// Adds [first, last] and joins it with what it touches.
void AddRange(std::map<RecordKey, RecordKey>& ranges, RecordKey first, RecordKey last) {
  auto next = ranges.upper_bound(first);
  if (next != ranges.begin()) {
    const auto before = std::prev(next);
    if (before->second + 1 >= first) {  // Keys stay below 2^63.
      first = before->first;
      last = std::max(last, before->second);
      next = ranges.erase(before);
    }
  }
  while (next != ranges.end() && next->first <= last + 1) {
    last = std::max(last, next->second);
    next = ranges.erase(next);
  }
  ranges.emplace_hint(next, first, last);
}

bool Covers(const std::map<RecordKey, RecordKey>& ranges, RecordKey key) {
  const auto next = ranges.upper_bound(key);
  return next != ranges.begin() && std::prev(next)->second >= key;
}

}  // namespace

void RowChanges::Clear() {
  erased_.clear();
  for (auto& [kind, keys] : put_) keys.clear();
  for (auto* numbers : {&ranges_.kinds, &ranges_.firsts, &ranges_.lasts, &olds_.kinds, &olds_.keys,
                        &news_.kinds, &news_.keys}) {
    numbers->clear();
  }
  news_.values.clear();
}

void RowChanges::Read(const WriteBatch& batch, const KeySpans& spans) {
  Clear();
  // Backwards: what is seen first is what stays.
  const std::vector<Operation>& operations = batch.operations();
  for (auto it = operations.rbegin(); it != operations.rend(); ++it) {
    if (it->type == Operation::Type::kPut) {
      Put(batch, *it);
    } else {
      AddRange(erased_[it->kind], it->first, it->last);
    }
  }
  // An index takes rows best in the order of their keys, which is mostly that of the batch.
  std::reverse(news_.kinds.begin(), news_.kinds.end());
  std::reverse(news_.keys.begin(), news_.keys.end());
  std::reverse(news_.values.begin(), news_.values.end());
  AddErased(spans);
  AddReplaced(spans);
}

void RowChanges::Put(const WriteBatch& batch, const Operation& put) {
  if (IsErased(put.kind, put.first) || !put_[put.kind].insert(put.first).second) return;
  news_.kinds.push_back(put.kind);
  news_.keys.push_back(static_cast<int64_t>(put.first));
  news_.values.push_back(batch.value(put));
}

void RowChanges::AddErased(const KeySpans& spans) {
  for (const auto& [kind, ranges] : erased_) {
    const KeySpan& span = spans[kind];
    for (const auto& [begin, end] : ranges) {
      const RecordKey first = std::max(begin, span.low);
      const RecordKey last = std::min(end, span.high);
      if (first > last) continue;
      if (first == last) {
        olds_.kinds.push_back(kind);
        olds_.keys.push_back(static_cast<int64_t>(first));
      } else {
        ranges_.kinds.push_back(kind);
        ranges_.firsts.push_back(static_cast<int64_t>(first));
        ranges_.lasts.push_back(static_cast<int64_t>(last));
      }
    }
  }
}

void RowChanges::AddReplaced(const KeySpans& spans) {
  for (size_t i = 0; i < news_.keys.size(); ++i) {
    const auto kind = static_cast<RecordKind>(news_.kinds[i]);
    const auto key = static_cast<RecordKey>(news_.keys[i]);
    if (!spans[kind].Contains(key) || IsErased(kind, key)) continue;
    olds_.kinds.push_back(kind);
    olds_.keys.push_back(static_cast<int64_t>(key));
  }
}

bool RowChanges::IsErased(RecordKind kind, RecordKey key) const {
  const auto ranges = erased_.find(kind);
  return ranges != erased_.end() && Covers(ranges->second, key);
}

void RowChanges::Widen(KeySpans& spans) const {
  for (size_t i = 0; i < news_.keys.size(); ++i) {
    KeySpan& span = spans[static_cast<RecordKind>(news_.kinds[i])];
    const auto key = static_cast<RecordKey>(news_.keys[i]);
    span.low = std::min(span.low, key);
    span.high = std::max(span.high, key);
  }
}

void RowChanges::Narrow(KeySpans& spans) const {
  for (const auto& [kind, ranges] : erased_) {
    KeySpan& span = spans[kind];
    const auto& [first, last] = *ranges.begin();
    if (first > span.low || last < span.low) continue;
    span.low = last + 1;
  }
  Widen(spans);  // What came in the same batch may lie below.
}

}  // namespace kantoku::platform
