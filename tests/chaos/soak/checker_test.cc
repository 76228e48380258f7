// Made-up evidence: each thing that must not happen is seen to be reported, and nothing else.
#include "tests/chaos/soak/checker.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <string>

#include "tests/chaos/soak/story.h"
#include "tests/support/temp_dir.h"

namespace kantoku::soak {
namespace {

TEST_CASE("A run in which all went well is good") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  Asked& again = story.Task("b", 100'000, 2);
  again.work.items = 2;
  story.Run("b", 1, 10, 15, kNorth, "error");
  story.Run("b", 2, 20, 30, kSouth);
  story.Items("b", {{1, 1}, {2, 1}, {2, 2}});
  const Verdict verdict = story.Check();
  INFO(Summary(verdict));
  CHECK(verdict.good());
  CHECK(verdict.tasks == 2);
  CHECK(verdict.runs == 3);
  CHECK(verdict.runs_again == 1);
  CHECK(verdict.items == 3);
  CHECK(verdict.items_again == 1);
  CHECK(Summary(verdict).find("0 lost, 0 duplicated results, 0 limit violations, 0 ONCE tasks "
                              "began twice") != std::string::npos);
}

TEST_CASE("A task without an end is lost") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  story.evidence.told.clear();
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("A task whose end is not in Outputs is lost") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  story.evidence.outputs.clear();
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("A task whose end is not in Events is lost") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  story.evidence.finished_events.clear();
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("Two ends in Events are a duplicate") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  story.evidence.finished_events["a"] = 2;
  CheckOnly(story.Check(), &Verdict::duplicated);
}

TEST_CASE("An end that differs from that in Outputs is a duplicate") {
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 20);
  story.Run("a", 2, 30, 40);
  story.evidence.outputs["a"].dispatch = 1;
  CheckOnly(story.Check(), &Verdict::duplicated);
}

TEST_CASE("Two tasks of one reference are a duplicate") {
  Story story;
  story.Task("a");
  story.Task("b").work.name = "name of a";
  story.evidence.told["b"].data = story.evidence.outputs["b"].data = "done: name of a";
  story.Run("a", 1, 10, 20);
  story.Run("b", 1, 10, 20);
  CheckOnly(story.Check(), &Verdict::duplicated);
}

