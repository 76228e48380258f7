#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <utility>

#include "services/inputs/engine/deadline_book.h"
#include "services/inputs/engine/fifo.h"
#include "services/inputs/engine/history.h"
#include "services/inputs/engine/indexed_heap.h"
#include "services/inputs/engine/interner.h"
#include "services/inputs/engine/ready_queue.h"
#include "services/inputs/engine/task_table.h"
#include "tests/unit/inputs/engine/engine_world.h"

namespace kantoku::inputs::testing {
namespace {

struct Place {
  std::vector<uint32_t>* positions;
  uint32_t& operator()(uint32_t item) const { return (*positions)[item]; }
};

TEST_CASE("The alarm heap agrees with a sorted set, whatever is removed") {
  std::mt19937_64 random(1);
  std::vector<uint32_t> positions(200);
  std::vector<int64_t> times(200);
  IndexedHeap<Place> heap(Place{&positions});
  std::set<std::pair<int64_t, uint32_t>> model;
  for (int i = 0; i < 20'000; ++i) {
    const auto item = static_cast<uint32_t>(random() % 200);
    if (positions[item] == 0) {
      times[item] = static_cast<int64_t>(random() % 50);
      heap.Push(times[item], item);
      model.emplace(times[item], item);
    } else {
      heap.Remove(item);
      model.erase({times[item], item});
    }
    REQUIRE(heap.size() == model.size());
    REQUIRE(heap.empty() == model.empty());
    if (model.empty()) continue;
    REQUIRE(std::pair(heap.top_time(), heap.top()) == *model.begin());
  }
}

TEST_CASE("A queue gives in order what it was given, and what is new takes next to nothing") {
  std::mt19937_64 random(6);
  Fifo<uint64_t> queue;
  static_assert(sizeof(queue) <= 32 + sizeof(uint64_t));
  std::deque<uint64_t> model;
  uint64_t next = 0;
  for (int phase = 0; phase < 60; ++phase) {
    const uint64_t pushes = random() % 4;  // Of four steps: it grows, shrinks, or stays short.
    const uint64_t steps = random() % 2'000;
    for (uint64_t i = 0; i < steps; ++i) {
      if (random() % 4 < pushes) {
        queue.push_back(next);
        model.push_back(next++);
      } else if (!model.empty()) {
        queue.pop_front();
        model.pop_front();
      }
      REQUIRE(queue.size() == model.size());
      if (model.empty()) continue;
      REQUIRE(queue.front() == model.front());
      REQUIRE(queue.back() == model.back());
    }
    if (phase % 10 == 0) {
      Fifo<uint64_t> old = std::exchange(queue, {});
      CHECK(queue.empty());
      queue = std::move(old);
    }
  }
}

TEST_CASE("A ready queue agrees with a sorted set while tasks come, go and come back") {
  std::mt19937_64 random(2);
  ReadyQueue queue;
  std::map<TaskKey, int16_t> waiting;
  std::set<std::pair<int, TaskKey>> model;  // By falling priority, then key.
  std::vector<std::pair<TaskKey, int16_t>> popped;
  TaskKey next = 1;
  const auto is_waiting = [&](TaskIndex, TaskKey key) { return waiting.contains(key); };
  const auto push = [&](TaskKey key, int16_t priority) {
    waiting[key] = priority;
    model.emplace(-priority, key);
    queue.Push(static_cast<TaskIndex>(key), key, priority);
  };
  for (int i = 0; i < 50'000; ++i) {
    switch (random() % 5) {
      case 0:
      case 1:
        push(next++, static_cast<int16_t>(random() % 4));
        break;
      case 2:
        if (popped.empty()) break;
        push(popped.back().first, popped.back().second);
        popped.pop_back();
        break;
      case 3: {
        if (model.empty()) break;
        auto gone = model.begin();
        std::advance(gone, random() % std::min<size_t>(model.size(), 20));
        const auto priority = static_cast<int16_t>(-gone->first);
        waiting.erase(gone->second);
        model.erase(gone);
        queue.NoteGone(priority, kCommonFlow, is_waiting);
        break;
      }
      default: {
        const TaskIndex task = queue.Pop(is_waiting, [](FlowNumber) { return 1U; });
        REQUIRE((task == kNoTask) == model.empty());
        if (model.empty()) break;
        REQUIRE(TaskKey{task} == model.begin()->second);
        popped.emplace_back(task, static_cast<int16_t>(-model.begin()->first));
        waiting.erase(task);
        model.erase(model.begin());
      }
    }
    REQUIRE(queue.size() == model.size());
  }
}

TEST_CASE("The task table agrees with a sorted map and finds only whole ids") {
  std::mt19937_64 random(3);
  TaskTable table;
  std::map<TaskKey, std::pair<TaskId, TaskIndex>> model;
  const absl::Time wall = absl::FromUnixSeconds(1'700'000'000);
  for (int i = 0; i < 20'000; ++i) {
    const TaskId id = TaskId::Make(wall, random() % 3, random() % 1'000, random());
    const auto known = model.find(id.key());
    if (known == model.end()) {
      model[id.key()] = {id, table.Insert(id)};
    } else {
      CHECK(table.Find(known->second.first) == known->second.second);
      if (id != known->second.first) CHECK(table.Find(id) == kNoTask);
      table.Erase(known->second.second);
      model.erase(known);
    }
    REQUIRE(table.size() == model.size());
    const TaskKey from = TaskId::Make(wall, random() % 4, random() % 1'100, 0).key();
    const auto bound = model.lower_bound(from);
    REQUIRE(table.LowerBound(from) == (bound == model.end() ? kNoTask : bound->second.second));
  }
}

TEST_CASE("An interner agrees with a map, keeps what is used, and little of what is not") {
  std::mt19937_64 random(4);
  constexpr size_t kKeep = 5;
  Interner<std::string> interner;
  std::map<std::string, std::pair<uint32_t, int>> model;  // Number and users.
  for (int i = 0; i < 50'000; ++i) {
    const std::string value = "a value with memory of its own: " + std::to_string(random() % 100);
    const auto used = model.find(value);
    const uint32_t number = interner.Intern(value);
    if (used != model.end()) REQUIRE(number == used->second.first);
    REQUIRE(interner.at(number) == value);
    if (used != model.end() && random() % 2 == 0) {
      interner.Leave(number);
      if (--used->second.second == 0) model.erase(used);
    } else if (model.size() < 40 || used != model.end()) {
      interner.Use(number);
      auto& [known, users] = model.try_emplace(value, number, 0).first->second;
      ++users;
    }
    if (random() % 4 == 0) {
      interner.FreeUnused(kKeep);
      REQUIRE(interner.size() <= model.size() + kKeep);
    }
    const auto& [any, entry] = *model.begin();
    REQUIRE(interner.at(entry.first) == any);
  }
}

TEST_CASE("History finds tasks of the open row under the number it will get") {
  History history;
  history.Recover({.number = 7, .ended = absl::UnixEpoch(), .tasks = {1, 2}});
  history.Append(3);
  CHECK(history.Find(3) == 8);
  CHECK(history.Close(absl::UnixEpoch() + absl::Seconds(1)) == 8);
  CHECK_FALSE(history.Close(absl::UnixEpoch()).has_value());
  history.Append(4);
  CHECK(history.Find(4) == 9);
  const auto expired = history.TakeExpired(absl::UnixEpoch() + absl::Seconds(1), 100);
  REQUIRE(expired.has_value());
  CHECK(expired->tasks == std::vector<TaskKey>{1, 2});
  CHECK_FALSE(history.Find(1).has_value());
}

TEST_CASE("Deadlines pass in the order of their times, each once, and go with their tasks") {
  DeadlineBook book;
  const absl::Time spawned = absl::FromUnixSeconds(1'800'000'000);
  const auto spec = [&](std::optional<absl::Duration> begin, uint64_t total_ms) {
    TaskSpec made;
    if (begin.has_value()) made.expire_at = spawned + *begin;
    made.total_timeout_ms = total_ms;
    return made;
  };
  CHECK_FALSE(book.Add(1, spec(std::nullopt, 0), spawned));
  CHECK(book.next() == absl::InfiniteFuture());
  CHECK(book.Add(2, spec(absl::Seconds(3), 5'000), spawned));
  CHECK(book.Add(3, spec(std::nullopt, 4'000), spawned));
  CHECK(book.Add(4, spec(absl::Seconds(1), 1'000), spawned));
  CHECK(book.Add(5, spec(absl::Seconds(2), 0), spawned));
  book.Forget(5);
  CHECK_FALSE(book.TakePassed(spawned + absl::Milliseconds(999)).has_value());
  std::vector<std::pair<TaskKey, DeadlineBook::Kind>> passed;
  while (const auto next = book.TakePassed(spawned + absl::Seconds(4))) {
    CHECK(next->time <= spawned + absl::Seconds(4));
    passed.emplace_back(next->task, next->kind);
  }
  using enum DeadlineBook::Kind;
  CHECK(passed ==
        std::vector<std::pair<TaskKey, DeadlineBook::Kind>>{{4, kEnd}, {2, kBegin}, {3, kEnd}});
  CHECK(book.HasExpired(2));
  CHECK_FALSE(book.HasExpired(3));
  CHECK(book.next() == spawned + absl::Seconds(5));
}

}  // namespace
}  // namespace kantoku::inputs::testing
