#include "services/outputs/result_book.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::TaskId;
using platform::Transaction;

constexpr absl::Duration kMaxRetention = absl::Hours(24 * 366);
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

absl::Time WholeMilliseconds(absl::Time time) {
  return absl::FromUnixMillis(absl::ToUnixMillis(time));
}

absl::Time MarkerEnd(const StoredResult& result) {
  return std::max(result.expires, result.ended_at + kMarkerTime);
}

// When a stored result is to be looked at again.
absl::Time FirstDue(const StoredResult& result) {
  const absl::Time marker_end = MarkerEnd(result);
  return marker_end - result.expires > kNotWorthEmptying ? result.expires : marker_end;
}

absl::Status DamagedRecord(std::string_view kind, RecordKey key, const absl::Status& why) {
  return platform::Annotate(why, absl::StrCat(platform::ToAbsl(kind), " ", key));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ResultBook>> ResultBook::Recover(Options options,
                                                                platform::RecordStore& store) {
  std::unique_ptr<ResultBook> book(new ResultBook(options, store));
  KANTOKU_RETURN_IF_ERROR(book->Load());
  return book;
}

absl::Status ResultBook::Load() {
  absl::Status damage;
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kFenceKind}, [&](RecordKey key, std::string_view value) {
        const auto fence = DecodeFence(value);
        if (!fence.ok()) return damage.Update(DamagedRecord("fence", key, fence.status()));
        fences_[key] = {fence->task, fence->dispatch, fence->erase_at};
        fence_ends_.emplace_back(fence->erase_at, key);
      }));
  std::sort(fence_ends_.begin(), fence_ends_.end());
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kEpochKind}, [&](RecordKey key, std::string_view value) {
        const auto epoch = DecodeEpoch(value);
        if (!epoch.ok()) return damage.Update(DamagedRecord("epoch", key, epoch.status()));
        epochs_[static_cast<uint32_t>(key)] = *epoch;
      }));
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kExpiryKind}, [&](RecordKey key, std::string_view value) {
        const auto size = DecodeExpirySize(value);
        if (!size.ok()) return damage.Update(DamagedRecord("expiry", key, size.status()));
        results_ += *size;
        minutes_[static_cast<int64_t>(key >> kExpiryCounterBits)].next_counter =
            static_cast<uint32_t>(key & kMaxCounter) + 1;
      }));
  if (!minutes_.empty()) next_due_ = StartOfMinute(minutes_.begin()->first);
  if (!fence_ends_.empty()) next_due_ = std::min(next_due_, fence_ends_.front().first);
  return damage;
}

absl::StatusOr<std::vector<ResultBook::Decision>> ResultBook::Put(std::span<const Offer> offers,
                                                                  Transaction& transaction,
                                                                  StoredVisitor stored) {
  keys_.clear();
  for (const Offer& offer : offers) keys_.push_back(offer.result.task.key());
  KANTOKU_RETURN_IF_ERROR(ReadExisting());
  std::vector<Decision> decisions;
  decisions.reserve(offers.size());
  for (const Offer& offer : offers) decisions.push_back(Decide(offer, transaction, stored));
  return decisions;
}

ResultBook::Decision ResultBook::Decide(const Offer& offer, Transaction& transaction,
                                        StoredVisitor stored) {
  const StoredResult& result = offer.result;
  if (const Known* const end = FindEnd(result.task); end != nullptr) {
    if (end->damaged) return {Outcome::kDamaged};
    const bool repeated =
        end->status == ResultStatus::kSucceeded && end->dispatch == result.dispatch;
    return {repeated ? Outcome::kRepeated : Outcome::kTaken, end->status};
  }
  if (IsFenced(result.task, result.dispatch)) return {Outcome::kFenced};
  Store(offer, transaction, stored);
  return {Outcome::kStored, result.status};
}

absl::StatusOr<std::vector<ResultBook::ClosingDecision>> ResultBook::Fence(
    uint64_t epoch, std::span<const Closing> closings, Transaction& transaction,
    StoredVisitor stored) {
  KANTOKU_RETURN_IF_ERROR(CheckEpoch(epoch, closings));
  keys_.clear();
  for (const Closing& closing : closings) keys_.push_back(closing.task.key());
  KANTOKU_RETURN_IF_ERROR(ReadExisting());
  RaiseEpoch(epoch, closings, transaction);
  std::vector<ClosingDecision> decisions;
  decisions.reserve(closings.size());
  for (const Closing& closing : closings) {
    decisions.push_back(DecideClosing(closing, transaction, stored));
  }
  return decisions;
}

