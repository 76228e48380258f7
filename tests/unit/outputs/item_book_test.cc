#include "services/outputs/item_book.h"

#include <catch2/catch.hpp>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "services/outputs/result_book.h"
#include "services/outputs/store.h"
#include "services/platform/partition/group.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::TaskId;
using Outcome = ResultBook::Outcome;
using Reach = ItemBook::Reach;

// What a reader was shown.
struct Shown {
  Reach reach;
  uint32_t dispatch = 0;
  uint64_t first = 0;
  bool restarted = false;
  ItemPosition next;
  std::vector<std::string> items;
};

// A book on a memory store, whose groups are committed when a test says so.
class Shelf {
 public:
  explicit Shelf(ResultBook::Options options = {}) : options_(options) { Open(); }

  // As after a crash: what was not committed is lost.
  void Open() {
    group_ = nullptr;
    book_.reset();
    store_ = *factory_->Open(0);
    next_batch_ = *store_->LastBatch() + 1;
    auto book = ResultBook::Recover(options_, *store_);
    REQUIRE(book.ok());
    book_ = *std::move(book);
    Begin();
  }

  static TaskId Task(uint64_t sequence, uint64_t random = 5) {
    return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, random);
  }

  ResultBook::Decision Yield(TaskId task, uint32_t dispatch, uint64_t first,
                             const std::vector<std::string>& texts) {
    std::vector<Item> items;
    items.reserve(texts.size());
    for (const std::string& text : texts) items.push_back({.data = text, .content_type = "text"});
    const ItemBook::Batch batches[] = {{.task = task,
                                        .dispatch = dispatch,
                                        .name_space = "default",
                                        .owner = "local",
                                        .first = first,
                                        .items = items}};
    const auto decisions = book_->PutItems(batches, *group_);
    REQUIRE(decisions.ok());
    return decisions->front();
  }
  ResultBook::Decision Put(TaskId task, uint32_t dispatch, uint64_t items,
                           absl::Duration retention = absl::Hours(24)) {
    const ResultBook::Offer offers[] = {{.result = {.task = task,
                                                    .status = ResultStatus::kSucceeded,
                                                    .dispatch = dispatch,
                                                    .owner = "local"},
                                         .retention = retention,
                                         .items = items}};
    const auto decisions =
        book_->Put(offers, *group_, [](const StoredResult&, std::string_view) {});
    REQUIRE(decisions.ok());
    return decisions->front();
  }
  void Fence(TaskId task, uint32_t dispatch) {
    const ResultBook::Closing closings[] = {{.task = task, .dispatch = dispatch}};
    REQUIRE(book_->Fence(1, closings, *group_, [](const StoredResult&, std::string_view) {}).ok());
  }

  Shown Read(TaskId task, ItemPosition from = {}, size_t max_bytes = 1 << 20) {
    Shown shown;
    const auto reading = book_->items().Read(
        task, from, max_bytes, [&](const Item& item) { shown.items.emplace_back(item.data); });
    REQUIRE(reading.ok());
    shown.reach = reading->reach;
    shown.dispatch = reading->dispatch;
    shown.first = reading->first;
    shown.restarted = reading->restarted;
    shown.next = reading->next;
    return shown;
  }
  // Everything that there is from a position on, and where it begins again.
  std::vector<std::string> ReadAll(TaskId task, ItemPosition from = {}, size_t max_bytes = 100) {
    std::vector<std::string> items;
    while (true) {
      const Shown shown = Read(task, from, max_bytes);
      if (shown.reach != Reach::kItems) return items;
      if (from.dispatch != 0 && shown.dispatch != from.dispatch) items.emplace_back("again");
      items.insert(items.end(), shown.items.begin(), shown.items.end());
      from = shown.next;
    }
  }

  void Commit() {
    book_->FinishGroup(*group_);
    group_->Close(next_batch_);
    if (group_->needs_commit()) REQUIRE(store_->Commit(group_->closed_batch()).ok());
    group_->Settle(absl::OkStatus());
    Begin();
  }
  // Lets time pass until nothing is due.
  void Pass(absl::Duration time) {
    now_.wall += time;
    group_->set_now(now_);
    for (int i = 0; i < 100; ++i) Commit();
  }
  size_t Records(platform::RecordKind kind) {
    size_t count = 0;
    REQUIRE(store_->Scan({.kind = kind}, [&](RecordKey, std::string_view) { ++count; }).ok());
    return count;
  }
  ResultBook& book() { return *book_; }
  platform::RecordStore& store() { return *store_; }

 private:
  void Begin() {
    group_ = std::make_unique<platform::Group>();
    group_->set_now(now_);
  }

  const ResultBook::Options options_;
  std::unique_ptr<platform::RecordStoreFactory> factory_ =
      platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  std::unique_ptr<platform::RecordStore> store_;
  std::unique_ptr<ResultBook> book_;
  std::unique_ptr<platform::Group> group_;
  uint64_t next_batch_ = 1;
  platform::Now now_{.wall = absl::FromUnixSeconds(1'700'000'000)};
};

using Texts = std::vector<std::string>;

TEST_CASE("Items are read in their order, from any of them on") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  CHECK(shelf.Yield(task, 1, 1, {"a", "b"}).outcome == Outcome::kStored);
  shelf.Commit();
  CHECK(shelf.Yield(task, 1, 3, {"c"}).items == 3);
  shelf.Commit();
  CHECK(shelf.ReadAll(task) == Texts{"a", "b", "c"});
  CHECK(shelf.ReadAll(task, {1, 2}) == Texts{"b", "c"});
  CHECK(shelf.ReadAll(task, {0, 3}) == Texts{"c"});
  CHECK(shelf.ReadAll(task, {1, 4}).empty());
  CHECK(shelf.Read(Shelf::Task(2)).reach == Reach::kEnd);
}

