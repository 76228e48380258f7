#ifndef KANTOKU_SERVICES_OUTPUTS_RESULT_BOOK_H_
#define KANTOKU_SERVICES_OUTPUTS_RESULT_BOOK_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/outputs/item_book.h"
#include "services/outputs/result_codec.h"
#include "services/outputs/stored_keys.h"
#include "services/platform/partition/partition_runner.h"
#include "services/platform/store/record_store.h"

namespace kantoku::outputs {

// A task's fence, and its end without data, are kept this long: a lease token ends an hour after it
// was minted, and then a day to spare.
inline constexpr absl::Duration kMarkerTime = absl::Hours(25);

// Which terminal result of each task was the first, which items came before it, which dispatches
// may not write any more, and when all of that may be forgotten.
//
// Guarantees: the first terminal result of a task stays the only one, also while it is on its way
// to the store and after its retention, for at least kMarkerTime. A dispatch that was fenced when
// its task had no result never gets one in, nor any item. A result is stored after all items of its
// dispatch. Nothing is forgotten early. What a method answers may
// be told to others once the transaction is durable; what Find shows is durable.
//
// Confined to the apply thread. `store` outlives it.
//
// Errors are the store's; then nothing was changed.
class ResultBook {
 public:
  struct Options {
    size_t max_fences = 10'000'000;  // They are in memory, about 60 bytes each.
    // Records of results, items and fences. Beyond it what handlers return and yield is refused;
    // fences and settlements have a sixteenth more, at most 1 GiB.
    uint64_t max_bytes = uint64_t{64} << 30;
    ItemBook::Options items;
  };

  struct Room {
    uint64_t max_bytes = 0;
    absl::Duration until_more;  // Then something leaves.
  };

  // An end that is offered for a task. The book sets its times; texts must live during the call.
  struct Offer {
    StoredResult result;
    absl::Duration retention;
    uint64_t items = 0;  // That the dispatch has yielded.
  };
  enum class Outcome : uint8_t {
    kStored,
    kRepeated,  // This dispatch has put its result before.
    kTaken,     // The task has another end: `winner`.
    kFenced,
    kFull,          // As many bytes as may be.
    kDamaged,       // What the store has under this task cannot be read.
    kForeign,       // Another task with the same key has a result: only one of them is Inputs'.
    kItemsMissing,  // Fewer items are held of the dispatch than it has yielded: `items`.
    kItemsBeyond,   // More.
    // Of items only.
    kGap,             // Earlier ones are missing: `items` + 1 is wanted next.
    kTooMany,         // More than a dispatch may yield.
    kTooManyStreams,  // As many dispatches have items as may.
  };
  struct Decision {
    Outcome outcome;
    ResultStatus winner = ResultStatus::kNone;
    uint64_t items = 0;  // That are held of the dispatch, once this one is stored.
  };

  // A dispatch to close; with `settlement`, whose task is the same, the task itself.
  struct Closing {
    platform::TaskId task;
    uint32_t dispatch = 0;
    std::optional<Offer> settlement;
  };
  enum class ClosingOutcome : uint8_t {
    kClosed,
    kEnded,  // The task has an end, perhaps the settlement: `terminal`.
    kFull,   // As many bytes or fences as may be.
    kDamaged,
    kForeign,
  };
  struct ClosingDecision {
    ClosingOutcome outcome;
    ResultStatus terminal = ResultStatus::kNone;
  };

  // Told of each result that is stored; `record` is its encoded form.
  using StoredVisitor =
      absl::FunctionRef<void(const StoredResult& result, std::string_view record)>;

  enum class Presence : uint8_t {
    kAbsent,
    kInFlight,  // Not durable yet; it is when the running transaction is.
    kGone,      // It was there; its retention is over.
    kHeld,
    kDamaged,
  };
  // `result` and `record` are there when kHeld or kGone.
  using FoundVisitor = absl::FunctionRef<void(size_t index, Presence presence,
                                              const StoredResult* result, std::string_view record)>;

  // Reads fences, epochs and what is to expire. DATA_LOSS when a record is damaged.
  static absl::StatusOr<std::unique_ptr<ResultBook>> Recover(Options options,
                                                             platform::RecordStore& store);

  // Stores results of handlers. One decision per offer, in their order.
  absl::StatusOr<std::vector<Decision>> Put(std::span<const Offer> offers,
                                            platform::Transaction& transaction,
                                            StoredVisitor stored);

  // Stores items that handlers have yielded. One decision per batch, in their order.
  absl::StatusOr<std::vector<Decision>> PutItems(std::span<const ItemBook::Batch> batches,
                                                 platform::Transaction& transaction);
  ItemBook& items() { return items_; }

  // Closes dispatches and settles tasks for the Inputs partition of `epoch`; idempotent. ABORTED
  // when a later epoch has spoken for one of the slots. One decision per closing, in their order.
  absl::StatusOr<std::vector<ClosingDecision>> Fence(uint64_t epoch,
                                                     std::span<const Closing> closings,
                                                     platform::Transaction& transaction,
                                                     StoredVisitor stored);

