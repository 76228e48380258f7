#include "services/inputs/partition/checkpoint_book.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "services/inputs/partition/record_codec.h"
#include "services/inputs/store.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

TaskId Task(uint64_t number) {
  return TaskId::Make(absl::FromUnixSeconds(1'790'000'000), 7, number, 1);
}

struct Desk {
  CheckpointBook book{100};
  absl::Duration now = absl::Seconds(10);
  platform::WriteBatch batch;
  std::vector<uint64_t> recorded;  // Numbers.

  absl::Status Take(uint64_t task, uint64_t number, std::string data) {
    return book.Take({1, Task(task), 1, number, std::move(data)}, now);
  }
  // What is in the batch for the task; "-" when it is erased, "" when there is nothing.
  std::string Write(uint64_t task) {
    batch.Clear();
    book.Write(now, batch, [&](const auto& one) { recorded.push_back(one.number); });
    return In(task);
  }
  std::string In(uint64_t task) const {
    std::string found;
    for (const auto& operation : batch.operations()) {
      if (operation.first != Task(task).key()) continue;
      const bool put = operation.type == platform::WriteBatch::Operation::Type::kPut;
      found = put ? std::string(DecodeCheckpoint(batch.value(operation))->data) : "-";
    }
    return found;
  }
};

TEST_CASE("A checkpoint waits a moment, and the newest stands for those before it") {
  Desk desk;
  REQUIRE(desk.Take(1, 1, "a").ok());
  CHECK(desk.book.next_time() == desk.now + CheckpointBook::kPatience);
  desk.now += CheckpointBook::kPatience / 2;
  REQUIRE(desk.Take(1, 2, "b").ok());
  CHECK(desk.Write(1).empty());
  CHECK(desk.batch.empty());
  desk.now += CheckpointBook::kPatience / 2;
  CHECK(desk.Write(1) == "b");
  CHECK(desk.recorded == std::vector<uint64_t>{2});
  CHECK(desk.book.next_time() == absl::InfiniteDuration());
  CHECK(desk.Write(1).empty());
  CHECK(desk.book.Has(Task(1).key()));
}

TEST_CASE("What the next dispatch begins with is recorded at once, and only that") {
  Desk desk;
  REQUIRE(desk.Take(1, 1, "a").ok());
  REQUIRE(desk.Take(2, 2, "b").ok());
  desk.book.Hurry(Task(2).key());
  desk.book.Hurry(Task(3).key());
  CHECK(desk.Write(2) == "b");
  CHECK(desk.In(1).empty());
  CHECK(desk.recorded == std::vector<uint64_t>{2});
}

TEST_CASE("Many bytes do not wait") {
  CheckpointBook book(uint64_t{1} << 30);
  const absl::Duration now = absl::Seconds(10);
  REQUIRE(
      book.Take({1, Task(1), 1, 1, std::string(CheckpointBook::kMostWaiting - 1, 'x')}, now).ok());
  CHECK(book.next_time() > now);
  REQUIRE(book.Take({1, Task(2), 1, 1, "x"}, now).ok());
  CHECK(book.next_time() == now);
}

TEST_CASE("Checkpoints are bounded, and one that is replaced or forgotten gives back its bytes") {
  Desk desk;
  REQUIRE(desk.Take(1, 1, std::string(60, 'x')).ok());
  const absl::Status full = desk.Take(2, 1, std::string(41, 'x'));
  CHECK(full.code() == absl::StatusCode::kResourceExhausted);
  CHECK(platform::ReasonOf(full) == "CHECKPOINTS_FULL");
  CHECK(full.message() ==
        "checkpoints: one of 41 bytes exceeds the server's limit of 100 for those of all tasks");
  CHECK_FALSE(desk.book.Has(Task(2).key()));
  REQUIRE(desk.Take(1, 2, std::string(59, 'x')).ok());
  REQUIRE(desk.Take(2, 2, std::string(41, 'x')).ok());
  CHECK(desk.book.bytes() == 100);
  desk.book.Forget(Task(1).key(), desk.batch);
  CHECK(desk.In(1) == "-");
  CHECK(desk.book.bytes() == 41);
  desk.now += CheckpointBook::kPatience;
  CHECK(desk.Write(1).empty());
}

TEST_CASE("An empty checkpoint takes away the one before") {
  Desk desk;
  desk.book.Recover(Task(1).key(), 50);
  CHECK(desk.book.Has(Task(1).key()));
  REQUIRE(desk.Take(1, 1, "").ok());
  CHECK_FALSE(desk.book.Has(Task(1).key()));
  CHECK(desk.book.bytes() == 0);
  SECTION("and is recorded as others are") {
    desk.now += CheckpointBook::kPatience;
    CHECK(desk.Write(1) == "-");
    CHECK(desk.recorded == std::vector<uint64_t>{1});
  }
  SECTION("also when the task ends before") {
    desk.book.Forget(Task(1).key(), desk.batch);
    CHECK(desk.In(1) == "-");
  }
}

}  // namespace
}  // namespace kantoku::inputs