ResultBook::ClosingDecision ResultBook::DecideClosing(const Closing& closing,
                                                      Transaction& transaction,
                                                      StoredVisitor stored) {
  if (const Known* const end = FindEnd(closing.task); end != nullptr) {
    if (end->damaged) return {ClosingOutcome::kDamaged};
    return {ClosingOutcome::kEnded, end->status};
  }
  if (closing.settlement.has_value()) {
    Store(*closing.settlement, transaction, stored);
    return {ClosingOutcome::kEnded, closing.settlement->result.status};
  }
  return {AddFence(closing, transaction) ? ClosingOutcome::kClosed : ClosingOutcome::kFull};
}

bool ResultBook::AddFence(const Closing& closing, Transaction& transaction) {
  const RecordKey key = closing.task.key();
  auto found = fences_.find(key);
  if (found == fences_.end()) {
    if (fences_.size() >= options_.max_fences) return false;
    found = fences_.emplace(key, Fenced{.task = closing.task}).first;
  } else if (found->second.task == closing.task && found->second.dispatch >= closing.dispatch) {
    return true;
  }
  Fenced& fence = found->second;
  fence = {.task = closing.task,
           .dispatch = closing.dispatch,
           .erase_at = WholeMilliseconds(transaction.now().wall + kMarkerTime)};
  fence_ends_.emplace_back(fence.erase_at, key);
  EncodeFence({fence.task, fence.dispatch, fence.erase_at}, record_);
  transaction.batch().Put(kFenceKind, key, record_);
  return true;
}

absl::Status ResultBook::CheckEpoch(uint64_t epoch, std::span<const Closing> closings) const {
  for (const Closing& closing : closings) {
    const auto known = epochs_.find(closing.task.slot());
    if (known == epochs_.end() || known->second <= epoch) continue;
    return platform::Error(absl::StatusCode::kAborted, "STALE_EPOCH",
                           absl::StrCat("epoch ", epoch, " of slot ", known->first,
                                        " is over; the latest is ", known->second));
  }
  return absl::OkStatus();
}

void ResultBook::RaiseEpoch(uint64_t epoch, std::span<const Closing> closings,
                            Transaction& transaction) {
  for (const Closing& closing : closings) {
    uint64_t& known = epochs_[closing.task.slot()];
    if (known >= epoch) continue;
    known = epoch;
    EncodeEpoch(epoch, record_);
    transaction.batch().Put(kEpochKind, closing.task.slot(), record_);
  }
}

absl::Status ResultBook::Find(std::span<const TaskId> tasks, absl::Time now, FoundVisitor visit) {
  DropDurable();
  // In the order of keys, which is the store's; a task may be asked for twice.
  std::vector<std::pair<RecordKey, size_t>> order;
  order.reserve(tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) order.emplace_back(tasks[i].key(), i);
  std::sort(order.begin(), order.end());
  keys_.clear();
  for (const auto& [key, index] : order) {
    if (keys_.empty() || keys_.back() != key) keys_.push_back(key);
  }
  auto next = order.begin();
  const auto visit_absent = [&](size_t index) {
    const auto known = in_flight_.find(tasks[index].key());
    const bool in_flight = known != in_flight_.end() && known->second.task == tasks[index];
    visit(index, in_flight ? Presence::kInFlight : Presence::kAbsent, nullptr, {});
  };
  const auto visit_record = [&](RecordKey key, std::string_view record) {
    for (; next != order.end() && next->first < key; ++next) visit_absent(next->second);
    const auto result = DecodeResult(record);
    for (; next != order.end() && next->first == key; ++next) {
      if (!result.ok()) {
        visit(next->second, Presence::kDamaged, nullptr, {});
      } else if (result->task != tasks[next->second]) {
        visit_absent(next->second);
      } else {
        const bool gone = result->emptied || result->expires <= now;
        visit(next->second, gone ? Presence::kGone : Presence::kHeld, &*result, record);
      }
    }
  };
  KANTOKU_RETURN_IF_ERROR(store_.Read({.kind = kResultKind, .keys = keys_}, visit_record));
  for (; next != order.end(); ++next) visit_absent(next->second);
  return absl::OkStatus();
}

absl::Status ResultBook::ReadExisting() {
  DropDurable();
  existing_.clear();
  // Neighbours lie on the same page of a store.
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  return store_.Read(
      {.kind = kResultKind, .keys = keys_}, [&](RecordKey key, std::string_view record) {
        const auto result = DecodeResult(record);
        existing_[key] = result.ok() ? Known{result->task, result->status, result->dispatch}
                                     : Known{.damaged = true};
      });
}

const ResultBook::Known* ResultBook::FindEnd(const TaskId& task) const {
  const RecordKey key = task.key();
  if (const auto known = in_flight_.find(key); known != in_flight_.end()) {
    return known->second.task == task ? &known->second : nullptr;
  }
  if (existing_.empty()) return nullptr;
  const auto known = existing_.find(key);
  if (known == existing_.end()) return nullptr;
  return known->second.damaged || known->second.task == task ? &known->second : nullptr;
}

