#ifndef KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_ROW_CHANGES_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_ROW_CHANGES_H_

#include <cstdint>
#include <map>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/platform/store/postgres/key_spans.h"
#include "services/platform/store/write_batch.h"

namespace kantoku::platform {

// What the rows of a batch's kinds have to become, in an order that one statement for each part can
// follow: first `ranges` are deleted, then the rows of `olds`, then `news` come.
//
// Thread-compatible; keeps its memory for the next batch.
class RowChanges {
 public:
  // Neighbours are one range: it costs little more than a row, and what was written together
  // mostly goes together.
  struct Ranges {
    std::vector<int64_t> kinds, firsts, lasts;
  };
  struct Olds {
    std::vector<int64_t> kinds, keys;
  };
  struct News {
    std::vector<int64_t> kinds, keys;
    std::vector<std::string_view> values;  // In the batch.
  };

  // Looks for no row outside of `spans`: what is written in sequence has none that it replaces.
  void Read(const WriteBatch& batch, const KeySpans& spans);

  const Ranges& ranges() const { return ranges_; }
  const Olds& olds() const { return olds_; }
  const News& news() const { return news_; }

  // To be called before the batch may be seen, ...
  void Widen(KeySpans& spans) const;
  // ... and when it is durable.
  void Narrow(KeySpans& spans) const;

 private:
  using Erased = std::map<RecordKey, RecordKey>;  // First and last, neither touching.

  void Clear();
  void Put(const WriteBatch& batch, const WriteBatch::Operation& put);
  void AddErased(const KeySpans& spans);
  void AddReplaced(const KeySpans& spans);
  bool IsErased(RecordKind kind, RecordKey key) const;

  std::map<RecordKind, Erased> erased_;
  std::map<RecordKind, absl::flat_hash_set<RecordKey>> put_;
  Ranges ranges_;
  Olds olds_;
  News news_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_POSTGRES_ROW_CHANGES_H_