TEST_CASE("What is not durable is not read, and said to be on its way") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 1, 1, {"a"});
  CHECK(shelf.Read(task).reach == Reach::kInFlight);
  shelf.Commit();
  shelf.Yield(task, 1, 2, {"b"});
  const Shown shown = shelf.Read(task);
  CHECK(shown.items == Texts{"a"});
  CHECK(shelf.Read(task, shown.next).reach == Reach::kInFlight);
  shelf.Fence(task, 1);
  shelf.Yield(task, 2, 1, {"c"});
  // Not before the rest of the earlier dispatch.
  CHECK(shelf.Read(task, shown.next).reach == Reach::kInFlight);
  shelf.Commit();
  CHECK(shelf.ReadAll(task, shown.next) == Texts{"b", "again", "c"});
}

TEST_CASE("A repeat stores nothing twice, one that goes further stores what is new") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 1, 1, {"a", "b"});
  CHECK(shelf.Yield(task, 1, 1, {"a", "b"}).outcome == Outcome::kRepeated);
  shelf.Commit();
  const auto repeat = shelf.Yield(task, 1, 2, {"b"});
  CHECK(repeat.outcome == Outcome::kRepeated);
  CHECK(repeat.items == 2);
  CHECK(shelf.Yield(task, 1, 2, {"b", "c"}).outcome == Outcome::kStored);
  shelf.Commit();
  CHECK(shelf.ReadAll(task) == Texts{"a", "b", "c"});
}

TEST_CASE("A gap is refused and names what is wanted") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  CHECK(shelf.Yield(task, 1, 2, {"b"}).outcome == Outcome::kGap);
  shelf.Yield(task, 1, 1, {"a"});
  const auto gap = shelf.Yield(task, 1, 3, {"c"});
  CHECK(gap.outcome == Outcome::kGap);
  CHECK(gap.items == 1);
}

TEST_CASE("A batch whose numbers go beyond all numbers is a gap, not a repeat") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 1, 1, {"a"});
  for (const uint64_t first : {UINT64_MAX, UINT64_MAX - 1}) {
    const auto beyond = shelf.Yield(task, 1, first, {"x", "y", "z"});
    CHECK(beyond.outcome == Outcome::kGap);
    CHECK(beyond.items == 1);
  }
}

