#include "services/outputs/result_book.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/outputs/store.h"
#include "services/platform/check.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::TaskId;
using platform::Transaction;

constexpr absl::Duration kMaxRetention = absl::Hours(24 * 366);
// What a fence takes in the store, about.
constexpr uint64_t kFenceBytes = 64;
constexpr uint64_t kMaxReserve = uint64_t{1} << 30;

absl::Time WholeMilliseconds(absl::Time time) {
  return absl::FromUnixMillis(absl::ToUnixMillis(time));
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
        if (!fence.ok()) return damage.Update(fence.status());
        fences_[key] = {fence->task, fence->dispatch, fence->erase_at};
        fence_ends_.emplace_back(fence->erase_at, key);
      }));
  std::sort(fence_ends_.begin(), fence_ends_.end());
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kEpochKind}, [&](RecordKey key, std::string_view value) {
        const auto epoch = DecodeEpoch(value);
        if (!epoch.ok()) return damage.Update(epoch.status());
        epochs_[static_cast<uint32_t>(key)] = *epoch;
      }));
  KANTOKU_RETURN_IF_ERROR(LoadExpiries());
  KANTOKU_RETURN_IF_ERROR(items_.Load());
  SetNextDue();
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
  // The receipt tells how many they are.
  const uint64_t items = KANTOKU_PLANTED("result overtakes its items")
                             ? offer.items
                             : items_.Count(result.task, result.dispatch);
  const Outcome miscounted = items < offer.items ? Outcome::kItemsMissing : Outcome::kItemsBeyond;
  if (const Known* const end = FindEnd(result.task); end != nullptr) {
    if (end->damaged) return {Outcome::kDamaged};
    const bool repeated =
        end->status == ResultStatus::kSucceeded && end->dispatch == result.dispatch;
    if (!repeated) return {Outcome::kTaken, end->status};
    // When the items have gone, how many there were is not known any more.
    const bool counts = items == 0 || items == offer.items;
    return {
        .outcome = counts ? Outcome::kRepeated : miscounted, .winner = end->status, .items = items};
  }
  if (IsForeign(result.task)) return {Outcome::kForeign};
  if (IsFenced(result.task, result.dispatch)) return {Outcome::kFenced};
  // Another dispatch will yield them again.
  if (items_.IsDamaged(result.task, result.dispatch)) return {Outcome::kFenced};
  if (items != offer.items) return {.outcome = miscounted, .items = items};
  // Items leave with their task's result, so that without it they would stay for ever.
  if (bytes() >= options_.max_bytes && !(items > 0 && HasReserve())) return {Outcome::kFull};
  Store(offer, transaction, stored);
  return {Outcome::kStored, result.status};
}

absl::StatusOr<std::vector<ResultBook::Decision>> ResultBook::PutItems(
    std::span<const ItemBook::Batch> batches, Transaction& transaction) {
  keys_.clear();
  for (const ItemBook::Batch& batch : batches) keys_.push_back(batch.task.key());
  KANTOKU_RETURN_IF_ERROR(ReadExisting());
  std::vector<Decision> decisions;
  decisions.reserve(batches.size());
  for (const ItemBook::Batch& batch : batches) {
    decisions.push_back(DecideItems(batch, transaction));
  }
  return decisions;
}

ResultBook::Decision ResultBook::DecideItems(const ItemBook::Batch& batch,
                                             Transaction& transaction) {
  if (const Known* const end = FindEnd(batch.task); end != nullptr) {
    if (end->damaged) return {Outcome::kDamaged};
    return {Outcome::kTaken, end->status};
  }
  if (IsForeign(batch.task)) return {Outcome::kForeign};
  if (IsFenced(batch.task, batch.dispatch) &&
      !KANTOKU_PLANTED("items of a fenced dispatch taken")) {
    return {Outcome::kFenced};
  }
  const uint64_t room = options_.max_bytes - std::min(bytes(), options_.max_bytes);
  const auto decision = items_.Put(batch, room, transaction);
  const auto with = [&decision](Outcome outcome) {
    return Decision{.outcome = outcome, .items = decision.last};
  };
  switch (decision.outcome) {
    case ItemBook::Outcome::kStored:
      return with(Outcome::kStored);
    case ItemBook::Outcome::kRepeated:
      return with(Outcome::kRepeated);
    case ItemBook::Outcome::kGap:
      return with(Outcome::kGap);
    case ItemBook::Outcome::kTooMany:
      return with(Outcome::kTooMany);
    case ItemBook::Outcome::kFull:
      return with(Outcome::kFull);
    case ItemBook::Outcome::kTooManyStreams:
      return with(Outcome::kTooManyStreams);
    case ItemBook::Outcome::kSuperseded:
      return with(Outcome::kFenced);
    case ItemBook::Outcome::kForeign:
      break;
  }
  return with(Outcome::kForeign);
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
  if (const Known* const end = FindEnd(closing.task);
      end != nullptr && !(KANTOKU_PLANTED("second end wins") && closing.settlement.has_value())) {
    if (end->damaged) return {ClosingOutcome::kDamaged};
    return {ClosingOutcome::kEnded, end->status};
  }
  if (closing.settlement.has_value()) {
    if (IsForeign(closing.task)) return {ClosingOutcome::kForeign};
    if (!HasReserve()) return {ClosingOutcome::kFull};
    Store(*closing.settlement, transaction, stored);
    return {ClosingOutcome::kEnded, closing.settlement->result.status};
  }
  return {AddFence(closing, transaction) ? ClosingOutcome::kClosed : ClosingOutcome::kFull};
}

