#include "services/outputs/result_book.h"

#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "services/outputs/store.h"
#include "services/platform/partition/group.h"
#include "services/platform/store/forwarding_record_store.h"
#include "services/platform/store/memory/memory_record_store.h"

namespace kantoku::outputs {
namespace {

using platform::RecordKey;
using platform::TaskId;
using Outcome = ResultBook::Outcome;
using ClosingOutcome = ResultBook::ClosingOutcome;
using Presence = ResultBook::Presence;

constexpr absl::Duration kDay = absl::Hours(24);

class CountingStore final : public platform::ForwardingRecordStore {
 public:
  CountingStore(std::unique_ptr<platform::RecordStore> behind, int& reads)
      : ForwardingRecordStore(std::move(behind)), reads_(reads) {}
  absl::Status Read(const platform::RecordKeys& keys, platform::RecordVisitor visit) override {
    ++reads_;
    return ForwardingRecordStore::Read(keys, visit);
  }

 private:
  int& reads_;
};

// A book on a memory store, whose groups are committed when a test says so.
class Desk {
 public:
  explicit Desk(uint64_t max_bytes = uint64_t{1} << 30) : max_bytes_(max_bytes) { Open(); }

  void Open() {
    groups_.clear();
    book_.reset();
    store_ = std::make_unique<CountingStore>(*factory_->Open(0), reads_);
    next_batch_ = *store_->LastBatch() + 1;
    auto book = ResultBook::Recover({.max_fences = 100, .max_bytes = max_bytes_}, *store_);
    REQUIRE(book.ok());
    book_ = *std::move(book);
    Begin();
  }