TEST_CASE("A reader's part may end, and the next begin, within a record") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  Texts texts;
  for (int i = 0; i < 2500; ++i) texts.push_back(std::to_string(i));
  shelf.Yield(task, 1, 1, texts);
  shelf.Commit();
  // In records of a thousand.
  CHECK(shelf.Records(kItemsKind) == 3);
  const Shown shown = shelf.Read(task, {1, 998}, 500);
  CHECK(shown.items == Texts{"997", "998", "999", "1000", "1001", "1002"});
  CHECK(shown.next == ItemPosition{1, 1004});
  CHECK(shelf.ReadAll(task, {}, 500) == texts);
  CHECK(shelf.ReadAll(task, {}, 1) == texts);
}

TEST_CASE("A new dispatch begins again, and its reader is led from one to the other") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 1, 1, {"a", "b"});
  shelf.Commit();
  const Shown first = shelf.Read(task);
  CHECK(first.dispatch == 1);
  shelf.Fence(task, 2);
  shelf.Yield(task, 3, 1, {"x"});
  shelf.Commit();
  const Shown second = shelf.Read(task, first.next);
  CHECK(second.dispatch == 3);
  CHECK(second.first == 1);
  CHECK(second.items == Texts{"x"});
  CHECK(shelf.ReadAll(task) == Texts{"a", "b", "again", "x"});
  CHECK(shelf.ReadAll(task, {2, 7}) == Texts{"again", "x"});
  for (const ItemPosition before : {ItemPosition{1, 3}, {0, 3}, {2, 1}}) {
    CHECK(shelf.Read(task, before).restarted);
  }
  for (const ItemPosition inside : {ItemPosition{3, 1}, {0, 0}, {0, 2}, {1, 1}}) {
    CHECK_FALSE(shelf.Read(task, inside).restarted);
  }
}

TEST_CASE("A fenced dispatch yields nothing more, nor does one before the latest") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 2, 1, {"a"});
  CHECK(shelf.Yield(task, 1, 1, {"x"}).outcome == Outcome::kFenced);
  shelf.Fence(task, 2);
  CHECK(shelf.Yield(task, 2, 2, {"b"}).outcome == Outcome::kFenced);
  CHECK(shelf.Yield(task, 3, 1, {"c"}).outcome == Outcome::kStored);
}

TEST_CASE("A result is stored with all of its items, and after it there are none") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  shelf.Yield(task, 1, 1, {"a", "b"});
  const auto missing = shelf.Put(task, 1, 3);
  CHECK(missing.outcome == Outcome::kItemsMissing);
  CHECK(missing.items == 2);
  CHECK(shelf.Put(task, 1, 1).outcome == Outcome::kItemsBeyond);
  CHECK(shelf.Put(task, 1, 2).outcome == Outcome::kStored);
  CHECK(shelf.Put(task, 1, 2).outcome == Outcome::kRepeated);
  CHECK(shelf.Put(task, 1, 3).outcome == Outcome::kItemsMissing);
  const auto late = shelf.Yield(task, 1, 3, {"c"});
  CHECK(late.outcome == Outcome::kTaken);
  CHECK(late.winner == ResultStatus::kSucceeded);
  // The items of an earlier dispatch do not count.
  const TaskId other = Shelf::Task(2);
  shelf.Yield(other, 1, 1, {"a"});
  shelf.Fence(other, 1);
  CHECK(shelf.Put(other, 2, 1).outcome == Outcome::kItemsMissing);
  CHECK(shelf.Put(other, 2, 0).outcome == Outcome::kStored);
}

