#include "services/inputs/partition/inbox_book.h"

#include <catch2/catch.hpp>

namespace kantoku::inputs {
namespace {

using Stage = InboxBook::Stage;

constexpr InboxBook::Bounds kSmall = {
    .refused = 1, .asking = 2, .asking_bytes = 100, .put_off = 2, .told = 1};

TaskId Id(uint64_t n) { return TaskId::Make(absl::FromUnixSeconds(1), TaskId::kOutside, n, n); }
TaskKey Key(uint64_t n) { return Id(n).key(); }

void Take(InboxBook& book, uint64_t n, size_t bytes = 10) {
  StoredInbox record;
  record.id = Id(n);
  record.owner = "alice";
  book.Take(record, bytes);
}

TEST_CASE("A task of the inbox is in hand until it is forgotten, and found by its whole id") {
  InboxBook book;
  Take(book, 1);
  CHECK(book.Holds(Key(1)));
  REQUIRE(book.Find(Id(1)) != nullptr);
  CHECK(book.Find(Id(1))->owner == "alice");
  CHECK(book.Find(TaskId::Make(absl::FromUnixSeconds(2), TaskId::kOutside, 1, 1)) == nullptr);
  CHECK(book.Stays(Key(1)));
  book.Erase(Key(1));
  CHECK(book.Holds(Key(1)));
  CHECK_FALSE(book.Stays(Key(1)));
  book.Forget(Key(1));
  book.Forget(Key(1));
  CHECK_FALSE(book.Holds(Key(1)));
}

TEST_CASE("What is left in the inbox is known for a step, be it readable or not") {
  InboxBook book;
  Take(book, 1);
  book.Leave(Key(1));
  book.LeaveUnread(Key(2));
  CHECK(book.Stays(Key(1)));
  CHECK(book.Stays(Key(2)));
  CHECK(book.Find(Id(2)) == nullptr);
  book.ForgetLeft();
  CHECK_FALSE(book.Holds(Key(1)));
  CHECK_FALSE(book.Holds(Key(2)));
}

TEST_CASE("As many refused tasks wait for Outputs as there is room for") {
  InboxBook book(kSmall);
  for (uint64_t n = 1; n <= 2; ++n) Take(book, n);
  CHECK(book.Refuse(Key(1), {"WHY", "why"}));
  CHECK_FALSE(book.Refuse(Key(2), {"WHY", "why"}));
  CHECK(book.at(Key(1)).stage == Stage::kRefused);
  CHECK(book.at(Key(1)).why.reason == "WHY");
  CHECK(book.at(Key(2)).stage == Stage::kTaken);
  book.Erase(Key(1));
  CHECK(book.Refuse(Key(2), {"WHY", "why"}));
}

TEST_CASE("As many tasks of the inbox ask Outputs as there is room for, in number and bytes") {
  InboxBook book(kSmall);
  for (uint64_t n = 1; n <= 3; ++n) Take(book, n);
  Take(book, 4, /*bytes=*/95);
  CHECK(book.Ask(Key(1)));
  CHECK_FALSE(book.Ask(Key(4)));
  CHECK(book.Ask(Key(2)));
  CHECK_FALSE(book.Ask(Key(3)));
  book.TakeAgain(Key(1));
  CHECK(book.Ask(Key(3)));
  book.Forget(Key(2));
  book.Forget(Key(3));
  // One that is larger than all may be asks alone.
  CHECK(book.Ask(Key(4)));
  CHECK_FALSE(book.Ask(Key(1)));
}

TEST_CASE("What names a task that waits in the inbox is looked at again after it") {
  InboxBook book(kSmall);
  book.PutOff(Key(3), Key(1));
  book.PutOff(Key(2), Key(1));
  book.PutOff(Key(2), Key(1));
  CHECK(book.TakePutOff(Key(2)).empty());
  CHECK(book.TakePutOff(Key(1)) == std::vector<TaskKey>{Key(2), Key(3)});
  CHECK(book.TakePutOff(Key(1)).empty());
}

TEST_CASE("When too many tasks wait for others the earlier ones are left to the next look") {
  InboxBook book(kSmall);
  for (uint64_t n = 2; n <= 4; ++n) book.PutOff(Key(n), Key(1));
  CHECK(book.TakePutOff(Key(1)) == std::vector<TaskKey>{Key(4)});
}

TEST_CASE("News are told once, and no more of them than are remembered") {
  InboxBook book(kSmall);
  CHECK(book.IsNews("a"));
  CHECK_FALSE(book.IsNews("a"));
  CHECK_FALSE(book.IsNews("b"));
}

}  // namespace
}  // namespace kantoku::inputs
