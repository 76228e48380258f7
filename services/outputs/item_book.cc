#include "services/outputs/item_book.h"

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

constexpr uint64_t kMaxSequence = (uint64_t{1} << kItemSequenceBits) - 1;
// What a stream takes beside its items, about.
constexpr uint64_t kStreamBytes = 128;
// Items are cut into records of about this size, so that little is read that nobody asked for.
constexpr size_t kRecordBytes = size_t{256} << 10;
constexpr size_t kRecordItems = 1000;
// What an item takes in a record beside its texts, at most.
constexpr size_t kItemOverhead = 16;
// And for a reader, about.
constexpr size_t kShownOverhead = 64;
// Erased in one group.
constexpr uint64_t kErasedBytes = uint64_t{16} << 20;
constexpr uint64_t kErasedSequences = 8192;
// Records read in one go while they are small.
constexpr size_t kMaxRecordsRead = 64;

RecordKey KeyOf(uint64_t stream, uint64_t sequence) {
  return stream << kItemSequenceBits | sequence;
}

// What items take in records, at most.
uint64_t SizeOf(std::span<const Item> items) {
  uint64_t bytes = 0;
  std::string_view content_type;
  for (const Item& item : items) {
    bytes += item.data.size() + kItemOverhead;
    if (item.content_type != content_type) bytes += item.content_type.size();
    content_type = item.content_type;
  }
  return bytes;
}

absl::Status Damaged(uint64_t stream, std::string_view what) {
  return platform::Error(
      absl::StatusCode::kDataLoss, "ITEMS_DAMAGED",
      absl::StrCat("items of stream ", stream, " cannot be read: ", platform::ToAbsl(what)));
}

}  // namespace

absl::Status ItemBook::Load() {
  std::vector<std::pair<RecordKey, uint32_t>> open;
  KANTOKU_RETURN_IF_ERROR(
      store_.Scan({.kind = kStreamKind}, [&](RecordKey number, std::string_view record) {
        next_stream_ = number + 1;
        const auto stored = DecodeStream(record);
        if (!stored.ok()) {
          damages_.push_back(absl::StrCat("stream ", number, ": ", stored.status().message()));
          return;
        }
        ++streams_;
        bytes_ += kStreamBytes + stored->bytes;
        if (stored->state == StreamState::kErasing) {
          return erasures_.push_back(
              {.stream = number, .last = stored->items, .bytes = kStreamBytes + stored->bytes});
        }
        Task& task = tasks_[stored->task.key()];
        task.id = stored->task;
        task.name_space = stored->name_space;
        task.owner = stored->owner;
        task.streams.push_back({.number = number,
                                .bytes = stored->bytes,
                                .dispatch = stored->dispatch,
                                .last = static_cast<uint32_t>(stored->items),
                                .closed = stored->state == StreamState::kClosed});
        if (stored->state == StreamState::kOpen) {
          open.emplace_back(stored->task.key(), stored->dispatch);
        }
      }));
  for (const auto& [key, dispatch] : open) {
    for (Stream& stream : tasks_[key].streams) {
      if (stream.dispatch == dispatch) KANTOKU_RETURN_IF_ERROR(Measure(stream));
    }
  }
  return absl::OkStatus();
}

// The last record of a stream tells what there is of it.
absl::Status ItemBook::Measure(Stream& stream) {
  KANTOKU_RETURN_IF_ERROR(store_.Scan({.kind = kItemsKind,
                                       .first = KeyOf(stream.number, 1),
                                       .last = KeyOf(stream.number, kMaxSequence),
                                       .limit = 1,
                                       .descending = true},
                                      [&](RecordKey key, std::string_view record) {
                                        stream.last = static_cast<uint32_t>(key & kMaxSequence);
                                        stream.bytes = record.size();
                                        const auto stored = DecodeItems(record);
                                        stream.damaged = !stored.ok();
                                        if (stream.damaged) return;
                                        stream.last += stored->items.size() - 1;
                                        stream.bytes += stored->bytes_before;
                                      }));
  bytes_ += stream.bytes;
  if (stream.damaged) {
    damages_.push_back(absl::StrCat("items of stream ", stream.number, " from number ", stream.last,
                                    " on, which dispatch ", stream.dispatch, " has yielded"));
  }
  return absl::OkStatus();
}

const ItemBook::Task* ItemBook::Find(const TaskId& task) const {
  const auto found = tasks_.find(task.key());
  return found != tasks_.end() && found->second.id == task ? &found->second : nullptr;
}

const ItemBook::Stream* ItemBook::Find(const TaskId& task, uint32_t dispatch) const {
  const Task* const held = Find(task);
  if (held == nullptr) return nullptr;
  const auto found = std::ranges::find(held->streams, dispatch, &Stream::dispatch);
  return found == held->streams.end() ? nullptr : &*found;
}