TEST_CASE("Reopened, a book goes on where its last commit was") {
  Shelf shelf;
  const TaskId open = Shelf::Task(1);
  const TaskId ended = Shelf::Task(2);
  shelf.Yield(open, 1, 1, {"a", "b"});
  shelf.Yield(ended, 1, 1, {"x"});
  shelf.Put(ended, 1, 1);
  shelf.Commit();
  shelf.Yield(open, 1, 3, {"c"});
  shelf.Commit();
  const uint64_t bytes = shelf.book().bytes();
  shelf.Yield(open, 1, 4, {"lost"});
  shelf.Open();
  CHECK(shelf.book().bytes() == bytes);
  CHECK(shelf.Yield(open, 1, 5, {"e"}).items == 3);
  CHECK(shelf.Yield(open, 1, 4, {"d"}).outcome == Outcome::kStored);
  shelf.Commit();
  CHECK(shelf.ReadAll(open) == Texts{"a", "b", "c", "d"});
  CHECK(shelf.ReadAll(ended) == Texts{"x"});
  shelf.Open();
  CHECK(shelf.Yield(Shelf::Task(3), 1, 1, {"n"}).outcome == Outcome::kStored);
  shelf.Commit();
  CHECK(shelf.ReadAll(Shelf::Task(3)) == Texts{"n"});
  CHECK(shelf.ReadAll(open) == Texts{"a", "b", "c", "d"});
}

TEST_CASE("Items leave with their task's result, and give their bytes back") {
  Shelf shelf;
  const TaskId brief = Shelf::Task(1);
  const TaskId kept = Shelf::Task(2);
  for (const TaskId& task : {brief, kept}) {
    shelf.Yield(task, 1, 1, {"a"});
    shelf.Fence(task, 1);
    shelf.Yield(task, 2, 1, {"b", "c"});
  }
  shelf.Commit();
  shelf.Put(brief, 2, 2, absl::Minutes(1));
  shelf.Put(kept, 2, 2);
  shelf.Commit();
  const uint64_t bytes = shelf.book().bytes();
  shelf.Pass(absl::Minutes(3));
  CHECK(shelf.ReadAll(brief).empty());
  CHECK(shelf.ReadAll(kept) == Texts{"a", "again", "b", "c"});
  CHECK(shelf.Records(kStreamKind) == 2);
  CHECK(shelf.Records(kItemsKind) == 2);
  CHECK(shelf.book().bytes() < bytes);
  shelf.Pass(absl::Hours(48));
  CHECK(shelf.Records(kStreamKind) == 0);
  CHECK(shelf.Records(kItemsKind) == 0);
  CHECK(shelf.book().bytes() == 0);
}

TEST_CASE("What was being erased when a book was closed is erased by the next") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  // So many that they do not go in one step.
  for (uint64_t i = 0; i < 3; ++i) {
    shelf.Yield(task, 1, 1 + i * 5000, Texts(5000, "x"));
    shelf.Commit();
  }
  shelf.Put(task, 1, 15'000, absl::ZeroDuration());
  shelf.Commit();
  shelf.Open();
  const size_t before = shelf.Records(kItemsKind);
  shelf.Pass(absl::Minutes(2));
  CHECK(before > 0);
  CHECK(shelf.Records(kItemsKind) == 0);
  CHECK(shelf.Records(kStreamKind) == 0);
}