  static TaskId Task(uint64_t sequence, uint64_t random = 5) {
    return TaskId::Make(absl::FromUnixSeconds(1'700'000'000), 3, sequence, random);
  }
  static ResultBook::Offer Offer(TaskId task, uint32_t dispatch, std::string_view data = "data",
                                 absl::Duration retention = kDay) {
    return {.result = {.task = task,
                       .status = ResultStatus::kSucceeded,
                       .dispatch = dispatch,
                       .name_space = "default",
                       .owner = "local",
                       .data = data},
            .retention = retention};
  }
  static ResultBook::Closing Settle(TaskId task, ResultStatus status, uint32_t dispatch = 1) {
    ResultBook::Offer offer = Offer(task, dispatch, "");
    offer.result.status = status;
    return {.task = task, .dispatch = dispatch, .settlement = offer};
  }

  std::vector<ResultBook::Decision> Put(const std::vector<ResultBook::Offer>& offers) {
    auto decisions = book_->Put(offers, *groups_.back(),
                                [&](const StoredResult& result, std::string_view record) {
                                  CHECK(DecodeResult(record)->task == result.task);
                                  stored_.push_back(result.task);
                                });
    REQUIRE(decisions.ok());
    return *decisions;
  }
  ResultBook::Decision Put(TaskId task, uint32_t dispatch) {
    return Put({Offer(task, dispatch)})[0];
  }
  absl::StatusOr<std::vector<ResultBook::ClosingDecision>> TryFence(
      uint64_t epoch, const std::vector<ResultBook::Closing>& closings) {
    return book_->Fence(
        epoch, closings, *groups_.back(),
        [&](const StoredResult& result, std::string_view) { stored_.push_back(result.task); });
  }
  ResultBook::ClosingDecision Fence(const ResultBook::Closing& closing, uint64_t epoch = 1) {
    auto decisions = TryFence(epoch, {closing});
    REQUIRE(decisions.ok());
    return (*decisions)[0];
  }
  Presence Find(TaskId task) {
    Presence found{};
    const TaskId tasks[] = {task};
    REQUIRE(book_
                ->Find(tasks, now_.wall,
                       [&](size_t, Presence presence, const StoredResult*, std::string_view) {
                         found = presence;
                       })
                .ok());
    return found;
  }

  // Ends the group; it stays on its way until Commit.
  void Finish() {
    book_->FinishGroup(*groups_.back());
    Begin();
  }
  void Commit() {
    Finish();
    for (size_t i = 0; i + 1 < groups_.size(); ++i) {
      groups_[i]->Close(next_batch_);
      if (groups_[i]->needs_commit()) REQUIRE(store_->Commit(groups_[i]->closed_batch()).ok());
      groups_[i]->Settle(absl::OkStatus());
    }
    groups_.erase(groups_.begin(), groups_.end() - 1);
  }
  // Lets time pass, and the book do what it wants to until it is content.
  void Pass(absl::Duration time) {
    now_.wall += time;
    groups_.back()->set_now(now_);
    for (int i = 0; i < 1000 && book_->NextDue() <= now_.wall; ++i) Commit();
    CHECK(book_->NextDue() > now_.wall);
  }

  size_t Count(platform::RecordKind kind) {
    size_t count = 0;
    REQUIRE(store_->Scan({.kind = kind}, [&](RecordKey, std::string_view) { ++count; }).ok());
    return count;
  }
  std::string Record(TaskId task) {
    std::string record;
    const RecordKey keys[] = {task.key()};
    REQUIRE(
        store_
            ->Read({kResultKind, keys}, [&](RecordKey, std::string_view value) { record = value; })
            .ok());
    return record;
  }

  ResultBook& book() { return *book_; }
  platform::RecordStore& store() { return *store_; }
  int reads() const { return reads_; }
  const std::vector<TaskId>& stored() const { return stored_; }

 private:
  void Begin() {
    groups_.push_back(std::make_unique<platform::Group>());
    groups_.back()->set_now(now_);
  }

  const uint64_t max_bytes_;
  std::unique_ptr<platform::RecordStoreFactory> factory_ =
      platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  int reads_ = 0;
  std::unique_ptr<platform::RecordStore> store_;
  std::unique_ptr<ResultBook> book_;
  platform::Now now_{.wall = absl::FromUnixSeconds(1'700'000'010)};
  uint64_t next_batch_ = 1;
  std::vector<std::unique_ptr<platform::Group>> groups_;
  std::vector<TaskId> stored_;
};

TEST_CASE("The first result wins, and its dispatch may repeat it") {
  Desk desk;
  const TaskId task = Desk::Task(1);
  CHECK(desk.Put(task, 2).outcome == Outcome::kStored);
  const auto check_later_ones = [&] {
    CHECK(desk.Put(task, 2).outcome == Outcome::kRepeated);
    CHECK(desk.Put(task, 1).outcome == Outcome::kTaken);
    const auto later = desk.Put(task, 3);
    CHECK(later.outcome == Outcome::kTaken);
    CHECK(later.winner == ResultStatus::kSucceeded);
    const auto settled = desk.Fence(Desk::Settle(task, ResultStatus::kFailed));
    CHECK(settled.outcome == ClosingOutcome::kEnded);
    CHECK(settled.terminal == ResultStatus::kSucceeded);
  };
  SECTION("in the same group") { check_later_ones(); }
  SECTION("while it is on its way") {
    desk.Finish();
    check_later_ones();
  }
  SECTION("once it is durable") {
    desk.Commit();
    check_later_ones();
  }
  SECTION("after a restart") {
    desk.Commit();
    desk.Open();
    check_later_ones();
  }
  desk.Commit();
  CHECK(desk.stored() == std::vector<TaskId>{task});
  CHECK(desk.Count(kResultKind) == 1);
  CHECK(desk.book().result_count() == 1);
}

TEST_CASE("Of two results of one task in one request the first wins") {
  Desk desk;
  const auto decisions = desk.Put({Desk::Offer(Desk::Task(1), 1), Desk::Offer(Desk::Task(2), 1),
                                   Desk::Offer(Desk::Task(1), 2)});
  CHECK(decisions[0].outcome == Outcome::kStored);
  CHECK(decisions[1].outcome == Outcome::kStored);
  CHECK(decisions[2].outcome == Outcome::kTaken);
}

TEST_CASE("A result that is not durable yet is not shown") {
  Desk desk;
  const TaskId task = Desk::Task(1);
  CHECK(desk.Find(task) == Presence::kAbsent);
  desk.Put(task, 1);
  CHECK(desk.Find(task) == Presence::kInFlight);
  desk.Finish();
  CHECK(desk.Find(task) == Presence::kInFlight);
  desk.Commit();
  CHECK(desk.Find(task) == Presence::kHeld);
}

TEST_CASE("Tasks newer than all that have ended cost no read") {
  Desk desk;
  desk.Put(Desk::Task(10), 1);
  desk.Commit();
  desk.Open();
  CHECK(desk.Find(Desk::Task(10)) == Presence::kHeld);
  CHECK(desk.reads() == 1);
  CHECK(desk.Find(Desk::Task(11)) == Presence::kAbsent);
  desk.Put({Desk::Offer(Desk::Task(12), 1), Desk::Offer(Desk::Task(11), 1)});
  CHECK(desk.reads() == 1);
  CHECK(desk.Put(Desk::Task(12), 2).outcome == Outcome::kTaken);
  CHECK(desk.reads() == 2);
}

TEST_CASE("Tasks that end out of their order cost no read") {
  Desk desk;
  desk.Put(Desk::Task(100), 1);
  desk.Commit();
  desk.Put(Desk::Task(98), 1);
  CHECK(desk.Find(Desk::Task(99)) == Presence::kAbsent);
  CHECK(desk.reads() == 0);
  desk.Commit();
  CHECK(desk.Find(Desk::Task(98)) == Presence::kHeld);
  CHECK(desk.Put(Desk::Task(98), 2).outcome == Outcome::kTaken);
  desk.Open();
  CHECK(desk.Put(Desk::Task(98), 2).outcome == Outcome::kTaken);
}

TEST_CASE("An id that differs in its random bits is another task") {
  Desk desk;
  const TaskId real = Desk::Task(1, 5);
  const TaskId guessed = Desk::Task(1, 6);
  REQUIRE(real.key() == guessed.key());
  desk.Put(real, 1);
  CHECK(desk.Find(guessed) == Presence::kAbsent);
  desk.Commit();
  CHECK(desk.Find(guessed) == Presence::kAbsent);
  CHECK(desk.Find(real) == Presence::kHeld);
}

TEST_CASE("A result is not replaced by one of another task with the same number") {
  Desk desk;
  const TaskId older = Desk::Task(1, 5);
  const TaskId newer = Desk::Task(1, 6);
  REQUIRE(older.key() == newer.key());
  desk.Put(older, 1);
  const bool durable = GENERATE(false, true);
  if (durable) desk.Commit();
  CHECK(desk.Put(newer, 1).outcome == Outcome::kForeign);
  CHECK(desk.Fence(Desk::Settle(newer, ResultStatus::kFailed)).outcome == ClosingOutcome::kForeign);
  CHECK(desk.Fence({.task = newer, .dispatch = 1}).outcome == ClosingOutcome::kClosed);
  desk.Commit();
  CHECK(desk.Find(older) == Presence::kHeld);
  CHECK(desk.Find(newer) == Presence::kAbsent);
}

TEST_CASE("A task that is asked for twice is found twice, among others") {
  Desk desk;
  desk.Put({Desk::Offer(Desk::Task(1), 1), Desk::Offer(Desk::Task(3), 1)});
  desk.Commit();
  const std::vector<TaskId> tasks = {Desk::Task(3), Desk::Task(2), Desk::Task(3), Desk::Task(1)};
  std::vector<Presence> found(4, Presence::kDamaged);
  REQUIRE(
      desk.book()
          .Find(tasks, absl::FromUnixSeconds(1'700'000'010),
                [&](size_t index, Presence presence, const StoredResult* result, std::string_view) {
                  found[index] = presence;
                  if (result != nullptr) CHECK(result->task == tasks[index]);
                })
          .ok());
  CHECK(found == std::vector<Presence>{Presence::kHeld, Presence::kAbsent, Presence::kHeld,
                                       Presence::kHeld});
}

TEST_CASE("A fence keeps out its dispatch and earlier ones, no later ones") {
  Desk desk;
  const TaskId task = Desk::Task(1);
  CHECK(desk.Fence({.task = task, .dispatch = 2}).outcome == ClosingOutcome::kClosed);
  SECTION("at once") {}
  SECTION("after a restart") {
    desk.Commit();
    desk.Open();
  }
  CHECK(desk.Put(task, 1).outcome == Outcome::kFenced);
  CHECK(desk.Put(task, 2).outcome == Outcome::kFenced);
  // A fence never opens again.
  CHECK(desk.Fence({.task = task, .dispatch = 1}).outcome == ClosingOutcome::kClosed);
  CHECK(desk.Put(task, 2).outcome == Outcome::kFenced);
  CHECK(desk.Put(task, 3).outcome == Outcome::kStored);
  desk.Commit();
  CHECK(desk.Count(kFenceKind) == 0);
  CHECK(desk.Put(task, 2).outcome == Outcome::kTaken);
}

TEST_CASE("A fence that finds a result reports it") {
  Desk desk;
  desk.Put(Desk::Task(1), 1);
  const auto decision = desk.Fence({.task = Desk::Task(1), .dispatch = 1});
  CHECK(decision.outcome == ClosingOutcome::kEnded);
  CHECK(decision.terminal == ResultStatus::kSucceeded);
  CHECK(desk.book().fence_count() == 0);
}

TEST_CASE("A settlement ends a task unless a result is there") {
  Desk desk;
  const auto settled = desk.Fence(Desk::Settle(Desk::Task(1), ResultStatus::kCancelled));
  CHECK(settled.outcome == ClosingOutcome::kEnded);
  CHECK(settled.terminal == ResultStatus::kCancelled);
  const auto put = desk.Put(Desk::Task(1), 1);
  CHECK(put.outcome == Outcome::kTaken);
  CHECK(put.winner == ResultStatus::kCancelled);
  const auto repeated = desk.Fence(Desk::Settle(Desk::Task(1), ResultStatus::kFailed));
  CHECK(repeated.terminal == ResultStatus::kCancelled);
}

TEST_CASE("An earlier epoch of Inputs is refused, also after a restart") {
  Desk desk;
  CHECK(desk.Fence({.task = Desk::Task(1), .dispatch = 1}, 5).outcome == ClosingOutcome::kClosed);
  desk.Commit();
  SECTION("at once") {}
  SECTION("after a restart") { desk.Open(); }
  const auto refused = desk.TryFence(4, {{.task = Desk::Task(2), .dispatch = 1}});
  CHECK(refused.status().code() == absl::StatusCode::kAborted);
  CHECK(desk.Put(Desk::Task(2), 1).outcome == Outcome::kStored);
  CHECK(desk.TryFence(5, {{.task = Desk::Task(3), .dispatch = 1}}).ok());
}

TEST_CASE("There is a bound on fences, and settlements need none") {
  Desk desk;
  for (uint64_t i = 1; i <= 100; ++i) {
    REQUIRE(desk.Fence({.task = Desk::Task(i), .dispatch = 1}).outcome == ClosingOutcome::kClosed);
  }
  CHECK(desk.Fence({.task = Desk::Task(101), .dispatch = 1}).outcome == ClosingOutcome::kFull);
  CHECK(desk.Fence({.task = Desk::Task(1), .dispatch = 2}).outcome == ClosingOutcome::kClosed);
  CHECK(desk.Fence(Desk::Settle(Desk::Task(102), ResultStatus::kFailed)).outcome ==
        ClosingOutcome::kEnded);
}

TEST_CASE("Without room results are refused, while fences and settlements have a reserve") {
  Desk desk(16'000);  // And a thousand.
  const std::string data(1'000, 'x');
  uint64_t stored = 0;
  while (desk.Put({Desk::Offer(Desk::Task(stored + 1), 1, data)})[0].outcome == Outcome::kStored) {
    if (++stored % 4 == 0) desk.Commit();
  }
  CHECK(stored == 16);
  CHECK(desk.Put(Desk::Task(100), 1).outcome == Outcome::kFull);
  CHECK(desk.Put(Desk::Task(1), 1).outcome == Outcome::kRepeated);
  CHECK(desk.Put(Desk::Task(1), 2).outcome == Outcome::kTaken);
  const uint64_t bytes = desk.book().bytes();
  CHECK(bytes >= 16'000);
  CHECK(bytes < 17'000);

  CHECK(desk.Fence({.task = Desk::Task(100), .dispatch = 1}).outcome == ClosingOutcome::kClosed);
  CHECK(desk.Fence(Desk::Settle(Desk::Task(101), ResultStatus::kFailed)).outcome ==
        ClosingOutcome::kEnded);
  uint64_t next = 200;
  while (desk.Fence(Desk::Settle(Desk::Task(next), ResultStatus::kFailed)).outcome ==
         ClosingOutcome::kEnded) {
    ++next;
  }
  CHECK(desk.book().bytes() >= 17'000);
  CHECK(desk.Fence({.task = Desk::Task(300), .dispatch = 1}).outcome == ClosingOutcome::kFull);
  CHECK(desk.Fence({.task = Desk::Task(100), .dispatch = 2}).outcome == ClosingOutcome::kClosed);
  CHECK(desk.Fence({.task = Desk::Task(1), .dispatch = 1}).outcome == ClosingOutcome::kEnded);
  desk.Commit();

  SECTION("until their time is over") {}
  SECTION("also after a restart") {
    const uint64_t before = desk.book().bytes();
    desk.Open();
    CHECK(desk.book().bytes() == before);
    CHECK(desk.Put(Desk::Task(400), 1).outcome == Outcome::kFull);
  }
  desk.Pass(kDay - absl::Minutes(2));
  CHECK(desk.Put(Desk::Task(400), 1).outcome == Outcome::kFull);
  CHECK(desk.Find(Desk::Task(1)) == Presence::kHeld);
  desk.Pass(absl::Hours(2));
  CHECK(desk.book().bytes() == 0);
  CHECK(desk.Put(Desk::Task(400), 1).outcome == Outcome::kStored);
}

TEST_CASE("What an emptied result still takes is counted") {
  Desk desk;
  desk.Put({Desk::Offer(Desk::Task(1), 1, std::string(1'000, 'x'), absl::Minutes(1))});
  desk.Commit();
  CHECK(desk.book().bytes() > 1'000);
  desk.Pass(absl::Minutes(3));
  desk.Commit();
  const uint64_t emptied = desk.book().bytes();
  CHECK(emptied > 0);
  CHECK(emptied < 100);
  desk.Open();
  CHECK(desk.book().bytes() == emptied);
  desk.Pass(kMarkerTime + absl::Minutes(2));
  CHECK(desk.book().bytes() == 0);
}

TEST_CASE("Fences are forgotten a day after their last token, not earlier") {
  Desk desk;
  const TaskId task = Desk::Task(1);
  desk.Fence({.task = task, .dispatch = 1});
  desk.Commit();
  desk.Pass(absl::Hours(20));
  desk.Fence({.task = task, .dispatch = 2});  // Counts anew.
  desk.Commit();
  desk.Pass(absl::Hours(6));
  CHECK(desk.Put(task, 2).outcome == Outcome::kFenced);
  SECTION("by the one who wrote it") {}
  SECTION("after a restart") { desk.Open(); }
  desk.Pass(absl::Hours(18) + absl::Minutes(59));
  CHECK(desk.Put(task, 2).outcome == Outcome::kFenced);
  desk.Pass(absl::Minutes(1));
  desk.Commit();
  CHECK(desk.Count(kFenceKind) == 0);
  CHECK(desk.book().fence_count() == 0);
}

TEST_CASE("A result is shown for its retention and then gone") {
  Desk desk;
  desk.Put({Desk::Offer(Desk::Task(1), 1), Desk::Offer(Desk::Task(2), 1, "data", absl::Hours(100)),
            Desk::Offer(Desk::Task(3), 1, "data", absl::Seconds(1))});
  desk.Commit();
  SECTION("by the one who wrote it") {}
  SECTION("after a restart") {
    desk.Open();
    CHECK(desk.book().result_count() == 3);
  }
  desk.Pass(absl::Milliseconds(999));
  CHECK(desk.Find(Desk::Task(3)) == Presence::kHeld);
  desk.Pass(absl::Milliseconds(2));
  CHECK(desk.Find(Desk::Task(3)) == Presence::kGone);
  CHECK(desk.Find(Desk::Task(1)) == Presence::kHeld);

  // Its data leaves soon, the fact that the task ended stays and keeps late writes out.
  desk.Pass(absl::Minutes(2));
  CHECK(DecodeResult(desk.Record(Desk::Task(3)))->emptied);
  CHECK(DecodeResult(desk.Record(Desk::Task(3)))->data.empty());
  CHECK(desk.Put(Desk::Task(3), 2).outcome == Outcome::kTaken);

  desk.Pass(kDay);
  CHECK(desk.Find(Desk::Task(1)) == Presence::kGone);
  CHECK(desk.Put(Desk::Task(1), 2).outcome == Outcome::kTaken);

  desk.Pass(absl::Hours(1));
  CHECK(desk.Find(Desk::Task(1)) == Presence::kAbsent);
  CHECK(desk.Find(Desk::Task(2)) == Presence::kHeld);
  CHECK(desk.Count(kResultKind) == 1);
  CHECK(desk.Count(kExpiryKind) == 1);
  CHECK(desk.book().result_count() == 1);

  desk.Pass(absl::Hours(100));
  CHECK(desk.Count(kResultKind) == 0);
  CHECK(desk.Count(kExpiryKind) == 0);
  CHECK(desk.book().NextDue() == absl::InfiniteFuture());
}

TEST_CASE("Many results leave in bounded steps, interrupted or not") {
  Desk desk;
  std::vector<ResultBook::Offer> offers;
  for (uint64_t i = 1; i <= 20'000; ++i) offers.push_back(Desk::Offer(Desk::Task(i), 1));
  desk.Put(offers);
  desk.Commit();
  CHECK(desk.Count(kExpiryKind) == 5);
  SECTION("in one go") { desk.Pass(absl::Hours(26)); }
  SECTION("with a restart in the middle") {
    desk.Pass(absl::Hours(25) - absl::Seconds(1));
    desk.Commit();
    desk.Open();
    desk.Pass(absl::Hours(1));
  }
  CHECK(desk.Count(kResultKind) == 0);
  CHECK(desk.Count(kExpiryKind) == 0);
  CHECK(desk.book().result_count() == 0);
}

TEST_CASE("What comes of age while it is on its way is not overlooked") {
  Desk desk;
  desk.Put({Desk::Offer(Desk::Task(1), 1, "data", absl::Seconds(1))});
  desk.Finish();
  // The store is stuck, for longer than the result was to be kept.
  desk.Pass(absl::ZeroDuration());
  for (int i = 0; i < 3; ++i) desk.Finish();
  desk.Pass(absl::Minutes(2));
  desk.Pass(absl::Seconds(2));
  CHECK(DecodeResult(desk.Record(Desk::Task(1)))->emptied);
}

TEST_CASE("A damaged result is reported, and neither shown nor overwritten") {
  Desk desk;
  const TaskId task = Desk::Task(1);
  platform::WriteBatch batch;
  batch.Put(kResultKind, task.key(), "\x01nonsense");
  batch.set_number(1);
  REQUIRE(desk.store().Commit(batch).ok());
  CHECK(desk.Find(task) == Presence::kDamaged);
  CHECK(desk.Put(task, 1).outcome == Outcome::kDamaged);
  CHECK(desk.Fence({.task = task, .dispatch = 1}).outcome == ClosingOutcome::kDamaged);
}

TEST_CASE("A damaged fence is said at the start") {
  auto factory = platform::MakeMemoryRecordStoreFactory(OutputsSchema());
  auto store = *factory->Open(0);
  platform::WriteBatch batch;
  batch.Put(kFenceKind, 1, "nonsense");
  batch.set_number(1);
  REQUIRE(store->Commit(batch).ok());
  CHECK(ResultBook::Recover({}, *store).status().code() == absl::StatusCode::kDataLoss);
}

// A model that never forgets, beside a book that is restarted at random.
TEST_CASE("In a random walk every task gets one end and fences hold") {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const auto pick = [&](uint32_t below) { return static_cast<uint32_t>(random() % below); };
    Desk desk;
    struct Model {
      ResultStatus end = ResultStatus::kNone;
      uint32_t winner = 0;
      uint32_t fence = 0;
    };
    std::map<uint64_t, Model> models;
    for (int step = 0; step < 400; ++step) {
      const uint64_t number = pick(40);
      const TaskId task = Desk::Task(number);
      const uint32_t dispatch = 1 + pick(5);
      Model& model = models[number];
      switch (pick(8)) {
        case 0:
        case 1:
        case 2: {
          const auto decision = desk.Put(task, dispatch);
          if (model.end != ResultStatus::kNone) {
            const bool repeated = model.end == ResultStatus::kSucceeded && model.winner == dispatch;
            REQUIRE(decision.outcome == (repeated ? Outcome::kRepeated : Outcome::kTaken));
            REQUIRE(decision.winner == model.end);
          } else if (dispatch <= model.fence) {
            REQUIRE(decision.outcome == Outcome::kFenced);
          } else {
            REQUIRE(decision.outcome == Outcome::kStored);
            model.end = ResultStatus::kSucceeded;
            model.winner = dispatch;
          }
          break;
        }
        case 3: {
          const auto decision = desk.Fence({.task = task, .dispatch = dispatch});
          REQUIRE(decision.terminal == model.end);
          if (model.end == ResultStatus::kNone) model.fence = std::max(model.fence, dispatch);
          break;
        }
        case 4: {
          const auto decision = desk.Fence(Desk::Settle(task, ResultStatus::kFailed, dispatch));
          if (model.end == ResultStatus::kNone) model.end = ResultStatus::kFailed;
          REQUIRE(decision.terminal == model.end);
          break;
        }
        case 5:
          desk.Finish();
          break;
        case 6:
          desk.Commit();
          break;
        case 7:
          desk.Commit();
          desk.Open();
          break;
      }
    }
  }
}

}  // namespace
}  // namespace kantoku::outputs
