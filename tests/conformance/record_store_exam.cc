#include "tests/conformance/record_store_exam.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <numeric>
#include <random>
#include <stop_token>
#include <thread>
#include <utility>

#include "services/platform/status.h"

// As failures show records.
template <>
struct Catch::StringMaker<std::pair<kantoku::platform::RecordKey, std::string>> {
  static std::string convert(const std::pair<kantoku::platform::RecordKey, std::string>& record) {
    constexpr size_t kShown = 40;
    const std::string value = record.second.substr(0, kShown);
    return std::to_string(record.first) + ": " + Detail::stringify(value) +
           (record.second.size() > kShown ? "..." : "");
  }
};

namespace kantoku::platform {
namespace {

constexpr RecordKind kApple = 1;
constexpr RecordKind kPear = 200;

using Records = std::vector<std::pair<RecordKey, std::string>>;

// Shorter to write down than a batch.
struct Batch : WriteBatch {
  explicit Batch(uint64_t number) { set_number(number); }
  Batch& With(RecordKind kind, RecordKey key, std::string_view value) {
    Put(kind, key, value);
    return *this;
  }
  Batch& Without(RecordKind kind, RecordKey first, RecordKey last) {
    EraseRange(kind, first, last);
    return *this;
  }
};

Records ScanOf(RecordStore& store, const RecordRange& range) {
  Records records;
  const absl::Status status = store.Scan(range, [&](RecordKey key, std::string_view value) {
    records.emplace_back(key, std::string(value));
  });
  CAPTURE(status.ToString());
  REQUIRE(status.ok());
  return records;
}

Records AllOf(RecordStore& store, RecordKind kind) { return ScanOf(store, {.kind = kind}); }

Records ReadOf(RecordStore& store, RecordKind kind, const std::vector<RecordKey>& keys) {
  Records records;
  REQUIRE(store
              .Read({.kind = kind, .keys = keys},
                    [&](RecordKey key, std::string_view value) {
                      records.emplace_back(key, std::string(value));
                    })
              .ok());
  return records;
}

uint64_t LastBatchOf(RecordStore& store) {
  const auto number = store.LastBatch();
  CAPTURE(number.status().ToString());
  REQUIRE(number.ok());
  return *number;
}

void CommitOrFail(RecordStore& store, const WriteBatch& batch) {
  const absl::Status status = store.Commit(batch);
  CAPTURE(batch.number(), status.ToString());
  REQUIRE(status.ok());
}

// Somebody who sits the exam: each test case that has one runs once for every entry.
class Sitting {
 public:
  Sitting() : Sitting(NextEntry()) {}

  std::unique_ptr<RecordStore> Open(uint32_t partition = 0) {
    auto store = examinee_->factory().Open(partition);
    CAPTURE(store.status().ToString());
    REQUIRE(store.ok());
    return *std::move(store);
  }
  void Crash() { examinee_->Crash(); }

 private:
  explicit Sitting(const RecordStoreEntry& entry)
      : name_(Catch::MessageBuilder("INFO", CATCH_INTERNAL_LINEINFO, Catch::ResultWas::Info)
              << "sitting the exam: " << entry.name),
        examinee_(entry.make(ExamSchema())) {}

  static const RecordStoreEntry& NextEntry() {
    static const std::vector<RecordStoreEntry> entries = RecordStoreEntries();
    return entries[GENERATE(range(size_t{0}, entries.size()))];
  }

  const Catch::ScopedMessage name_;  // Beside every failure.
  const std::unique_ptr<RecordStoreExaminee> examinee_;
};

// ---- Records ----

TEST_CASE("A new partition is empty") {
  Sitting sitting;
  auto store = sitting.Open();
  CHECK(LastBatchOf(*store) == 0);
  CHECK(AllOf(*store, kApple).empty());
  CHECK(ReadOf(*store, kPear, {0, 1, kMaxRecordKey}).empty());
}

TEST_CASE("What was committed is there, and after opening again") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1).With(kApple, 7, "seven").With(kPear, 8, "eight"));
  for (int time = 0; time < 2; ++time) {
    CHECK(LastBatchOf(*store) == 1);
    CHECK(ReadOf(*store, kApple, {7}) == Records{{7, "seven"}});
    CHECK(AllOf(*store, kPear) == Records{{8, "eight"}});
    store.reset();
    store = sitting.Open();
  }
}

