#include "services/platform/store/write_batch.h"

#include "services/platform/check.h"

namespace kantoku::platform {

void WriteBatch::Put(RecordKind kind, RecordKey key, std::string_view value) {
  KANTOKU_CHECK(key <= kMaxRecordKey);
  operations_.push_back({.type = Operation::Type::kPut,
                         .kind = kind,
                         .first = key,
                         .last = key,
                         .offset = values_.size(),
                         .size = value.size()});
  values_.append(value);
}

void WriteBatch::EraseRange(RecordKind kind, RecordKey first, RecordKey last) {
  KANTOKU_CHECK(first <= last && last <= kMaxRecordKey);
  operations_.push_back({.type = Operation::Type::kErase,
                         .kind = kind,
                         .first = first,
                         .last = last,
                         .offset = 0,
                         .size = 0});
}

void WriteBatch::Clear() {
  number_ = 0;
  operations_.clear();
  values_.clear();
}

}  // namespace kantoku::platform
