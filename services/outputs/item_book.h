#ifndef KANTOKU_SERVICES_OUTPUTS_ITEM_BOOK_H_
#define KANTOKU_SERVICES_OUTPUTS_ITEM_BOOK_H_

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "services/outputs/item_codec.h"
#include "services/platform/identity/identity.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"

namespace kantoku::outputs {

// The next item that a reader wants: the `sequence`th of `dispatch`, from 1; {0, 0} is the first
// item of the first dispatch of which there are any.
struct ItemPosition {
  uint32_t dispatch = 0;
  uint64_t sequence = 0;
  bool operator==(const ItemPosition&) const = default;
};

// Which items of which dispatches are held. A dispatch that yields has a number of its own, its
// *stream*, and a record of items lies under that number and the number of its first item: so an
// item is found by one look into the store, and memory holds nothing of a record, but about 150
// bytes of a dispatch.
//
// Guarantees: the items of a dispatch are stored once each, in their order, without a gap. What
// Read shows is durable. What is held of a task stays until Forget.
//
// Confined to the apply thread. `store` outlives it.
//
// Errors are the store's; then nothing was changed.
class ItemBook {
 public:
  struct Options {
    uint64_t max_items = 10'000'000;   // Of a dispatch; below 2^24.
    uint64_t max_streams = 4'000'000;  // Dispatches, that is.
  };

  // Consecutive items of one dispatch. Texts must live during the call.
  struct Batch {
    platform::TaskId task;
    uint32_t dispatch = 0;
    std::string_view name_space;
    std::string_view owner;
    uint64_t first = 0;  // From 1.
    std::span<const Item> items;
  };
  enum class Outcome : uint8_t {
    kStored,    // `last` is that of the batch.
    kRepeated,  // All of it was there.
    kGap,       // `last` + 1 is wanted first.
    kTooMany,   // More than a dispatch may yield.
    kFull,
    kTooManyStreams,  // More dispatches have items than may.
    kSuperseded,      // A later dispatch of the task has yielded, or its own items are damaged.
    kForeign,         // Another task with the same key has items.
  };
  struct Decision {
    Outcome outcome;
    uint64_t last = 0;  // Of the items of the dispatch that are held.
  };

  enum class Reach : uint8_t {
    kItems,
    kInFlight,  // None yet; there are more as soon as the running transaction is durable.
    kEnd,       // There are no more for now.
  };
  struct Reading {
    Reach reach = Reach::kEnd;
    uint32_t dispatch = 0;  // Of the items that were visited.
    uint64_t first = 0;
    bool restarted = false;  // They are of a later dispatch than the position.
    ItemPosition next;
  };
  using ItemVisitor = absl::FunctionRef<void(const Item& item)>;

  ItemBook(Options options, platform::RecordStore& store) : options_(options), store_(store) {}

  // Reads which streams there are, and nothing of their items but the last record of each that is
  // open. One that is damaged costs its dispatch alone, which yields nothing more, and `damages`
  // says so; what it had is DATA_LOSS to a reader, or missing.
  absl::Status Load();
  const std::vector<std::string>& damages() const { return damages_; }

  // Stores nothing that takes more than `room` bytes. An empty batch must not come.
  Decision Put(const Batch& batch, uint64_t room, platform::Transaction& transaction);
  // How many items of the dispatch are held.
  uint64_t Count(const platform::TaskId& task, uint32_t dispatch) const;
  // Whether what the dispatch has yielded can be read no more.
  bool IsDamaged(const platform::TaskId& task, uint32_t dispatch) const;
  // Whether something is held of the task, and exists for the viewer.
  bool IsSeenBy(const platform::Identity& viewer, const platform::TaskId& task) const;

  // Visits items of one dispatch, from a position on: one, or several that have `max_bytes`
  // together, their content types and 64 bytes for each of them included.
  absl::StatusOr<Reading> Read(const platform::TaskId& task, ItemPosition from, size_t max_bytes,
                               ItemVisitor visit);

  // No more items of the task will be put.
  void Close(const platform::TaskId& task, platform::Transaction& transaction);
  // Lets go of the items of the task. They leave bit by bit.
  void Forget(const platform::TaskId& task, platform::Transaction& transaction);
  // Erases a bounded part of what was let go. False when nothing is left to erase.
  bool EraseSome(platform::Transaction& transaction);

  // Of records that are held, those that are being erased included.
  uint64_t bytes() const { return bytes_; }
  bool erases() const { return !erasures_.empty(); }

 private:
  struct Stream {
    uint64_t number = 0;
    uint64_t bytes = 0;
    uint32_t dispatch = 0;
    uint32_t last = 0;
    bool closed = false;
    bool damaged = false;
  };
  struct Task {
    platform::TaskId id;
    std::string name_space;
    std::string owner;
    absl::InlinedVector<Stream, 1> streams;  // In the order of their dispatches.
  };
  struct Erasure {
    uint64_t stream = 0;
    uint64_t next = 1;  // The first sequence that is not erased.
    uint64_t last = 0;
    uint64_t bytes = 0;
  };
  // What a reader is being shown.
  struct Page {
    Reading& reading;
    size_t max_bytes;
    size_t bytes = 0;
    size_t records = 0;
    bool full = false;
    absl::Status damage;
  };

  const Task* Find(const platform::TaskId& task) const;
  Stream& Open(Task& task, const Batch& batch, platform::Transaction& transaction);
  void Append(Stream& stream, std::span<const Item> items, platform::Transaction& transaction);
  void WriteStream(const Task& task, const Stream& stream, StreamState state,
                   platform::Transaction& transaction);
  absl::Status Measure(Stream& stream);
  const Stream* Find(const platform::TaskId& task, uint32_t dispatch) const;
  absl::Status ReadStream(const Stream& stream, Page& page, ItemVisitor visit);
  void ShowRecord(platform::RecordKey key, std::string_view record, Page& page, ItemVisitor visit);

  const Options options_;
  platform::RecordStore& store_;
  absl::flat_hash_map<platform::RecordKey, Task> tasks_;  // By the task's key.
  std::deque<Erasure> erasures_;
  uint64_t next_stream_ = 1;
  uint64_t bytes_ = 0;
  size_t streams_ = 0;
  std::vector<std::string> damages_;  // That Load has found.
  std::string record_;                // Kept for its memory.
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_ITEM_BOOK_H_