TEST_CASE("A put replaces what was there") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1).With(kApple, 1, "long before").With(kApple, 2, "other"));
  CommitOrFail(*store, Batch(2).With(kApple, 1, "new"));
  CHECK(AllOf(*store, kApple) == Records{{1, "new"}, {2, "other"}});
}

TEST_CASE("Changes of one batch count in their order") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1)
                           .With(kApple, 1, "first")
                           .With(kApple, 1, "second")
                           .With(kApple, 2, "gone")
                           .Without(kApple, 2, 2)
                           .Without(kApple, 3, 9)
                           .With(kApple, 5, "stays")
                           .With(kApple, 6, "gone")
                           .Without(kApple, 6, 9));
  CHECK(AllOf(*store, kApple) == Records{{1, "second"}, {5, "stays"}});
}

TEST_CASE("A range is erased with both its ends and nothing beside") {
  Sitting sitting;
  auto store = sitting.Open();
  Batch batch(1);
  for (const RecordKey key : {RecordKey{0}, RecordKey{9}, RecordKey{10}, RecordKey{15},
                              RecordKey{20}, RecordKey{21}, kMaxRecordKey}) {
    batch.With(kApple, key, "apple").With(kPear, key, "pear");
  }
  CommitOrFail(*store, batch);
  CommitOrFail(*store, Batch(2).Without(kApple, 10, 20));
  CHECK(AllOf(*store, kApple) ==
        Records{{0, "apple"}, {9, "apple"}, {21, "apple"}, {kMaxRecordKey, "apple"}});
  CommitOrFail(*store, Batch(3).Without(kApple, 0, kMaxRecordKey));
  CHECK(AllOf(*store, kApple).empty());
  CHECK(AllOf(*store, kPear).size() == 7);
}

TEST_CASE("Erasing what is not there is no error") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1).Without(kApple, 5, 5).Without(kPear, 0, kMaxRecordKey));
  CHECK(LastBatchOf(*store) == 1);
}

TEST_CASE("Partitions do not mix") {
  Sitting sitting;
  auto one = sitting.Open(1);
  auto other = sitting.Open(2);
  CommitOrFail(*one, Batch(1).With(kApple, 1, "one"));
  CommitOrFail(*other, Batch(9).With(kApple, 1, "other"));
  CHECK(AllOf(*one, kApple) == Records{{1, "one"}});
  CHECK(AllOf(*other, kApple) == Records{{1, "other"}});
  CHECK(LastBatchOf(*one) == 1);
}

TEST_CASE("A value comes back as it was, of whatever size and bytes") {
  Sitting sitting;
  auto store = sitting.Open();
  std::mt19937_64 random(5);
  Records expected;
  Batch batch(1);
  for (const size_t size : {0, 1, 150, 4095, 4096, 8192, 65536, 1 << 20, 9 << 20}) {
    std::string value(size, 0);
    for (char& c : value) c = static_cast<char>(random());
    if (size > 0) value[size / 2] = 0;
    expected.emplace_back(expected.size(), value);
    batch.With(kApple, expected.back().first, value);
  }
  CommitOrFail(*store, batch);
  CHECK((AllOf(*store, kApple) == expected));  // Not to print 10 MiB.
  store.reset();
  CHECK((AllOf(*sitting.Open(), kApple) == expected));
}

// ---- Reading ----