uint64_t ItemBook::Count(const TaskId& task, uint32_t dispatch) const {
  const Stream* const stream = Find(task, dispatch);
  return stream == nullptr ? 0 : stream->last;
}

bool ItemBook::IsDamaged(const TaskId& task, uint32_t dispatch) const {
  const Stream* const stream = Find(task, dispatch);
  return stream != nullptr && stream->damaged;
}

bool ItemBook::IsSeenBy(const platform::Identity& viewer, const TaskId& task) const {
  const Task* const held = Find(task);
  return held != nullptr && viewer.Sees(held->name_space, held->owner);
}

ItemBook::Decision ItemBook::Put(const Batch& batch, uint64_t room, Transaction& transaction) {
  const auto found = tasks_.find(batch.task.key());
  Task* task = found == tasks_.end() ? nullptr : &found->second;
  if (task != nullptr && task->id != batch.task) return {Outcome::kForeign};
  Stream* stream = task == nullptr ? nullptr : &task->streams.back();
  if (stream != nullptr && stream->dispatch > batch.dispatch) return {Outcome::kSuperseded};
  if (stream != nullptr && stream->dispatch < batch.dispatch) stream = nullptr;
  if (stream != nullptr && stream->damaged) return {Outcome::kSuperseded};
  const uint64_t held = stream == nullptr ? 0 : stream->last;
  if (batch.first > held + 1) return {Outcome::kGap, held};
  const uint64_t last = batch.first + batch.items.size() - 1;
  if (last <= held) return {Outcome::kRepeated, held};
  if (last > options_.max_items) return {Outcome::kTooMany, held};
  const uint64_t known = KANTOKU_PLANTED("item stored twice") ? 0 : held + 1 - batch.first;
  const auto fresh = batch.items.subspan(known);
  const uint64_t bytes = SizeOf(fresh) + (stream == nullptr ? kStreamBytes : 0);
  if (bytes > room) return {Outcome::kFull, held};
  if (stream == nullptr && streams_ >= options_.max_streams) {
    return {Outcome::kTooManyStreams, held};
  }
  if (task == nullptr) task = &tasks_[batch.task.key()];
  if (stream == nullptr) stream = &Open(*task, batch, transaction);
  Append(*stream, fresh, transaction);
  return {Outcome::kStored, last};
}

ItemBook::Stream& ItemBook::Open(Task& task, const Batch& batch, Transaction& transaction) {
  if (task.streams.empty()) {
    task.id = batch.task;
    task.name_space = batch.name_space;
    task.owner = batch.owner;
  }
  Stream& stream = task.streams.emplace_back();
  stream.number = next_stream_++;
  stream.dispatch = batch.dispatch;
  ++streams_;
  bytes_ += kStreamBytes;
  WriteStream(task, stream, StreamState::kOpen, transaction);
  return stream;
}

void ItemBook::WriteStream(const Task& task, const Stream& stream, StreamState state,
                           Transaction& transaction) {
  const bool open = state == StreamState::kOpen;
  EncodeStream({.task = task.id,
                .dispatch = stream.dispatch,
                .state = state,
                .name_space = task.name_space,
                .owner = task.owner,
                .items = open ? 0 : stream.last,
                .bytes = open ? 0 : stream.bytes},
               record_);
  transaction.batch().Put(kStreamKind, stream.number, record_);
}

void ItemBook::Append(Stream& stream, std::span<const Item> items, Transaction& transaction) {
  while (!items.empty()) {
    const uint64_t first = stream.last + 1;
    ItemRecordWriter writer(stream.bytes, record_);
    size_t count = 0;
    do {
      writer.Add(items[count++]);
    } while (count < items.size() && count < kRecordItems &&
             record_.size() + items[count].data.size() + kItemOverhead <= kRecordBytes);
    transaction.batch().Put(kItemsKind, KeyOf(stream.number, first), record_);
    stream.last += static_cast<uint32_t>(count);
    stream.bytes += record_.size();
    bytes_ += record_.size();
    items = items.subspan(count);
  }
}

absl::StatusOr<ItemBook::Reading> ItemBook::Read(const TaskId& task, ItemPosition from,
                                                 size_t max_bytes, ItemVisitor visit) {
  Reading reading{.next = from};
  const Task* const held = Find(task);
  if (held == nullptr) return reading;
  for (const Stream& stream : held->streams) {
    if (stream.dispatch < from.dispatch) continue;
    const bool inside = stream.dispatch == from.dispatch || from.dispatch == 0;
    const uint64_t first = inside ? std::max<uint64_t>(from.sequence, 1) : 1;
    // A position without a dispatch is one of the first.
    if (from.dispatch == 0) from.dispatch = stream.dispatch;
    if (first > stream.last) {
      if (inside) reading.next = {stream.dispatch, first};
      continue;
    }
    reading.dispatch = stream.dispatch;
    reading.first = first;
    reading.restarted = stream.dispatch > from.dispatch;
    reading.next = {stream.dispatch, first};
    Page page{.reading = reading, .max_bytes = max_bytes};
    KANTOKU_RETURN_IF_ERROR(ReadStream(stream, page, visit));
    reading.reach = reading.next.sequence > first ? Reach::kItems : Reach::kInFlight;
    return reading;
  }
  return reading;
}

