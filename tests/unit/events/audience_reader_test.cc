#include "services/events/audience_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/events/test_log.h"

namespace kantoku::events {
namespace {

// Events that make a page worth keeping.
constexpr int kMany = 400;

struct Fixture {
  explicit Fixture(const RecordEventLogOptions& options = {}) : log(options) {}

  TestLog log;
  PageReader reader{*log};
  AudienceReader audiences{reader, PageLimits()};

  EncodedPage Read(AudienceId audience, Position from) { return Read(audiences, audience, from); }
  static EncodedPage Read(AudienceReader& by, AudienceId audience, Position from) {
    auto page = by.Read(audience, from);
    REQUIRE(page.ok());
    return *std::move(page);
  }
  // Positions and owners of the events from there to the end, page after page, and `gap` where one
  // is told.
  std::vector<std::string> ReadAll(AudienceReader& by, AudienceId audience, Position from) {
    std::vector<std::string> events;
    while (from < Position{.row = log->bounds().end}) {
      const EncodedPage page = Read(by, audience, from);
      v1::SubscribeResponse message;
      REQUIRE(message.ParseFromString(page.message.bytes()));
      REQUIRE(static_cast<size_t>(message.events_size()) == page.end.events);
      if (message.gap()) events.emplace_back("gap");
      for (const v1::Event& event : message.events()) {
        events.push_back(event.position() + " " + event.owner());
      }
      CHECK(message.next() == reader.Text(page.end.next));
      from = page.end.next;
    }
    return events;
  }
};

EventFilter OfOwner(const std::string& owner) {
  return *EventFilter::Make({}, platform::Onlooker(owner, {"default"}));
}

EventFilter OfAdmin(const v1::EventFilter& filter = {}) {
  return *EventFilter::Make(
      filter, platform::Onlooker("ann", {platform::kEveryNamespace}, platform::Sight::kAll));
}

const char* BytesOf(const EncodedPage& page) { return page.message.bytes().data(); }

TEST_CASE("Those who want the same at the same place are sent the same bytes") {
  Fixture f;
  f.log.Append("event", kMany);
  const AudienceId audience = f.audiences.Join(Wanting({"event"}));
  REQUIRE(f.audiences.Join(Wanting({"event"})) == audience);
  const EncodedPage first = f.Read(audience, {});
  f.log.Append("event", kMany);
  CHECK(BytesOf(f.Read(audience, {})) == BytesOf(first));
  CHECK(BytesOf(f.Read(audience, first.end.next)) == BytesOf(f.Read(audience, first.end.next)));
}

TEST_CASE("A page that is kept holds no more memory than it is counted with") {
  Fixture f;
  f.log.Append("event", kMany);
  const AudienceId audience = f.audiences.Join(Wanting({}));
  f.audiences.Join(Wanting({}));
  const EncodedPage page = f.Read(audience, {});
  CHECK(page.message.bytes().capacity() == page.message.bytes().size());
}

TEST_CASE("One alone is kept nothing for, nor are small pages") {
  Fixture f;
  f.log.Append("event", kMany);
  f.log.Append("small", 2);
  const AudienceId audience = f.audiences.Join(Wanting({"event"}));
  const EncodedPage first = f.Read(audience, {});
  CHECK(BytesOf(f.Read(audience, {})) != BytesOf(first));

  f.audiences.Join(Wanting({"event"}));
  const EncodedPage shared = f.Read(audience, {});
  CHECK(BytesOf(f.Read(audience, {})) == BytesOf(shared));
  f.audiences.Leave(audience);
  CHECK(BytesOf(f.Read(audience, {})) != BytesOf(shared));

  const AudienceId small = f.audiences.Join(Wanting({"small"}));
  f.audiences.Join(Wanting({"small"}));
  const EncodedPage page = f.Read(small, {});
  CHECK(page.end.events == 2);
  CHECK(BytesOf(f.Read(small, {})) != BytesOf(page));
}

TEST_CASE("Filters that differ in anything, or name tasks, make audiences of their own") {
  Fixture f;
  v1::EventFilter other;
  other.set_namespace_("other");
  v1::EventFilter prefix;
  prefix.add_types("task.*");
  v1::EventFilter type;
  type.add_types("task.");
  v1::EventFilter tasks;
  tasks.add_task_ids(std::string(platform::TaskId::Make(absl::UnixEpoch(), 0, 1, 0).bytes()));
  std::vector<AudienceId> ids;
  for (const EventFilter& filter :
       {OfAdmin(), OfAdmin(other), OfAdmin(prefix), OfAdmin(type), OfAdmin(tasks), OfAdmin(tasks),
        OfOwner("ann"), OfOwner("bob")}) {
    ids.push_back(f.audiences.Join(filter));
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    for (size_t j = 0; j < i; ++j) CHECK(ids[i] != ids[j]);
  }
}

TEST_CASE("A shared page shows nobody what is of others") {
  Fixture f;
  for (int i = 0; i < 5; ++i) {
    f.log.Append({MakeRun("event", kMany, "ann"), MakeRun("event", kMany, "bob")});
  }
  // Who read before at the same place saw more, or something else.
  const AudienceId everybody = f.audiences.Join(OfAdmin());
  REQUIRE(f.audiences.Join(OfAdmin()) == everybody);
  CHECK(f.ReadAll(f.audiences, everybody, {}).size() == 10 * kMany);
  for (const std::string owner : {"ann", "bob"}) {
    const AudienceId audience = f.audiences.Join(OfOwner(owner));
    REQUIRE(f.audiences.Join(OfOwner(owner)) == audience);
    for (int reader = 0; reader < 2; ++reader) {
      const std::vector<std::string> events = f.ReadAll(f.audiences, audience, {});
      CHECK(events.size() == 5 * kMany);
      for (const std::string& event : events) REQUIRE(event.ends_with(" " + owner));
    }
  }
}

TEST_CASE("What is shared is what one alone reads, from wherever each begins") {
  Fixture f;
  for (int i = 0; i < 12; ++i) {
    if (i == 6) f.log.Lose();
    f.log.Append({MakeRun("other", 7), MakeRun("event", 150 * (i % 4)), MakeRun("other", 2),
                  MakeRun("event", 300)});
  }
  const AudienceId audience = f.audiences.Join(Wanting({"event"}));
  f.audiences.Join(Wanting({"event"}));
  std::vector<Position> starts = {{}, {.row = 4}, {.row = 12, .index = 330}, {.row = 13}};
  for (uint32_t index = 1; index < 300; index += 37) starts.push_back({.row = 3, .index = index});
  for (const Position& start : starts) {
    AudienceReader single(f.reader, PageLimits());
    const AudienceId alone = single.Join(Wanting({"event"}));
    CHECK(f.ReadAll(f.audiences, audience, start) == f.ReadAll(single, alone, start));
  }
}

TEST_CASE("Who begins between two pages goes on with what others have read") {
  Fixture f;
  for (int i = 0; i < 4; ++i) f.log.Append("event", 1000);
  const AudienceId audience = f.audiences.Join(Wanting({}));
  f.audiences.Join(Wanting({}));
  const EncodedPage first = f.Read(audience, {});
  const EncodedPage second = f.Read(audience, first.end.next);
  const EncodedPage joining = f.Read(audience, {.row = 1, .index = 990});
  CHECK(joining.end.events == 10);
  CHECK(joining.end.next == first.end.next);
  CHECK(BytesOf(f.Read(audience, joining.end.next)) == BytesOf(second));
}

TEST_CASE("A gap is told at its place, once, also by a kept page") {
  Fixture f;
  f.log.Append("event", kMany);
  f.log.Lose();
  f.log.Append("event", kMany);
  const AudienceId audience = f.audiences.Join(Wanting({}));
  f.audiences.Join(Wanting({}));
  for (const uint32_t index : {0, 0, 100}) {
    const auto events = f.ReadAll(f.audiences, audience, {.row = 1, .index = index});
    REQUIRE(events.size() == 2 * kMany - index + 1);
    CHECK(events[kMany - index] == "gap");
    CHECK(std::ranges::count(events, "gap") == 1);
  }
}

TEST_CASE("A kept page outlives its events, and what has left behind it is a gap") {
  RecordEventLogOptions options;
  options.retention.max_bytes = 64'000;
  Fixture f(options);
  f.log.Append("event", kMany);
  const AudienceId audience = f.audiences.Join(Wanting({}));
  f.audiences.Join(Wanting({}));
  const EncodedPage kept = f.Read(audience, {});
  for (int i = 0; i < 40; ++i) f.log.Append("event", kMany);
  REQUIRE(f.log->bounds().first > 2);
  CHECK(BytesOf(f.Read(audience, {})) == BytesOf(kept));
  CHECK_FALSE(kept.end.gap);

  // Behind that page, and within it: before and after another of the audience was told.
  AudienceReader single(f.reader, PageLimits());
  const AudienceId alone = single.Join(Wanting({}));
  const auto rest = f.ReadAll(single, alone, kept.end.next);
  CHECK(rest.size() == (f.log->bounds().end - f.log->bounds().first) * kMany + 1);
  CHECK(rest.front() == "gap");
  for (const Position& from : {kept.end.next, kept.end.next, Position{.row = 1, .index = 390}}) {
    CHECK(f.ReadAll(f.audiences, audience, from) == rest);
  }
}

}  // namespace
}  // namespace kantoku::events
