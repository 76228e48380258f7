// What readers and handlers saw of items and checkpoints, made up: each thing that must not happen
// is reported.
#include "tests/chaos/soak/item_check.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/chaos/soak/story.h"

namespace kantoku::soak {
namespace {

TEST_CASE("An item that is missing at the end is lost") {
  Story story;
  story.Task("a").work.items = 3;
  story.Run("a", 1, 10, 20);
  story.Items("a", {{1, 1}, {1, 2}});
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("A gap between items that a reader got is lost") {
  Story story;
  story.Task("a").work.items = 3;
  story.Run("a", 1, 10, 20);
  story.Items("a", {{1, 1}, {1, 3}});
  story.evidence.readers["a"] = {story.evidence.last_reader["a"]};
  story.evidence.last_reader.clear();
  story.Items("a", {{1, 1}, {1, 2}, {1, 3}});
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("An item that a reader got twice, or of an earlier dispatch, is a duplicate") {
  const bool earlier = GENERATE(false, true);
  Story story;
  story.Task("a", 100'000, 2).work.items = 2;
  story.Run("a", 1, 10, 20, kNorth, "error");
  story.Run("a", 2, 30, 40);
  story.Items("a", {{1, 1}, {2, 1}, {2, 2}});
  const std::vector<Read>& good = story.evidence.last_reader["a"];
  story.evidence.readers["a"] = {good};
  CHECK(story.Check().good());
  if (earlier) {
    // And no item of the later dispatch before it is missed.
    story.evidence.readers["a"][0].push_back(good[0]);
  } else {
    story.evidence.readers["a"][0].push_back(good[2]);
  }
  story.evidence.readers["a"][0].back().restarted = false;
  CheckOnly(story.Check(), &Verdict::duplicated);
}

TEST_CASE("An item that the handler did not yield is wrong") {
  Story story;
  story.Task("a").work.items = 1;
  story.Run("a", 1, 10, 20);
  story.Items("a", {{1, 1}});
  story.evidence.last_reader["a"][0].data = "something else";
  CheckOnly(story.Check(), &Verdict::wrong);
}

TEST_CASE("A dispatch that is not marked to the reader is wrong") {
  Story story;
  story.Task("a", 100'000, 2).work.items = 1;
  story.Run("a", 1, 10, 20, kNorth, "error");
  story.Run("a", 2, 30, 40);
  story.Items("a", {{1, 1}, {2, 1}});
  story.evidence.last_reader["a"][1].restarted = false;
  CheckOnly(story.Check(), &Verdict::wrong);
}

// A handler of four items is killed, and another goes on from its checkpoint.
Story Continued(uint64_t from) {
  Story story;
  story.Task("a", 100'000, 2).work.items = 4;
  story.Run("a", 1, 10, 0);
  story.Leave("a", 1, 15, "2");
  story.Run("a", 2, 30, 40, kSouth);
  story.evidence.executors[kNorth].ended = At(20);
  story.evidence.journal[2].text = std::to_string(from);
  story.Items("a", {{1, 1}, {1, 2}, {1, 3}});
  for (uint64_t i = from + 1; i <= 4; ++i) {
    story.evidence.last_reader["a"].push_back({.dispatch = 2,
                                               .sequence = i - from,
                                               .data = ItemOf({.name = "name of a"}, i),
                                               .restarted = i == from + 1});
  }
  return story;
}

TEST_CASE("A handler goes on from a checkpoint that is durable, or from a later one") {
  for (const uint64_t from : {2, 3}) {
    const Verdict verdict = Continued(from).Check();
    INFO(Summary(verdict));
    CHECK(verdict.good());
    CHECK(verdict.continued == 1);
  }
}

TEST_CASE("A checkpoint that was durable and is not given to the next dispatch is lost") {
  CheckOnly(Continued(1).Check(), &Verdict::lost);
}

TEST_CASE("A handler that goes on behind items that are not there has lost them") {
  Story story = Continued(3);
  story.evidence.last_reader["a"].erase(story.evidence.last_reader["a"].begin() + 2);
  CheckOnly(story.Check(), &Verdict::lost);
}

TEST_CASE("An item that its checkpoint had behind it is wrong") {
  Story story = Continued(2);
  story.evidence.last_reader["a"].back().data = ItemOf({.name = "name of a"}, 2);
  CheckOnly(story.Check(), &Verdict::wrong);
}

}  // namespace
}  // namespace kantoku::soak
