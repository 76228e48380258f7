#include "services/platform/store/postgres/row_changes.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <string>

namespace kantoku::platform {
namespace {

using Key = std::pair<RecordKind, RecordKey>;
using Records = std::map<Key, std::string>;

struct Batch : WriteBatch {
  Batch& With(RecordKey key, std::string_view value = "x") {
    Put(1, key, value);
    return *this;
  }
  Batch& Without(RecordKey first, RecordKey last) {
    EraseRange(1, first, last);
    return *this;
  }
};

KeySpans SpansOf(RecordKey low, RecordKey high) {
  KeySpans spans;
  spans[1] = {.low = low, .high = high};
  return spans;
}

TEST_CASE("Spans come back from their bytes, and what these do not tell may be anywhere") {
  KeySpans spans = SpansOf(3, kMaxRecordKey);
  spans[200] = {.low = kMaxRecordKey + 1, .high = 300};
  const std::vector<RecordKind> kinds = {1, 2, 200};
  const std::string bytes = EncodeSpans(spans, kinds);
  const KeySpans back = DecodeSpans(bytes);
  for (const RecordKind kind : kinds) {
    CHECK(back[kind].low == spans[kind].low);
    CHECK(back[kind].high == spans[kind].high);
  }
  for (const std::string& other : {bytes, std::string(), bytes.substr(1), std::string("\x03")}) {
    const KeySpan unknown = DecodeSpans(other)[3];
    CHECK(unknown.low == 0);
    CHECK(unknown.high == kMaxRecordKey);
  }
}

TEST_CASE("What is written beyond all others replaces nothing") {
  RowChanges changes;
  changes.Read(Batch().With(5).With(21).With(22), SpansOf(10, 20));
  CHECK(changes.news().keys == std::vector<int64_t>{5, 21, 22});
  CHECK(changes.olds().keys.empty());
  changes.Read(Batch().With(20).With(21), SpansOf(10, 20));
  CHECK(changes.olds().keys == std::vector<int64_t>{20});
}

TEST_CASE("Neighbours are erased together, and no further than there are records") {
  RowChanges changes;
  changes.Read(Batch().Without(12, 12).Without(11, 11).Without(13, 13).Without(15, 15),
               SpansOf(10, 20));
  CHECK(changes.ranges().firsts == std::vector<int64_t>{11});
  CHECK(changes.ranges().lasts == std::vector<int64_t>{13});
  CHECK(changes.olds().keys == std::vector<int64_t>{15});

  KeySpans spans = SpansOf(10, 20);
  changes.Read(Batch().Without(0, 15), spans);
  CHECK(changes.ranges().firsts == std::vector<int64_t>{10});
  CHECK(changes.ranges().lasts == std::vector<int64_t>{15});
  changes.Narrow(spans);
  CHECK(spans[1].low == 16);
  changes.Read(Batch().Without(0, 15).Without(21, kMaxRecordKey), spans);
  CHECK(changes.ranges().firsts.empty());
  CHECK(changes.olds().keys.empty());
}

// What the migration's function does, with records that have one row each.
void Do(const RowChanges& changes, Records& records) {
  for (size_t i = 0; i < changes.ranges().kinds.size(); ++i) {
    const auto kind = static_cast<RecordKind>(changes.ranges().kinds[i]);
    records.erase(records.lower_bound({kind, changes.ranges().firsts[i]}),
                  records.upper_bound({kind, changes.ranges().lasts[i]}));
  }
  for (size_t i = 0; i < changes.olds().kinds.size(); ++i) {
    records.erase({static_cast<RecordKind>(changes.olds().kinds[i]), changes.olds().keys[i]});
  }
  for (size_t i = 0; i < changes.news().kinds.size(); ++i) {
    const Key key{static_cast<RecordKind>(changes.news().kinds[i]), changes.news().keys[i]};
    CHECK(records.emplace(key, changes.news().values[i]).second);  // A second row is none.
  }
}

TEST_CASE("Changes of a batch end where its operations end, one after the other") {
  std::mt19937_64 random(GENERATE(1, 2, 3, 4, 5));
  const auto below = [&](uint64_t bound) { return random() % bound; };
  Records expected;
  Records records;
  KeySpans spans;
  RowChanges changes;
  for (int round = 0; round < 300; ++round) {
    WriteBatch batch;
    for (uint64_t left = below(12); left > 0; --left) {
      const auto kind = static_cast<RecordKind>(1 + below(2));
      const RecordKey key = below(40);
      if (below(2) == 0) {
        const std::string value = std::to_string(random());
        batch.Put(kind, key, value);
        expected[{kind, key}] = value;
      } else {
        const RecordKey last = key + (below(2) == 0 ? 0 : below(10));
        batch.EraseRange(kind, key, last);
        expected.erase(expected.lower_bound({kind, key}), expected.upper_bound({kind, last}));
      }
    }
    changes.Read(batch, spans);
    changes.Widen(spans);
    if (below(4) == 0) changes.Read(batch, spans);  // The first try came to nothing.
    Do(changes, records);
    changes.Narrow(spans);
    CHECK((records == expected));
    for (const auto& [key, value] : records) CHECK(spans[key.first].Contains(key.second));
  }
}

}  // namespace
}  // namespace kantoku::platform