  // Visits every task, in any order.
  absl::Status Find(std::span<const platform::TaskId> tasks, absl::Time now, FoundVisitor visit);

  // To be called once at the end of each group: writes what is cheaper in bulk, and forgets a
  // bounded part of what is over.
  void FinishGroup(platform::Transaction& transaction);
  // When FinishGroup has something to forget, as of its last call.
  absl::Time NextDue() const;

  size_t fence_count() const { return fences_.size(); }
  // Ends that are held, with data or without.
  uint64_t result_count() const { return results_; }
  // Of records that are held. Those of results are let go by the minute, a commit's at once.
  uint64_t bytes() const;
  Room room(absl::Time now) const { return {options_.max_bytes, next_due_ - now}; }

 private:
  struct Known {
    platform::TaskId task;
    ResultStatus status;
    uint32_t dispatch;
    uint64_t group;
    bool damaged;
  };
  struct Fenced {
    platform::TaskId task;
    uint32_t dispatch;
    absl::Time erase_at;
  };
  struct Minute {
    uint32_t next_counter = 0;
    uint64_t last_group = 0;  // The group that wrote its latest record.
    uint32_t swept_counter = 0;
    uint32_t swept_keys = 0;  // Of the record under `swept_counter`.
  };
  struct Group {
    uint64_t number;
    std::vector<platform::RecordKey> keys;
  };
  struct Expiry {
    std::vector<platform::RecordKey> keys;
    uint64_t bytes = 0;
  };
  struct SweepBudget {
    size_t keys;
    size_t bytes;
  };

  ResultBook(Options options, platform::RecordStore& store)
      : options_(options), store_(store), items_(options.items, store) {}
  absl::Status Load();

  // Whether the store can have something under `key`.
  absl::StatusOr<bool> MayBeStored(platform::RecordKey key);
  // Leaves those of `keys_` that may be stored, in their order, each once.
  absl::Status KeepStored();
  // Fills `existing_` with what the store has under `keys_`.
  absl::Status ReadExisting();
  // The end of a task, durable or in flight; null when it has none.
  const Known* FindEnd(const platform::TaskId& task) const;
  // Whether another task with the same key has an end.
  bool IsForeign(const platform::TaskId& task) const;
  bool IsFenced(const platform::TaskId& task, uint32_t dispatch) const;
  void Store(const Offer& offer, platform::Transaction& transaction, StoredVisitor stored);
  Decision Decide(const Offer& offer, platform::Transaction& transaction, StoredVisitor stored);
  ClosingDecision DecideClosing(const Closing& closing, platform::Transaction& transaction,
                                StoredVisitor stored);
  Decision DecideItems(const ItemBook::Batch& batch, platform::Transaction& transaction);
  bool HasReserve() const;
  bool AddFence(const Closing& closing, platform::Transaction& transaction);
  absl::Status CheckEpoch(uint64_t epoch, std::span<const Closing> closings) const;
  void RaiseEpoch(uint64_t epoch, std::span<const Closing> closings,
                  platform::Transaction& transaction);

  void DropDurable();
  absl::Status LoadExpiries();
  void SetNextDue();
  // Sees to it that a stored result is looked at again when its time is over.
  void ForgetInTime(const StoredResult& result);
  // Of the result whose record was encoded last.
  void ExpireAt(platform::RecordKey key, absl::Time time);
  void FlushExpiries(platform::Transaction& transaction);
  void ForgetFences(platform::Transaction& transaction);
  // False when there is nothing more to do now.
  absl::StatusOr<bool> SweepStep(platform::Transaction& transaction, SweepBudget& budget);
  absl::Status SweepKeys(std::span<const platform::RecordKey> keys,
                         platform::Transaction& transaction, SweepBudget& budget,
                         uint32_t& swept_keys);
  void SweepResult(platform::RecordKey key, std::string_view record,
                   platform::Transaction& transaction);

  const Options options_;
  platform::RecordStore& store_;
  ItemBook items_;

  // Results that the store may not show yet, and by group, so that they can be dropped.
  absl::flat_hash_map<platform::RecordKey, Known> in_flight_;
  std::deque<Group> groups_;
  Group current_{.number = 1};
  bool current_writes_ = false;
  // Set on the store thread.
  std::atomic<uint64_t> durable_group_ = 0;

  StoredKeys stored_keys_;  // Knows a slot once it was asked for.

  absl::flat_hash_map<platform::RecordKey, Fenced> fences_;
  std::deque<std::pair<absl::Time, platform::RecordKey>> fence_ends_;
  absl::flat_hash_map<uint32_t, uint64_t> epochs_;

  std::map<int64_t, Minute> minutes_;
  std::map<int64_t, Expiry> new_expiries_;
  uint64_t result_bytes_ = 0;
  uint64_t results_ = 0;
  absl::Time next_due_ = absl::InfiniteFuture();

  // Kept for their memory.
  std::vector<platform::RecordKey> keys_;
  absl::flat_hash_map<platform::RecordKey, Known> existing_;
  std::string record_;
};

}  // namespace kantoku::outputs

#endif  // KANTOKU_SERVICES_OUTPUTS_RESULT_BOOK_H_
