#include "services/inputs/engine/restart_book.h"

#include <catch2/catch.hpp>
#include <vector>

namespace kantoku::inputs {
namespace {

// The nth task that there was.
TaskId Task(uint64_t n) { return TaskId::Make(absl::UnixEpoch(), 1, n, n); }

TEST_CASE("Every member of a chain of restarts knows the newest, however long the chain is") {
  constexpr uint64_t kLinks = 100'000;
  RestartBook book;
  for (uint64_t n = 1; n < kLinks; ++n) book.Add(Task(n).key(), Task(n + 1));
  // Each answer is as long as the chain if it is walked: hours.
  bool all = true;
  for (uint64_t n = 1; n <= kLinks; ++n) all &= book.NewestOf(Task(n)) == Task(kLinks);
  CHECK(all);
  CHECK(book.SuccessorOf(Task(7).key()) == Task(8));
  CHECK(book.SuccessorOf(Task(kLinks).key()).empty());
}

TEST_CASE("Chains of restarts are apart, and what was not restarted is its own newest") {
  RestartBook book;
  book.Add(Task(1).key(), Task(3));
  book.Add(Task(2).key(), Task(4));
  book.Add(Task(3).key(), Task(5));
  CHECK(book.NewestOf(Task(1)) == Task(5));
  CHECK(book.NewestOf(Task(2)) == Task(4));
  CHECK(book.NewestOf(Task(5)) == Task(5));
  CHECK(book.NewestOf(Task(6)) == Task(6));
}

TEST_CASE("A chain goes on when its oldest is forgotten, and is gone with its last") {
  RestartBook book;
  book.Add(Task(1).key(), Task(2));
  book.Add(Task(2).key(), Task(3));
  CHECK(book.Forget(Task(1).key()));
  CHECK_FALSE(book.Forget(Task(1).key()));
  CHECK(book.NewestOf(Task(1)) == Task(1));
  book.Add(Task(3).key(), Task(4));
  CHECK(book.NewestOf(Task(2)) == Task(4));
  CHECK(book.Forget(Task(2).key()));
  CHECK(book.Forget(Task(3).key()));
  CHECK_FALSE(book.Forget(Task(4).key()));
  book.Add(Task(4).key(), Task(5));
  CHECK(book.NewestOf(Task(4)) == Task(5));
}

}  // namespace
}  // namespace kantoku::inputs