uint64_t ResultBook::bytes() const {
  return result_bytes_ + items_.bytes() + kFenceBytes * fences_.size();
}

// For fences and settlements: without them tasks could neither end nor be given elsewhere.
bool ResultBook::HasReserve() const {
  return bytes() < options_.max_bytes + std::min(options_.max_bytes / 16, kMaxReserve);
}

bool ResultBook::AddFence(const Closing& closing, Transaction& transaction) {
  const RecordKey key = closing.task.key();
  auto found = fences_.find(key);
  if (found == fences_.end()) {
    if (fences_.size() >= options_.max_fences || !HasReserve()) return false;
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
  for (const auto& [key, index] : order) keys_.push_back(key);
  KANTOKU_RETURN_IF_ERROR(KeepStored());
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
  if (!keys_.empty()) {
    KANTOKU_RETURN_IF_ERROR(store_.Read({.kind = kResultKind, .keys = keys_}, visit_record));
  }
  for (; next != order.end(); ++next) visit_absent(next->second);
  return absl::OkStatus();
}

absl::StatusOr<bool> ResultBook::MayBeStored(RecordKey key) {
  const auto slot = static_cast<uint32_t>(key >> TaskId::kSequenceBits);
  if (!stored_keys_.Knows(slot)) {
    const RecordKey first = static_cast<RecordKey>(slot) << TaskId::kSequenceBits;
    RecordKey highest = 0;
    KANTOKU_RETURN_IF_ERROR(
        store_.Scan({.kind = kResultKind,
                     .first = first,
                     .last = first + (RecordKey{1} << TaskId::kSequenceBits) - 1,
                     .limit = 1,
                     .descending = true},
                    [&](RecordKey last, std::string_view) { highest = last; }));
    stored_keys_.Begin(slot, highest);
  }
  return stored_keys_.MayHold(key);
}

absl::Status ResultBook::KeepStored() {
  // Neighbours lie on the same page of a store.
  std::sort(keys_.begin(), keys_.end());
  keys_.erase(std::unique(keys_.begin(), keys_.end()), keys_.end());
  size_t kept = 0;
  for (const RecordKey key : keys_) {
    KANTOKU_ASSIGN_OR_RETURN(const bool may_be, MayBeStored(key));
    if (may_be) keys_[kept++] = key;
  }
  keys_.resize(kept);
  return absl::OkStatus();
}

absl::Status ResultBook::ReadExisting() {
  DropDurable();
  existing_.clear();
  KANTOKU_RETURN_IF_ERROR(KeepStored());
  if (keys_.empty()) return absl::OkStatus();
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

// Sequences are never used twice, but for an Inputs that forgot some: what it once acknowledged is
// not to be replaced.
bool ResultBook::IsForeign(const TaskId& task) const {
  const RecordKey key = task.key();
  if (const auto known = in_flight_.find(key); known != in_flight_.end()) {
    return known->second.task != task;
  }
  const auto known = existing_.find(key);
  return known != existing_.end() && !known->second.damaged && known->second.task != task;
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
  stored_keys_.Add(key);
  in_flight_[key] = {result.task, result.status, result.dispatch, current_.number};
  current_.keys.push_back(key);
  ForgetInTime(result);
  items_.Close(result.task, transaction);
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

}  // namespace kantoku::outputs