TEST_CASE("Another task's result is wrong") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20);
  story.evidence.told["a"].data = story.evidence.outputs["a"].data = "done: name of b";
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A result of a dispatch that returned none is wrong") {
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 20);
  story.Run("a", 2, 30, 40, kNorth, "error");
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A failure that nothing explains is wrong") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20, kNorth, "error");
  story.Tell(
      "a",
      {.status = OutputStatus::kFailed, .reason = "EXECUTOR_LOST", .dispatch = 1, .at = At(100)});
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A cancelled task that nobody stopped is wrong, and one that somebody did is not") {
  Story story;
  story.Task("a").stoppable = true;
  story.Task("b").stoppable = true;
  story.Task("child of b").stoppable = true;
  story.evidence.asked.back().root = "b";
  story.Task("c").stoppable = true;
  const Told cancelled = {.status = OutputStatus::kCancelled, .at = At(100)};
  for (const char* const task : {"a", "b", "child of b", "c"}) story.Tell(task, cancelled);
  story.evidence.stops.push_back({.root = "b", .verb = "cancel", .answered = At(50)});
  story.evidence.stops.push_back({.root = "c", .verb = "interrupt"});  // Of unknown outcome.
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A handler that begins long after the stop of its tree was answered ignores it") {
  Story story;
  story.Task("root").stoppable = true;
  story.Task("child").stoppable = true;
  story.evidence.asked.back().root = "root";
  story.Run("root", 1, 10, 20);
  const bool of_child = GENERATE(false, true);
  if (!of_child) story.Tell("root", {.data = "done: name of root", .dispatch = 2, .at = At(9'000)});
  story.Run("child", 1, of_child ? 5'000 : 30, of_child ? 5'010 : 40);
  if (!of_child) story.Run("root", 2, 5'000, 5'010);
  CHECK(story.Check().good());
  story.evidence.stops.push_back({.root = "root", .verb = "cancel", .answered = At(50)});
  CheckOnly(story.Check(), &Verdict::stops_ignored);
  story.evidence.stops.back().answered = absl::InfiniteDuration();
  CHECK(story.Check().good());
}

TEST_CASE("A handler that goes on to a result long after the stop was answered ignores it") {
  Story story;
  story.Task("root").stoppable = true;
  story.Run("root", 1, 10, 5'000);
  story.evidence.stops.push_back({.root = "root", .verb = "cancel", .answered = At(50)});
  CheckOnly(story.Check(), &Verdict::stops_ignored);
}

TEST_CASE("An executor may begin what it has while it cannot have heard of a stop") {
  Story story;
  story.Task("root").stoppable = true;
  story.evidence.stops.push_back({.root = "root", .verb = "cancel", .answered = At(50)});
  SECTION("it takes a moment to hear") { story.Run("root", 1, 100, 110); }
  SECTION("it was away, and within its grace") {
    story.Run("root", 1, 5'000, 5'010);
    story.evidence.absences.push_back({.executor = "north", .from = At(0), .to = At(4'900)});
  }
  SECTION("it was away past its grace") {
    story.Run("root", 1, 9'000, 9'010);
    story.evidence.absences.push_back({.executor = "", .from = At(0), .to = At(8'900)});
  }
  CHECK(story.Check().good());
}

TEST_CASE("Many stops of which none cancels anything are ignored") {
  Story story;
  for (int i = 0; i < 20; ++i) {
    const std::string root = "root " + std::to_string(i);
    story.Task(root).stoppable = true;
    story.Run(root, 1, 10, 20);
    story.evidence.stops.push_back({.root = root, .verb = "cancel", .answered = At(50)});
  }
  CheckOnly(story.Check(), &Verdict::stops_ignored);
}

TEST_CASE("A handler of a task that nobody asked for is wrong") {
  Story story;
  story.Run("a", 1, 10, 20);
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A handler in a process that nobody started is wrong") {
  Story story;
  story.Task("a");
  story.Run("a", 1, 10, 20, 33);
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A ONCE task that begins twice is counted, and one of unknown outcome is good") {
  Story story;
  story.Task("a", 100'000, 2).once = true;
  story.Run("a", 1, 10, 20, kNorth, "error");
  story.Run("a", 2, 30, 40);
  story.Task("b").once = true;
  story.Run("b", 1, 10, 0);
  story.Tell(
      "b",
      {.status = OutputStatus::kFailed, .reason = "UNKNOWN_OUTCOME", .dispatch = 1, .at = At(100)});
  CheckOnly(story.Check(), &Verdict::once_twice);
}

TEST_CASE("Handlers of a task at the same time overlap") {
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 40);
  story.Run("a", 2, 30, 50, kSouth);
  CheckOnly(story.Check(), &Verdict::overlaps);
}

TEST_CASE("A killed handler ends with its process") {
  Story story;
  story.Task("a", 100'000, 2);
  story.evidence.executors[kNorth].ended = At(20);
  story.Run("a", 1, 10, 0);
  story.Run("a", 2, 30, 50, kSouth);
  CHECK(story.Check().good());
  story.evidence.executors[kNorth].ended = At(31);
  CheckOnly(story.Check(), &Verdict::overlaps);
}

TEST_CASE("An overlap with a handler that was away past its grace is counted apart") {
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 7'000);
  story.Run("a", 2, 6'500, 6'600, kSouth);
  story.evidence.absences.push_back({.executor = "north", .from = At(20), .to = At(6'900)});
  const Verdict verdict = story.Check();
  INFO(Summary(verdict));
  CHECK(verdict.good());
  CHECK(verdict.stray_overlaps == 1);
}

TEST_CASE("Absences that are short, of others, or over before are no excuse for an overlap") {
  const auto [executor, from, to] = GENERATE(table<std::string, int, int>(
      {{"north", 5'000, 6'900}, {"east", 20, 6'900}, {"north", -9'000, -3'000}}));
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 7'000);
  story.Run("a", 2, 6'500, 6'600, kSouth);
  story.evidence.absences.push_back({.executor = executor, .from = At(from), .to = At(to)});
  CheckOnly(story.Check(), &Verdict::overlaps);
}

TEST_CASE("Absences that follow each other are one") {
  Story story;
  story.Task("a", 100'000, 2);
  story.Run("a", 1, 10, 7'000);
  story.Run("a", 2, 6'500, 6'600, kSouth);
  story.evidence.absences.push_back({.executor = "north", .from = At(20), .to = At(3'000)});
  story.evidence.absences.push_back({.executor = "", .from = At(4'000), .to = At(6'900)});
  const Verdict verdict = story.Check();
  CHECK(verdict.good());
  CHECK(verdict.stray_overlaps == 1);
}

TEST_CASE("A handler that begins after its task's end was told is late") {
  Story story;
  story.Task("a", 100, 1);
  story.Run("a", 1, 10, 20);
  story.Run("a", 2, 200, 210);
  CheckOnly(story.Check(), &Verdict::late_begins);
  story.evidence.absences.push_back({.executor = "north", .from = At(-7'000), .to = At(150)});
  const Verdict verdict = story.Check();
  CHECK(verdict.good());
  CHECK(verdict.stray_begins == 1);
}

TEST_CASE("More handlers of a key than its limit are a violation") {
  Story story;
  for (const std::string id : {"a", "b", "c"}) {
    Asked& asked = story.Task(id);
    asked.limit_key = "key";
    asked.limit = 2;
  }
  story.Run("a", 1, 10, 30);
  story.Run("b", 1, 20, 50, kSouth);
  story.Run("c", 1, 30, 40);
  CHECK(story.Check().good());
  story.evidence.journal.back().at = At(60);
  story.evidence.journal[4].at = At(29);
  CheckOnly(story.Check(), &Verdict::limit_violations);
}

TEST_CASE("A handler that was away past its grace does not count against a limit") {
  Story story;
  for (const std::string id : {"a", "b"}) {
    Asked& asked = story.Task(id);
    asked.limit_key = "key";
    asked.limit = 1;
  }
  story.Run("a", 1, 10, 7'000);
  story.Run("b", 1, 6'500, 6'600, kSouth);
  story.evidence.absences.push_back({.executor = "north", .from = At(20), .to = At(6'900)});
  const Verdict verdict = story.Check();
  CHECK(verdict.good());
  CHECK(verdict.stray_limits == 1);
}

TEST_CASE(
    "More begins in a window than burst and rate allow are a violation, and late ones are none") {
  Story story;
  for (const std::string id : {"a", "b", "c", "d"}) {
    Asked& asked = story.Task(id);
    asked.rate_key = "key";
    asked.rate = {.tokens = 4, .period = absl::Seconds(1), .burst = 2};
    asked.at = At(1'000);
  }
  story.Run("a", 1, 1'010, 1'011);
  story.Run("b", 1, 1'020, 1'021);
  story.Run("c", 1, 1'260, 1'261, kSouth);
  story.Run("d", 1, 1'510, 1'511);
  CHECK(story.Check().good());
  SECTION("one begins too early") {
    story.evidence.journal[4].at = At(1'150);
    CheckOnly(story.Check(), &Verdict::limit_violations);
  }
  SECTION("another dispatch takes a token of its own") {
    story.Run("a", 2, 1'520, 1'521);
    story.Tell("a", {.data = ResultOf({.name = "name of a"}), .dispatch = 2, .at = At(100'000)});
    CheckOnly(story.Check(), &Verdict::limit_violations);
  }
  SECTION("they waited in an executor, and may have had their tokens long before") {
    for (Asked& asked : story.evidence.asked) asked.at = At(0);
    story.evidence.journal[4].at = At(1'150);
    CHECK(story.Check().good());
  }
}

TEST_CASE("A task of an ordering key that begins before an earlier one has ended is out of order") {
  Story story;
  for (const std::string id : {"a", "b"}) {
    Asked& asked = story.Task(id);
    asked.ordering_key = "key";
    asked.order = id == "a" ? 1 : 2;
  }
  const bool overtakes = GENERATE(false, true);
  story.Run("a", 1, 10, 30);
  story.Run("b", 1, overtakes ? 5 : 29, overtakes ? 8 : 40, kSouth);
  CheckOnly(story.Check(), &Verdict::order_violations);
}

TEST_CASE(
    "Tasks of an ordering key one after the other are good, in whatever order they are told") {
  Story story;
  for (const std::string id : {"b", "a"}) {
    Asked& asked = story.Task(id);
    asked.ordering_key = "key";
    asked.order = id == "a" ? 1 : 2;
  }
  story.evidence.told["a"].dispatch = story.evidence.outputs["a"].dispatch = 2;
  story.Run("a", 1, 10, 20, kNorth, "error");
  story.Run("a", 2, 25, 30);
  story.Run("b", 1, 31, 40, kSouth);
  CHECK(story.Check().good());
}

TEST_CASE("A dispatch that begins late, after its executor was away, does not hold its order up") {
  Story story;
  for (const std::string id : {"a", "b"}) {
    Asked& asked = story.Task(id);
    asked.ordering_key = "key";
    asked.order = id == "a" ? 1 : 2;
  }
  story.evidence.told["a"].dispatch = story.evidence.outputs["a"].dispatch = 2;
  story.evidence.absences.push_back({.executor = "north", .from = At(20), .to = At(6'900)});
  story.Run("a", 2, 6'000, 6'100, kSouth);
  story.Run("b", 1, 6'200, 6'300, kSouth);
  story.Run("a", 1, 6'950, 6'960, kNorth, "error");
  const Verdict verdict = story.Check();
  INFO(Summary(verdict));
  CHECK(verdict.good());
  CHECK(verdict.stray_orders == 1);
}

TEST_CASE("A task that begins before what it waits for has a result is out of order") {
  Story story;
  story.Task("a");
  story.Task("b").after = {"a"};
  story.Run("a", 1, 10, 30);
  story.Run("b", 1, 30, 40);
  CHECK(story.Check().good());
  story.evidence.journal[2].at = At(29);
  CheckOnly(story.Check(), &Verdict::order_violations);
}

TEST_CASE("A task that runs in another zone than its own is out of order") {
  Story story;
  story.Task("a").zone = "south";
  story.Run("a", 1, 10, 30, kNorth);
  CheckOnly(story.Check(), &Verdict::order_violations);
}

TEST_CASE("A task that runs where it is asked to is good") {
  Story story;
  story.Task("a").zone = "north";
  story.Run("a", 1, 10, 30, kNorth);
  CHECK(story.Check().good());
}

TEST_CASE("What clients must not be told is trouble") {
  Story story;
  story.evidence.trouble = {"spawn: INTERNAL"};
  CheckOnly(story.Check(), &Verdict::trouble);
}

TEST_CASE("A journal reads back as it was written, but for a line that a kill has cut") {
  const Entry start = {
      .kind = Entry::Kind::kStart, .task = "a", .dispatch = 3, .at = At(5), .pid = 7};
  Entry child = start;
  child.kind = Entry::Kind::kChild;
  child.child = "b";
  child.text = Encode({.name = "n", .milliseconds = 4});
  const test::TempDir directory;
  const std::string path = directory.File("journal");
  const auto writer = JournalWriter::Open(path);
  REQUIRE(writer.ok());
  (*writer)->Write(start);
  std::ofstream(path, std::ios::app) << "\nend a 3 6";
  (*writer)->Write(child);
  Entry next = start;
  next.text = "7";
  (*writer)->Write(next);
  Entry left = next;
  left.kind = Entry::Kind::kLeft;
  (*writer)->Write(left);
  const auto entries = ReadJournal(path);
  REQUIRE(entries.ok());
  CHECK(*entries == std::vector<Entry>{start, child, next, left});
  CHECK_FALSE(ParseLine("start a").ok());
  CHECK_FALSE(ParseLine("begin a 3 5 7 x").ok());
}

}  // namespace
}  // namespace kantoku::soak
