#include "services/inputs/partition/restart_order.h"

#include <catch2/catch.hpp>

namespace kantoku::inputs {
namespace {

using Order = std::vector<size_t>;

TaskId Id(int64_t seconds, uint32_t slot, uint64_t sequence) {
  return TaskId::Make(absl::FromUnixSeconds(seconds), slot, sequence, 0);
}

DeadTask Dead(const TaskId& id, const std::vector<TaskId>& dependencies = {}) {
  DeadTask dead{.id = id, .dependencies = {}};
  for (const TaskId& task : dependencies) dead.dependencies.push_back({.task = task});
  return dead;
}

TEST_CASE("Dead tasks are restarted in the order of their spawn, wherever their ids were made") {
  const std::vector<DeadTask> dead = {Dead(Id(3, 7, 2)), Dead(Id(2, TaskId::kOutside + 7, 1)),
                                      Dead(Id(1, 7, 1)), Dead(Id(3, 7, 2))};
  CHECK(RestartOrder(dead) == Order{2, 1, 0, 3});
  CHECK(RestartOrder({}).empty());
}

TEST_CASE("A dead task is restarted after those that it depends on, whatever the clocks said") {
  const TaskId late = Id(9, 7, 1), early = Id(1, TaskId::kOutside + 7, 1), middle = Id(5, 7, 2);
  CHECK(RestartOrder(std::vector{Dead(early, {late, Id(2, 7, 9)}), Dead(late, {middle}),
                                 Dead(middle)}) == Order{2, 1, 0});
}

TEST_CASE("Records that name each other lose none of them") {
  const TaskId a = Id(1, 7, 1), b = Id(1, 7, 2);
  CHECK(RestartOrder(std::vector{Dead(a, {b}), Dead(b, {a})}) == Order{0, 1});
}

}  // namespace
}  // namespace kantoku::inputs
