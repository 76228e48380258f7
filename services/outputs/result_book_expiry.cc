// The part of ResultBook that forgets.
#include <algorithm>
#include <utility>

#include "services/outputs/result_book.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::Transaction;

// A result that is kept nearly as long as its end marker is not emptied first: that saves a second
// write.
constexpr absl::Duration kNotWorthEmptying = absl::Hours(1);

constexpr uint64_t kMaxCounter = (uint64_t{1} << kExpiryCounterBits) - 1;
constexpr size_t kMaxKeysPerExpiry = 4096;

// How much of what is over is forgotten in one group.
constexpr size_t kSweptKeysPerGroup = 8192;
constexpr size_t kSweptBytesPerGroup = size_t{16} << 20;
constexpr size_t kSweptKeysPerRead = 64;
constexpr size_t kEndedFencesPerGroup = 4096;

RecordKey ExpiryKey(int64_t minute, uint64_t counter) {
  return static_cast<RecordKey>(minute) << kExpiryCounterBits | counter;
}

absl::Time StartOfMinute(int64_t minute) { return absl::FromUnixSeconds(minute * 60); }

// The first minute that does not begin before `time`, so that nothing is forgotten early.
int64_t MinuteNotBefore(absl::Time time) {
  constexpr int64_t kMinute = 60'000;
  return (std::max<int64_t>(absl::ToUnixMillis(time), 0) + kMinute - 1) / kMinute;
}

absl::Time MarkerEnd(const StoredResult& result) {
  return std::max(result.expires, result.ended_at + kMarkerTime);
}

// When a stored result is to be looked at again.
absl::Time FirstDue(const StoredResult& result) {
  const absl::Time marker_end = MarkerEnd(result);
  return marker_end - result.expires > kNotWorthEmptying ? result.expires : marker_end;
}

}  // namespace

absl::Status ResultBook::LoadExpiries() {
  absl::Status damage;
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kExpiryKind}, [&](RecordKey key, std::string_view value) {
        const auto totals = DecodeExpiryTotals(value);
        if (!totals.ok()) return damage.Update(totals.status());
        results_ += totals->keys;
        result_bytes_ += totals->bytes;
        minutes_[static_cast<int64_t>(key >> kExpiryCounterBits)].next_counter =
            static_cast<uint32_t>(key & kMaxCounter) + 1;
      }));
  return damage;
}

void ResultBook::SetNextDue() {
  next_due_ = absl::InfiniteFuture();
  if (!minutes_.empty()) next_due_ = StartOfMinute(minutes_.begin()->first);
  if (!fence_ends_.empty()) next_due_ = std::min(next_due_, fence_ends_.front().first);
  if (items_.erases()) next_due_ = absl::InfinitePast();
}

void ResultBook::FinishGroup(Transaction& transaction) {
  DropDurable();
  const absl::Time now = transaction.now().wall;
  ForgetFences(transaction);
  SweepBudget budget{.keys = kSweptKeysPerGroup, .bytes = kSweptBytesPerGroup};
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more && budget.keys > 0) more = SweepStep(transaction, budget);
  FlushExpiries(transaction);
  items_.EraseSome(transaction);
  if (!current_.keys.empty() || current_writes_) {
    transaction.OnDurable([this, number = current_.number] {
      durable_group_.store(number, std::memory_order_release);
    });
    const uint64_t next = current_.number + 1;
    groups_.push_back(std::exchange(current_, Group{.number = next}));
    current_writes_ = false;
  }
  SetNextDue();
  // What is overdue and not done waits for the store, which is about to be asked again anyway.
  const bool waits = !more.ok() || (!*more && next_due_ <= now);
  if (waits && !items_.erases()) next_due_ = now + absl::Seconds(1);
}

absl::Time ResultBook::NextDue() const { return next_due_; }

void ResultBook::ForgetInTime(const StoredResult& result) {
  ExpireAt(result.task.key(), FirstDue(result));
}

void ResultBook::ExpireAt(RecordKey key, absl::Time time) {
  Expiry& expiry = new_expiries_[MinuteNotBefore(time)];
  expiry.keys.push_back(key);
  expiry.bytes += record_.size();
  result_bytes_ += record_.size();
}