absl::Status ItemBook::ReadStream(const Stream& stream, Page& page, ItemVisitor visit) {
  const auto show = [&](RecordKey key, std::string_view record) {
    ShowRecord(key, record, page, visit);
  };
  // The record that the first one lies in, then those after it.
  KANTOKU_RETURN_IF_ERROR(store_.Scan({.kind = kItemsKind,
                                       .first = KeyOf(stream.number, 1),
                                       .last = KeyOf(stream.number, page.reading.first),
                                       .limit = 1,
                                       .descending = true},
                                      show));
  const ItemPosition& next = page.reading.next;
  while (page.damage.ok() && page.records > 0 && !page.full && next.sequence <= stream.last) {
    const uint64_t before = next.sequence;
    const size_t mean = page.bytes / page.records + 1;
    const size_t fitting = (page.max_bytes - std::min(page.bytes, page.max_bytes)) / mean + 1;
    KANTOKU_RETURN_IF_ERROR(store_.Scan({.kind = kItemsKind,
                                         .first = KeyOf(stream.number, before),
                                         .last = KeyOf(stream.number, kMaxSequence),
                                         .limit = std::min(fitting, kMaxRecordsRead)},
                                        show));
    if (next.sequence == before) break;  // The store does not show them yet.
  }
  return page.damage;
}

void ItemBook::ShowRecord(RecordKey key, std::string_view record, Page& page, ItemVisitor visit) {
  if (!page.damage.ok() || page.full) return;
  ItemPosition& next = page.reading.next;
  const uint64_t first = key & kMaxSequence;
  const auto stored = DecodeItems(record);
  if (!stored.ok()) {
    page.damage = Damaged(key >> kItemSequenceBits, platform::ToStd(stored.status().message()));
    return;
  }
  if (first > next.sequence) {
    page.damage =
        Damaged(key >> kItemSequenceBits, absl::StrCat("number ", next.sequence, " is missing"));
    return;
  }
  const uint64_t skipped = next.sequence - first;
  if (skipped >= stored->items.size()) return;
  ++page.records;
  for (const Item& item : std::span(stored->items).subspan(skipped)) {
    const size_t bytes = item.data.size() + item.content_type.size() + kShownOverhead;
    page.full = page.bytes > 0 && page.bytes + bytes > page.max_bytes;
    if (page.full) return;
    visit(item);
    page.bytes += bytes;
    ++next.sequence;
  }
}

void ItemBook::Close(const TaskId& task, Transaction& transaction) {
  const auto found = tasks_.find(task.key());
  if (found == tasks_.end() || found->second.id != task) return;
  for (Stream& stream : found->second.streams) {
    if (std::exchange(stream.closed, true)) continue;
    WriteStream(found->second, stream, StreamState::kClosed, transaction);
  }
}

void ItemBook::Forget(const TaskId& task, Transaction& transaction) {
  const auto found = tasks_.find(task.key());
  if (found == tasks_.end() || found->second.id != task) return;
  for (const Stream& stream : found->second.streams) {
    WriteStream(found->second, stream, StreamState::kErasing, transaction);
    erasures_.push_back(
        {.stream = stream.number, .last = stream.last, .bytes = kStreamBytes + stream.bytes});
  }
  tasks_.erase(found);
}

bool ItemBook::EraseSome(Transaction& transaction) {
  uint64_t sequences = kErasedSequences;
  uint64_t bytes = kErasedBytes;
  while (sequences > 0 && bytes > 0 && !erasures_.empty()) {
    Erasure& erasure = erasures_.front();
    // What is large on the average is erased in smaller steps, as a store touches all of it.
    const uint64_t mean = erasure.bytes / std::max<uint64_t>(erasure.last, 1) + 1;
    const uint64_t step = std::min(sequences, bytes / mean + 1);
    const uint64_t end = std::min(erasure.next + step - 1, erasure.last);
    transaction.batch().EraseRange(kItemsKind, KeyOf(erasure.stream, erasure.next),
                                   KeyOf(erasure.stream, end));
    const uint64_t erased = end + 1 - erasure.next;
    sequences -= erased;
    bytes -= std::min(bytes, erased * mean);
    erasure.next = end + 1;
    if (erasure.next <= erasure.last) continue;
    transaction.batch().Erase(kStreamKind, erasure.stream);
    bytes_ -= erasure.bytes;
    --streams_;
    erasures_.pop_front();
  }
  return !erasures_.empty();
}

}  // namespace kantoku::outputs