bool ResultBook::IsFenced(const TaskId& task, uint32_t dispatch) const {
  if (fences_.empty()) return false;
  const auto fence = fences_.find(task.key());
  return fence != fences_.end() && fence->second.task == task && dispatch <= fence->second.dispatch;
}

void ResultBook::Store(const Offer& offer, Transaction& transaction, StoredVisitor stored) {
  const absl::Time now = transaction.now().wall;
  const absl::Duration retention = std::clamp(offer.retention, absl::ZeroDuration(), kMaxRetention);
  StoredResult result = offer.result;
  const RecordKey key = result.task.key();
  result.ended_at = WholeMilliseconds(now);
  result.expires = WholeMilliseconds(now + retention) + absl::Milliseconds(1);
  EncodeResult(result, record_);
  transaction.batch().Put(kResultKind, key, record_);
  // From now on the end itself keeps late writes out, for longer than the fence would.
  if (IsFenced(result.task, 0)) {
    fences_.erase(key);
    transaction.batch().Erase(kFenceKind, key);
  }
  in_flight_[key] = {result.task, result.status, result.dispatch, current_.number};
  current_.keys.push_back(key);
  ExpireAt(key, FirstDue(result));
  ++results_;
  stored(result, record_);
}

void ResultBook::DropDurable() {
  const uint64_t durable = durable_group_.load(std::memory_order_acquire);
  for (; !groups_.empty() && groups_.front().number <= durable; groups_.pop_front()) {
    for (const RecordKey key : groups_.front().keys) {
      const auto known = in_flight_.find(key);
      if (known != in_flight_.end() && known->second.group <= durable) in_flight_.erase(known);
    }
  }
}

void ResultBook::FinishGroup(Transaction& transaction) {
  DropDurable();
  const absl::Time now = transaction.now().wall;
  ForgetFences(transaction);
  SweepBudget budget{.keys = kSweptKeysPerGroup, .bytes = kSweptBytesPerGroup};
  absl::StatusOr<bool> more = true;
  while (more.ok() && *more && budget.keys > 0) more = SweepStep(transaction, budget);
  FlushExpiries(transaction);
  if (!current_.keys.empty() || current_writes_) {
    transaction.OnDurable([this, number = current_.number] {
      durable_group_.store(number, std::memory_order_release);
    });
    const uint64_t next = current_.number + 1;
    groups_.push_back(std::exchange(current_, Group{.number = next}));
    current_writes_ = false;
  }
  next_due_ = absl::InfiniteFuture();
  if (!minutes_.empty()) next_due_ = StartOfMinute(minutes_.begin()->first);
  if (!fence_ends_.empty()) next_due_ = std::min(next_due_, fence_ends_.front().first);
  // What is overdue and not done waits for the store, which is about to be asked again anyway.
  if (!more.ok() || (!*more && next_due_ <= now)) next_due_ = now + absl::Seconds(1);
}

absl::Time ResultBook::NextDue() const { return next_due_; }

void ResultBook::ExpireAt(RecordKey key, absl::Time time) {
  new_expiries_[MinuteNotBefore(time)].push_back(key);
}

void ResultBook::FlushExpiries(Transaction& transaction) {
  for (auto& [minute, keys] : new_expiries_) {
    std::sort(keys.begin(), keys.end());
    keys.erase(std::unique(keys.begin(), keys.end()), keys.end());
    for (size_t begin = 0; begin < keys.size(); begin += kMaxKeysPerExpiry) {
      Minute& into = minutes_[minute];
      KANTOKU_CHECK(into.next_counter < kMaxCounter);
      const size_t size = std::min(kMaxKeysPerExpiry, keys.size() - begin);
      EncodeExpiry(std::span(keys).subspan(begin, size), record_);
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
  KANTOKU_RETURN_IF_ERROR(store_.Scan({.kind = kExpiryKind,
                                       .first = ExpiryKey(number, minute.swept_counter),
                                       .last = ExpiryKey(number, kMaxCounter),
                                       .limit = 1},
                                      [&](RecordKey key, std::string_view value) {
                                        found = key;
                                        keys = DecodeExpiry(value);
                                      }));
  if (!found.has_value()) {
    minutes_.erase(minutes_.begin());
    return true;
  }
  if (keys.ok()) {
    KANTOKU_RETURN_IF_ERROR(SweepKeys(*keys, transaction, budget, minute.swept_keys));
    if (minute.swept_keys < keys->size()) return true;
    transaction.batch().Erase(kExpiryKind, *found);
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