void ResultBook::FlushExpiries(Transaction& transaction) {
  for (auto& [minute, expiry] : new_expiries_) {
    std::vector<RecordKey>& keys = expiry.keys;
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (size_t begin = 0; begin < keys.size(); begin += kMaxKeysPerExpiry) {
      Minute& into = minutes_[minute];
      KANTOKU_CHECK(into.next_counter < kMaxCounter);
      const size_t size = std::min(kMaxKeysPerExpiry, keys.size() - begin);
      // All bytes go with the last of the records, so that none is let go early.
      const bool last = begin + size == keys.size();
      EncodeExpiry(std::span(keys).subspan(begin, size), last ? expiry.bytes : 0, record_);
      transaction.batch().Put(kExpiryKind, ExpiryKey(minute, into.next_counter++), record_);
      into.last_group = current_.number;
      current_writes_ = true;
    }
  }
  new_expiries_.clear();
}

void ResultBook::ForgetFences(Transaction& transaction) {
  const absl::Time now = transaction.now().wall;
  for (size_t i = 0; i < kEndedFencesPerGroup && !fence_ends_.empty(); ++i) {
    const auto [end, key] = fence_ends_.front();
    if (end > now) return;
    fence_ends_.pop_front();
    const auto fence = fences_.find(key);
    // A later fence of the task stands further back in the line.
    if (fence == fences_.end() || fence->second.erase_at > now) continue;
    fences_.erase(fence);
    transaction.batch().Erase(kFenceKind, key);
  }
}

absl::StatusOr<bool> ResultBook::SweepStep(Transaction& transaction, SweepBudget& budget) {
  if (minutes_.empty()) return false;
  const int64_t number = minutes_.begin()->first;
  Minute& minute = minutes_.begin()->second;
  if (StartOfMinute(number) > transaction.now().wall) return false;
  // The store does not show all of it yet.
  if (minute.last_group > durable_group_.load(std::memory_order_acquire)) return false;

  std::optional<RecordKey> found;
  absl::StatusOr<std::vector<RecordKey>> keys;
  uint64_t bytes = 0;
  KANTOKU_RETURN_IF_ERROR(store_.Scan({.kind = kExpiryKind,
                                       .first = ExpiryKey(number, minute.swept_counter),
                                       .last = ExpiryKey(number, kMaxCounter),
                                       .limit = 1},
                                      [&](RecordKey key, std::string_view value) {
                                        found = key;
                                        keys = DecodeExpiry(value);
                                        if (keys.ok()) bytes = DecodeExpiryTotals(value)->bytes;
                                      }));
  if (!found.has_value()) {
    minutes_.erase(minutes_.begin());
    return true;
  }
  if (keys.ok()) {
    KANTOKU_RETURN_IF_ERROR(SweepKeys(*keys, transaction, budget, minute.swept_keys));
    if (minute.swept_keys < keys->size()) return true;
    transaction.batch().Erase(kExpiryKind, *found);
    result_bytes_ -= bytes;
  }
  // A damaged record stays where it is, for whoever comes to look.
  minute.swept_counter = static_cast<uint32_t>(*found & kMaxCounter) + 1;
  minute.swept_keys = 0;
  return true;
}

absl::Status ResultBook::SweepKeys(std::span<const RecordKey> keys, Transaction& transaction,
                                   SweepBudget& budget, uint32_t& swept_keys) {
  while (swept_keys < keys.size() && budget.keys > 0) {
    const size_t size = std::min(keys.size() - swept_keys, kSweptKeysPerRead);
    size_t bytes = 0;
    KANTOKU_RETURN_IF_ERROR(
        store_.Read({.kind = kResultKind, .keys = keys.subspan(swept_keys, size)},
                    [&](RecordKey key, std::string_view record) {
                      bytes += record.size();
                      SweepResult(key, record, transaction);
                    }));
    swept_keys += static_cast<uint32_t>(size);
    budget.keys -= std::min(budget.keys, size);
    budget.bytes -= std::min(budget.bytes, bytes);
    if (budget.bytes == 0) budget.keys = 0;
  }
  return absl::OkStatus();
}

void ResultBook::SweepResult(RecordKey key, std::string_view record, Transaction& transaction) {
  // Something newer is on its way there, with an expiry of its own.
  if (in_flight_.contains(key)) return;
  const absl::Time now = transaction.now().wall;
  auto result = DecodeResult(record);
  if (!result.ok() || result->expires > now) return;
  items_.Forget(result->task, transaction);
  if (MarkerEnd(*result) <= now) {
    transaction.batch().Erase(kResultKind, key);
    --results_;
    return;
  }
  if (result->emptied) return;
  result->emptied = true;
  result->content_type = result->reason = result->message = result->data = {};
  EncodeResult(*result, record_);
  transaction.batch().Put(kResultKind, key, record_);
  ExpireAt(key, MarkerEnd(*result));
}

}  // namespace kantoku::outputs