TEST_CASE("Read visits what exists in the order of the keys asked for") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1).With(kApple, 1, "a").With(kApple, 2, "b").With(kApple, 3, "c"));
  CHECK(ReadOf(*store, kApple, {3, 99, 1, 3}) == Records{{3, "c"}, {1, "a"}, {3, "c"}});
  CHECK(ReadOf(*store, kApple, {}).empty());
}

TEST_CASE("Scan keeps to range, order and limit") {
  Sitting sitting;
  auto store = sitting.Open();
  Batch batch(1);
  for (const RecordKey key : {0, 10, 20, 30, 40}) batch.With(kApple, key, std::to_string(key));
  batch.With(kApple, kMaxRecordKey, "max");
  CommitOrFail(*store, batch);
  const auto keys = [&](const RecordRange& range) {
    std::vector<RecordKey> found;
    for (const auto& [key, value] : ScanOf(*store, range)) found.push_back(key);
    return found;
  };
  using Keys = std::vector<RecordKey>;
  CHECK(keys({.kind = kApple}) == Keys{0, 10, 20, 30, 40, kMaxRecordKey});
  CHECK(keys({.kind = kApple, .descending = true}) == Keys{kMaxRecordKey, 40, 30, 20, 10, 0});
  CHECK(keys({.kind = kApple, .first = 10, .last = 30}) == Keys{10, 20, 30});
  CHECK(keys({.kind = kApple, .first = 11, .last = 29}) == Keys{20});
  CHECK(keys({.kind = kApple, .first = 11, .limit = 2}) == Keys{20, 30});
  CHECK(keys({.kind = kApple, .last = 39, .limit = 2, .descending = true}) == Keys{30, 20});
  CHECK(keys({.kind = kApple, .limit = 0}).empty());
  CHECK(keys({.kind = kApple, .first = 41, .last = 99}).empty());
  CHECK(keys({.kind = kApple, .first = 30, .last = 10}).empty());
  CHECK(keys({.kind = kPear}).empty());
}

TEST_CASE("Reads beside commits see whole batches, and none older than the last that returned") {
  Sitting sitting;
  auto store = sitting.Open();
  constexpr RecordKey kKeys = 20;
  constexpr int kBatches = 300;
  std::vector<RecordKey> keys(kKeys);
  std::iota(keys.begin(), keys.end(), RecordKey{0});
  std::atomic<int> returned = 0;
  std::atomic<bool> failed = false;
  std::jthread committer([&](const std::stop_token& stop) {
    for (int number = 1; number <= kBatches && !failed && !stop.stop_requested(); ++number) {
      Batch batch(number);
      for (const RecordKey key : keys) batch.With(kApple, key, std::to_string(number));
      if (!store->Commit(batch).ok()) failed = true;
      returned = number;
    }
  });
  int wrong = 0;
  do {
    const int at_least = returned;
    for (const Records& records : {ReadOf(*store, kApple, keys), AllOf(*store, kApple)}) {
      if (records.empty() && at_least == 0) continue;
      if (records.size() != kKeys || std::stoi(records[0].second) < at_least) ++wrong;
      for (const auto& [key, value] : records) wrong += value != records[0].second;
    }
  } while (returned < kBatches && !failed);
  committer.join();
  CHECK(wrong == 0);
  CHECK_FALSE(failed);
}

// ---- Batches ----

TEST_CASE("Repeating the last batch changes nothing") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(4).With(kApple, 1, "once"));
  CommitOrFail(*store, Batch(4).With(kApple, 1, "twice").With(kApple, 2, "twice"));
  CHECK(AllOf(*store, kApple) == Records{{1, "once"}});
  CHECK(LastBatchOf(*store) == 4);
  CommitOrFail(*store, Batch(4).Without(kApple, 0, 9));
  CommitOrFail(*store, Batch(5).With(kApple, 1, "five"));
  CHECK(AllOf(*store, kApple) == Records{{1, "five"}});
}

