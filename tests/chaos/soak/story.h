#ifndef KANTOKU_TESTS_CHAOS_SOAK_STORY_H_
#define KANTOKU_TESTS_CHAOS_SOAK_STORY_H_

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/chaos/soak/checker.h"

// Made-up evidence, for tests of the checker.
namespace kantoku::soak {

inline constexpr pid_t kNorth = 11;
inline constexpr pid_t kSouth = 22;

inline absl::Duration At(int milliseconds) { return absl::Milliseconds(milliseconds); }

// A run of Kantoku in which nothing goes wrong, to be spoilt by a test.
class Story {
 public:
  Story() {
    evidence.grace = absl::Seconds(5);
    evidence.executors[kNorth] = {.name = "north", .zone = "north"};
    evidence.executors[kSouth] = {.name = "south", .zone = "south"};
  }

  // A task that a client was told had succeeded at `told`.
  Asked& Task(const std::string& id, int told = 100'000, uint32_t dispatch = 1) {
    evidence.asked.push_back({.task = id, .type = "test", .work = {.name = "name of " + id}});
    Tell(id, {.data = ResultOf(evidence.asked.back().work), .dispatch = dispatch, .at = At(told)});
    return evidence.asked.back();
  }
  void Tell(const std::string& id, const Told& told) {
    evidence.told[id] = told;
    evidence.outputs[id] = told;
    evidence.finished_events[id] = 1;
  }
  // A handler; `end` 0: it never ends.
  void Run(const std::string& id, uint32_t dispatch, int begin, int end, pid_t pid = kNorth,
           const std::string& how = "result") {
    Note(Entry::Kind::kStart, id, dispatch, begin, pid, "");
    if (end > 0) Note(Entry::Kind::kEnd, id, dispatch, end, pid, how);
  }
  // It knows that its checkpoint is durable.
  void Leave(const std::string& id, uint32_t dispatch, int at, const std::string& what) {
    Note(Entry::Kind::kLeft, id, dispatch, at, kNorth, what);
  }
  void Items(const std::string& id, const std::vector<std::pair<uint32_t, uint64_t>>& numbers) {
    std::vector<Read>& items = evidence.last_reader[id];
    uint32_t last = 0;
    for (const auto& [dispatch, sequence] : numbers) {
      items.push_back({.dispatch = dispatch,
                       .sequence = sequence,
                       .data = ItemOf({.name = "name of " + id}, sequence),
                       .restarted = last != 0 && dispatch != last});
      last = dispatch;
    }
  }
  Verdict Check() const { return soak::Check(evidence); }

  Evidence evidence;

 private:
  void Note(Entry::Kind kind, const std::string& id, uint32_t dispatch, int at, pid_t pid,
            const std::string& text) {
    evidence.journal.push_back(
        {.kind = kind, .task = id, .dispatch = dispatch, .at = At(at), .pid = pid, .text = text});
  }
};

// The counter and nothing else tells.
inline void CheckOnly(const Verdict& verdict, size_t Verdict::*counter) {
  INFO(Summary(verdict));
  CHECK(verdict.*counter == 1);
  CHECK_FALSE(verdict.good());
  CHECK(verdict.lost + verdict.duplicated + verdict.wrong + verdict.once_twice + verdict.overlaps +
            verdict.limit_violations + verdict.order_violations + verdict.late_begins +
            verdict.stops_ignored + verdict.trouble ==
        1);
  CHECK(verdict.complaints.size() == 1);
}

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_STORY_H_
