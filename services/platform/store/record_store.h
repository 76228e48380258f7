#ifndef KANTOKU_SERVICES_PLATFORM_STORE_RECORD_STORE_H_
#define KANTOKU_SERVICES_PLATFORM_STORE_RECORD_STORE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/platform/store/write_batch.h"

namespace kantoku::platform {

// The kinds of record that a component keeps. A backend gives each kind a table of its own.
struct StoreSchema {
  struct Kind {
    RecordKind kind;
    std::string_view name;  // Lower-case word, the table's name; static storage.
    // Its records come past the owner, from others who use the database as well, and the owner only
    // erases them. In stores that nobody else can write to there are none.
    bool from_others = false;
  };
  std::string_view component;  // "inputs", "outputs", "events"; static storage.
  uint32_t format;             // Older data is migrated, newer is refused untouched.
  std::vector<Kind> kinds;
};

// What callers may rely on beyond the interface.
struct StoreTraits {
  std::string_view name;  // For logs; nobody branches on it.
  bool durable;           // A commit that returned OK survives kill -9 and power loss.
};

struct RecordRange {
  RecordKind kind;
  RecordKey first = 0;
  RecordKey last = kMaxRecordKey;  // Inclusive.
  size_t limit = SIZE_MAX;
  bool descending = false;
};

struct RecordKeys {
  RecordKind kind;
  std::span<const RecordKey> keys;
};

// Called once per record; `value` lives until it returns. Must not call the store.
using RecordVisitor = absl::FunctionRef<void(RecordKey key, std::string_view value)>;

// The records of one partition of one component: bytes under (kind, key), written in numbered
// batches by one owner at a time.
//
// Guarantees: a commit is all or nothing, and durable as `traits()` say once it has returned OK.
// Batches are seen in the order of their numbers. Repeating the last number changes nothing and
// returns OK, so that a commit of unknown outcome can be repeated. Opening fences every earlier
// owner: its commits are ABORTED from then on.
//
// Thread safety: Commit is confined to one thread at a time; Read and Scan may be called from one
// other thread meanwhile and see the last commit that returned, or a later one.
//
// Errors, of every method: ABORTED: another owner took over, drop everything; RESOURCE_EXHAUSTED:
// no room, repeat later; UNAVAILABLE: repeat; DATA_LOSS: the records are damaged, stop.
class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // Grows with every Open of this partition.
  virtual uint64_t epoch() const = 0;

  // Number of the last durable batch; 0 when there is none. On the thread of Commit.
  virtual absl::StatusOr<uint64_t> LastBatch() = 0;

  // After success the whole batch is durable. `batch.number()` is above 0 and larger than every
  // earlier one: FAILED_PRECONDITION (reason BATCH_OUT_OF_ORDER) when it is not, and nothing has
  // changed. After RESOURCE_EXHAUSTED, UNAVAILABLE and every code not named here it may or may not
  // be durable: repeat the very same batch until it is OK.
  virtual absl::Status Commit(const WriteBatch& batch) = 0;

  // Visits those of `keys` that exist, in the order of `keys`.
  virtual absl::Status Read(const RecordKeys& keys, RecordVisitor visit) = 0;

  // Visits the records of a range in the order of their keys.
  virtual absl::Status Scan(const RecordRange& range, RecordVisitor visit) = 0;
};

// Opens partitions.
//
// Thread-safe.
class RecordStoreFactory {
 public:
  virtual ~RecordStoreFactory() = default;

  virtual StoreTraits traits() const = 0;

  // Takes ownership of a partition, fencing any earlier owner, or fails with FAILED_PRECONDITION
  // when a living owner cannot be fenced (another process has the file). A file that is foreign,
  // damaged or of a newer format is FAILED_PRECONDITION or DATA_LOSS and stays untouched.
  virtual absl::StatusOr<std::unique_ptr<RecordStore>> Open(uint32_t partition) = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_STORE_RECORD_STORE_H_