TEST_CASE("An older batch is refused and changes nothing") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(4).With(kApple, 1, "four"));
  const absl::Status status = store->Commit(Batch(3).With(kApple, 1, "three"));
  CHECK(status.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(ReasonOf(status) == "BATCH_OUT_OF_ORDER");
  CHECK(AllOf(*store, kApple) == Records{{1, "four"}});
  CHECK(LastBatchOf(*store) == 4);
  CommitOrFail(*store, Batch(5).With(kApple, 1, "five"));
  CHECK(AllOf(*store, kApple) == Records{{1, "five"}});
}

TEST_CASE("Numbers may leave gaps, and an empty batch has one too") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1));
  CHECK(LastBatchOf(*store) == 1);
  CommitOrFail(*store, Batch(uint64_t{1} << 40));
  CHECK(LastBatchOf(*store) == uint64_t{1} << 40);
}

// ---- Owners ----

TEST_CASE("Each owner has a higher epoch than the one before") {
  Sitting sitting;
  auto store = sitting.Open();
  uint64_t before = store->epoch();
  for (int time = 0; time < 3; ++time) {
    if (time == 1) sitting.Crash();
    store.reset();
    store = sitting.Open();
    CHECK(store->epoch() > before);
    before = store->epoch();
  }
}

TEST_CASE("An owner is shut out as soon as another has opened the partition") {
  Sitting sitting;
  auto old_owner = sitting.Open();
  CommitOrFail(*old_owner, Batch(1).With(kApple, 1, "old"));
  auto new_owner = sitting.Open();
  CHECK(new_owner->epoch() > old_owner->epoch());

  const std::vector<RecordKey> keys{1};
  const auto ignore = [](RecordKey, std::string_view) {};
  for (const absl::Status& status :
       {old_owner->Commit(Batch(2).With(kApple, 1, "too late")),
        old_owner->Commit(Batch(1).With(kApple, 1, "old")), old_owner->LastBatch().status(),
        old_owner->Read({.kind = kApple, .keys = keys}, ignore),
        old_owner->Scan({.kind = kApple}, ignore)}) {
    CHECK(status.code() == absl::StatusCode::kAborted);
    CHECK(ReasonOf(status) == "STORE_FENCED");
  }
  CHECK(LastBatchOf(*new_owner) == 1);
  CHECK(AllOf(*new_owner, kApple) == Records{{1, "old"}});

  old_owner.reset();
  CommitOrFail(*new_owner, Batch(2).With(kApple, 1, "new"));
  CHECK(AllOf(*new_owner, kApple) == Records{{1, "new"}});
}

TEST_CASE("A failed owner of one partition does not disturb another's") {
  Sitting sitting;
  auto one = sitting.Open(1);
  auto other = sitting.Open(2);
  auto one_again = sitting.Open(1);
  CHECK(one->Commit(Batch(1)).code() == absl::StatusCode::kAborted);
  CommitOrFail(*other, Batch(1));
}

// ---- Crashes ----

TEST_CASE("A crash leaves every commit that returned", "[crash]") {
  Sitting sitting;
  auto store = sitting.Open();
  for (int number = 1; number <= 50; ++number) {
    CommitOrFail(*store, Batch(number).With(kApple, number, std::string(1000, 'x')));
    if (number % 10 != 0) continue;
    sitting.Crash();
    store = sitting.Open();
    CHECK(LastBatchOf(*store) == static_cast<uint64_t>(number));
    CHECK(AllOf(*store, kApple).size() == static_cast<size_t>(number));
  }
}

TEST_CASE("The owner after a crash may repeat the last batch", "[crash]") {
  Sitting sitting;
  auto store = sitting.Open();
  CommitOrFail(*store, Batch(1).With(kApple, 1, "once"));
  sitting.Crash();
  store = sitting.Open();
  CommitOrFail(*store, Batch(1).With(kApple, 1, "twice"));
  CHECK(AllOf(*store, kApple) == Records{{1, "once"}});
  CommitOrFail(*store, Batch(2).With(kApple, 2, "next"));
}

// ---- Random walk ----

