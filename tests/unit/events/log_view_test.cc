#include "services/events/log_view.h"

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

namespace kantoku::events {
namespace {

std::vector<LogRowPtr> Rows(RowNumber first, RowNumber last, size_t bytes = 10) {
  std::vector<LogRowPtr> rows;
  for (RowNumber row = first; row <= last; ++row) {
    rows.push_back(
        std::make_shared<LogRow>(LogRow{row, absl::UnixEpoch(), std::string(bytes, 'x')}));
  }
  return rows;
}

TEST_CASE("The newest rows are read from memory, older ones are not there") {
  LogView view({}, {.max_rows = 3});
  view.Publish(Rows(1, 5));
  CHECK(view.bounds().end == 6);

  LogPage page;
  CHECK_FALSE(view.ReadNewest({.from = 2}, page));
  REQUIRE(view.ReadNewest({.from = 4}, page));
  REQUIRE(page.rows.size() == 2);
  CHECK(page.rows[0]->row == 4);
  CHECK(page.next == 6);
}

TEST_CASE("Memory is bounded in bytes too, but the newest row stays") {
  LogView view({}, {.max_rows = 100, .max_bytes = 25});
  view.Publish(Rows(1, 5));
  LogPage page;
  CHECK_FALSE(view.ReadNewest({.from = 3}, page));
  CHECK(view.ReadNewest({.from = 4}, page));

  view.Publish(Rows(6, 6, 1000));
  LogPage large;
  REQUIRE(view.ReadNewest({.from = 6}, large));
  CHECK(large.rows.size() == 1);
}

TEST_CASE("A page ends at its bounds and holds at least one row") {
  LogView view({}, {});
  view.Publish(Rows(1, 9));
  LogPage two;
  REQUIRE(view.ReadNewest({.from = 1, .max_rows = 2}, two));
  CHECK(two.rows.size() == 2);
  CHECK(two.next == 3);
  LogPage one;
  REQUIRE(view.ReadNewest({.from = 3, .max_bytes = 1}, one));
  CHECK(one.rows.size() == 1);
  CHECK(one.next == 4);
}

TEST_CASE("Reading at the end answers an empty page") {
  LogView view({.first = 4, .end = 8}, {});
  LogPage page;
  REQUIRE(view.ReadNewest({.from = 8}, page));
  CHECK(page.rows.empty());
  CHECK(page.next == 8);
}

TEST_CASE("Rows that left are not kept in memory") {
  LogView view({}, {});
  view.Publish(Rows(1, 5));
  view.DropBefore(4);
  CHECK(view.bounds().first == 4);
  LogPage page;
  CHECK_FALSE(view.ReadNewest({.from = 3}, page));
}

TEST_CASE("Who waits is told once, and only when the log has grown beyond") {
  LogView view({.first = 1, .end = 3}, {});
  int at_end = 0;
  int beyond = 0;
  view.NotifyBeyond(3, [&] { ++at_end; });
  view.NotifyBeyond(4, [&] { ++beyond; });
  view.Publish(Rows(3, 3));
  CHECK(at_end == 1);
  CHECK(beyond == 0);
  view.Publish(Rows(4, 4));
  view.Publish(Rows(5, 5));
  CHECK(at_end == 1);
  CHECK(beyond == 1);

  int late = 0;
  view.NotifyBeyond(2, [&] { ++late; });
  CHECK(late == 1);
}

TEST_CASE("After Close nobody is told any more") {
  LogView view({}, {});
  auto held = std::make_shared<int>(0);
  view.NotifyBeyond(1, [held] { ++*held; });
  view.Close();
  CHECK(held.use_count() == 1);
  view.NotifyBeyond(0, [held] { ++*held; });
  CHECK(*held == 0);
}

}  // namespace
}  // namespace kantoku::events