TEST_CASE("Erasing goes in bounded steps, and goes on after a restart") {
  platform::Group group;
  const auto factory = platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  auto store = *factory->Open(0);
  uint64_t number = 1;
  const auto commit = [&] {
    group.Close(number);
    REQUIRE(store->Commit(group.closed_batch()).ok());
    group.Clear();
  };
  const TaskId task = Shelf::Task(1);
  auto book = std::make_unique<ItemBook>(ItemBook::Options(), *store);
  const std::vector<Item> items(20'000, Item{.data = "x"});
  book->Put({.task = task, .dispatch = 1, .owner = "local", .first = 1, .items = items}, 1 << 30,
            group);
  book->Close(task, group);
  commit();
  book->Forget(task, group);
  CHECK(book->EraseSome(group));
  commit();
  book = std::make_unique<ItemBook>(ItemBook::Options(), *store);
  REQUIRE(book->Load().ok());
  CHECK(book->erases());
  CHECK(book->bytes() > 0);
  int steps = 0;
  while (book->EraseSome(group)) ++steps;
  commit();
  CHECK(steps == 2);
  CHECK(book->bytes() == 0);
  size_t left = 0;
  for (const platform::RecordKind kind : {kStreamKind, kItemsKind}) {
    REQUIRE(store->Scan({.kind = kind}, [&](RecordKey, std::string_view) { ++left; }).ok());
  }
  CHECK(left == 0);
}

TEST_CASE("A full book refuses items, takes repeats, and keeps its reserve for fences") {
  Shelf shelf({.max_bytes = 1000});
  const TaskId task = Shelf::Task(1);
  CHECK(shelf.Yield(task, 1, 1, {std::string(800, 'x')}).outcome == Outcome::kStored);
  // Not even one that is larger than all there is room for.
  CHECK(shelf.Yield(task, 1, 2, {std::string(2000, 'y')}).outcome == Outcome::kFull);
  CHECK(shelf.Yield(task, 1, 2, {std::string(80, 'y')}).outcome == Outcome::kFull);
  CHECK(shelf.Yield(task, 1, 1, {std::string(800, 'x')}).outcome == Outcome::kRepeated);
  // Nor does the first of a task find room for what is held beside it.
  CHECK(shelf.Yield(Shelf::Task(2), 1, 1, {"y"}).outcome == Outcome::kFull);
  CHECK(shelf.book().bytes() <= 1000);
  CHECK(shelf.Yield(task, 1, 2, {"y"}).outcome == Outcome::kStored);
  CHECK(shelf.book().bytes() <= 1000);
  Shelf few({.items = {.max_items = 2, .max_streams = 1}});
  CHECK(few.Yield(task, 1, 1, {"a", "b"}).outcome == Outcome::kStored);
  CHECK(few.Yield(task, 1, 3, {"c"}).outcome == Outcome::kTooMany);
  CHECK(few.Yield(Shelf::Task(2), 1, 1, {"y"}).outcome == Outcome::kTooManyStreams);
}

TEST_CASE("Another task under the same key gets none of the items") {
  Shelf shelf;
  shelf.Yield(Shelf::Task(1, 5), 1, 1, {"a"});
  shelf.Commit();
  CHECK(shelf.Yield(Shelf::Task(1, 6), 1, 1, {"x"}).outcome == Outcome::kForeign);
  CHECK(shelf.Read(Shelf::Task(1, 6)).reach == Reach::kEnd);
}

TEST_CASE("A reader is shown a bounded part at a time, whatever the sizes") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  std::mt19937 random(7);
  Texts texts;
  while (texts.size() < 2000) {
    const size_t count = 1 + random() % 20;
    Texts some;
    for (size_t i = 0; i < count; ++i) {
      const size_t size = random() % 50 == 0 ? 300'000 : random() % 2000;
      some.emplace_back(size, static_cast<char>('a' + random() % 26));
    }
    shelf.Yield(task, 1, texts.size() + 1, some);
    texts.insert(texts.end(), some.begin(), some.end());
    if (random() % 3 == 0) shelf.Commit();
  }
  shelf.Commit();
  shelf.Open();
  const uint64_t begin = 1 + random() % texts.size();
  ItemPosition position{1, begin};
  Texts read;
  while (true) {
    const Shown shown = shelf.Read(task, position, 100'000);
    if (shown.reach != Reach::kItems) break;
    CHECK(shown.first == position.sequence);
    size_t bytes = 0;
    for (const std::string& item : shown.items) bytes += item.size();
    CHECK((bytes <= 100'000 || shown.items.size() == 1));
    read.insert(read.end(), shown.items.begin(), shown.items.end());
    position = shown.next;
  }
  CHECK((read == Texts(texts.begin() + static_cast<int64_t>(begin) - 1, texts.end())));
}

TEST_CASE("A record that is missing or cannot be read is said, and nothing is made up") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  for (uint64_t i = 1; i <= 3; ++i) {
    shelf.Yield(task, 1, i, {"x"});
    shelf.Commit();
  }
  const auto read = [&] {
    return shelf.book().items().Read(task, {}, 1 << 20, [](const Item&) {}).status();
  };
  CHECK(read().ok());
  platform::WriteBatch batch;
  batch.set_number(*shelf.store().LastBatch() + 1);
  batch.Put(kItemsKind, uint64_t{1} << kItemSequenceBits | 2, "damage");
  REQUIRE(shelf.store().Commit(batch).ok());
  CHECK(read().code() == absl::StatusCode::kDataLoss);
  batch.Clear();
  batch.set_number(*shelf.store().LastBatch() + 1);
  batch.Erase(kItemsKind, uint64_t{1} << kItemSequenceBits | 2);
  REQUIRE(shelf.store().Commit(batch).ok());
  CHECK(read().code() == absl::StatusCode::kDataLoss);
}

void Damage(Shelf& shelf, platform::RecordKind kind, RecordKey key) {
  platform::WriteBatch batch;
  batch.set_number(*shelf.store().LastBatch() + 1);
  batch.Put(kind, key, "damage");
  REQUIRE(shelf.store().Commit(batch).ok());
  shelf.Open();
}

TEST_CASE("Damaged items cost their own dispatch, not the start") {
  Shelf shelf;
  const TaskId task = Shelf::Task(1);
  const TaskId other = Shelf::Task(2);
  shelf.Yield(task, 1, 1, {"a"});
  shelf.Yield(other, 1, 1, {"b"});
  shelf.Commit();
  shelf.Yield(task, 1, 2, {"c"});
  shelf.Commit();
  Damage(shelf, kItemsKind, uint64_t{1} << kItemSequenceBits | 2);
  CHECK(shelf.book().items().damages().size() == 1);
  CHECK((shelf.ReadAll(other) == Texts{"b"}));
  CHECK(shelf.Yield(other, 1, 2, {"d"}).outcome == Outcome::kStored);
  CHECK(shelf.book().items().Read(task, {}, 1 << 20, [](const Item&) {}).status().code() ==
        absl::StatusCode::kDataLoss);
  // The dispatch is over; the next one yields everything again.
  CHECK(shelf.Yield(task, 1, 3, {"e"}).outcome == Outcome::kFenced);
  CHECK(shelf.Put(task, 1, 2).outcome == Outcome::kFenced);
  CHECK(shelf.Yield(task, 2, 1, {"a", "c"}).outcome == Outcome::kStored);
  CHECK(shelf.Put(task, 2, 2).outcome == Outcome::kStored);
  shelf.Commit();
  CHECK((shelf.ReadAll(task, {2, 1}) == Texts{"a", "c"}));
}

TEST_CASE("A damaged stream is said at the start, and others go on") {
  Shelf shelf;
  shelf.Yield(Shelf::Task(1), 1, 1, {"a"});
  shelf.Yield(Shelf::Task(2), 1, 1, {"b"});
  shelf.Commit();
  Damage(shelf, kStreamKind, 2);
  CHECK(shelf.book().items().damages().size() == 1);
  CHECK((shelf.ReadAll(Shelf::Task(1)) == Texts{"a"}));
  // Its number is not given away again.
  shelf.Yield(Shelf::Task(3), 1, 1, {"c"});
  shelf.Commit();
  CHECK((shelf.ReadAll(Shelf::Task(3)) == Texts{"c"}));
  shelf.Open();
  CHECK((shelf.ReadAll(Shelf::Task(3)) == Texts{"c"}));
}

TEST_CASE("Without room the result of a dispatch that has yielded is taken all the same") {
  Shelf shelf({.max_bytes = 16'000});
  const std::string item(1'000, 'x');
  uint64_t yielded = 0;
  while (shelf.Yield(Shelf::Task(1), 1, yielded + 1, {item}).outcome == Outcome::kStored) ++yielded;
  shelf.Commit();
  while (shelf.Put(Shelf::Task(2 + yielded), 1, 0).outcome == Outcome::kStored) ++yielded;
  CHECK(shelf.Put(Shelf::Task(2 + yielded), 1, 0).outcome == Outcome::kFull);
  CHECK(shelf.Put(Shelf::Task(1), 1, shelf.book().items().Count(Shelf::Task(1), 1)).outcome ==
        Outcome::kStored);
}

}  // namespace
}  // namespace kantoku::outputs