// Does at random what a program can do, to a store and to a map, and compares.
class RandomWalk {
 public:
  RandomWalk(Sitting& sitting, uint64_t seed)
      : sitting_(sitting), random_(seed), store_(sitting.Open()) {}

  void Step() {
    const uint64_t choice = Below(100);
    if (choice < 70) return Commit();
    if (choice < 80) return Repeat();
    if (choice < 90) return CompareRange();
    if (choice < 94) return CompareKeys();
    if (choice < 97) sitting_.Crash();
    if (choice < 99) store_.reset();
    store_ = sitting_.Open();
    CHECK(LastBatchOf(*store_) == last_.number());
    CompareAll();
  }

  void CompareAll() {
    for (const RecordKind kind : {kApple, kPear}) {
      CHECK((AllOf(*store_, kind) == Records(model_[kind].begin(), model_[kind].end())));
    }
  }

 private:
  uint64_t Below(uint64_t bound) { return random_() % bound; }
  RecordKey Key() { return Below(kKeys); }
  RecordKind Kind() { return Below(2) == 0 ? kApple : kPear; }

  void Commit() {
    WriteBatch batch;
    batch.set_number(last_.number() + 1 + Below(3));
    for (uint64_t left = Below(30); left > 0; --left) Change(batch);
    CommitOrFail(*store_, batch);
    last_ = batch;
  }

  void Change(WriteBatch& batch) {
    const RecordKind kind = Kind();
    const RecordKey key = Key();
    if (Below(3) > 0) {
      const std::string value(Below(20) == 0 ? Below(50'000) : Below(300),
                              static_cast<char>('a' + Below(26)));
      batch.Put(kind, key, value);
      model_[kind][key] = value;
    } else {
      const RecordKey last = key + (Below(2) == 0 ? 0 : Below(10));
      batch.EraseRange(kind, key, last);
      model_[kind].erase(model_[kind].lower_bound(key), model_[kind].upper_bound(last));
    }
  }

  void Repeat() {
    if (last_.number() > 0) CommitOrFail(*store_, last_);
  }

  void CompareRange() {
    const RecordKind kind = Kind();
    const RecordKey first = Key();
    const RecordKey last = first + Below(100);
    const auto& model = model_[kind];
    Records expected(model.lower_bound(first), model.upper_bound(last));
    const bool descending = Below(2) == 0;
    if (descending) std::reverse(expected.begin(), expected.end());
    const size_t limit = Below(100);
    if (expected.size() > limit) expected.resize(limit);
    CHECK((ScanOf(*store_, {.kind = kind,
                            .first = first,
                            .last = last,
                            .limit = limit,
                            .descending = descending}) == expected));
  }

  void CompareKeys() {
    const RecordKind kind = Kind();
    std::vector<RecordKey> keys(Below(20));
    Records expected;
    for (RecordKey& key : keys) {
      key = Key();
      if (const auto found = model_[kind].find(key); found != model_[kind].end()) {
        expected.push_back(*found);
      }
    }
    CHECK((ReadOf(*store_, kind, keys) == expected));
  }

  static constexpr uint64_t kKeys = 300;

  Sitting& sitting_;
  std::mt19937_64 random_;
  std::unique_ptr<RecordStore> store_;
  WriteBatch last_;
  std::map<RecordKind, std::map<RecordKey, std::string>> model_;
};

TEST_CASE("A random walk ends where a map ends") {
  Sitting sitting;
  const uint64_t seed = GENERATE(1, 2, 3, 4);
  CAPTURE(seed);
  RandomWalk walk(sitting, seed);
  for (int step = 0; step < 400; ++step) {
    CAPTURE(step);
    walk.Step();
  }
  walk.CompareAll();
}

}  // namespace

StoreSchema ExamSchema() {
  return {.component = "exam",
          .format = 3,
          .kinds = {{.kind = kApple, .name = "apple"}, {.kind = kPear, .name = "pear"}}};
}

}  // namespace kantoku::platform
