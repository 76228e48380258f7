#include "services/platform/audit/repeat_counter.h"

#include <catch2/catch.hpp>
#include <string>

namespace kantoku::platform {
namespace {

AuditEvent Refused(const std::string& user, const std::string& message = "why") {
  return {.type = "audit.refused", .details = {{"user", user}, {"message", message}}};
}

TEST_CASE("The first of each kind is said at once, and repeats once a minute with their number") {
  RepeatCounter counter({});
  const absl::Duration start = absl::Hours(1);
  const auto first = counter.Add(Refused("anna"), start);
  REQUIRE(first.has_value());
  CHECK(first->details == Refused("anna").details);
  CHECK(counter.Add(Refused("ben"), start).has_value());
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(counter.Add(Refused("anna", "another message"), start).has_value());
  }
  CHECK(counter.TakeDue(start + absl::Seconds(59)).empty());
  const auto due = counter.TakeDue(start + absl::Minutes(1));
  REQUIRE(due.size() == 1);
  CHECK(due[0].details == std::map<std::string, std::string>{{"user", "anna"}, {"count", "3"}});
}

TEST_CASE("What has not come for a minute is said at once again") {
  RepeatCounter counter({});
  const absl::Duration start = absl::Hours(1);
  CHECK(counter.Add(Refused("anna"), start).has_value());
  CHECK_FALSE(counter.Add(Refused("anna"), start).has_value());
  CHECK(counter.TakeDue(start + absl::Minutes(1)).size() == 1);
  CHECK_FALSE(counter.Add(Refused("anna"), start + absl::Seconds(61)).has_value());
  CHECK(counter.TakeDue(start + absl::Minutes(2)).size() == 1);
  CHECK(counter.TakeDue(start + absl::Minutes(3)).empty());
  CHECK(counter.Add(Refused("anna"), start + absl::Minutes(3)).has_value());
}

TEST_CASE("Kinds beyond the bound are one of each type, and those before keep their own") {
  RepeatCounter counter({.max_kinds = 2});
  const absl::Duration start = absl::Hours(1);
  CHECK(counter.Add(Refused("anna"), start).has_value());
  CHECK(counter.Add(Refused("ben"), start).has_value());
  const auto others = counter.Add(Refused("carl"), start);
  REQUIRE(others.has_value());
  CHECK(others->details == std::map<std::string, std::string>{{"reason", "OTHERS"}});
  for (int i = 0; i < 1'000; ++i) {
    CHECK_FALSE(counter.Add(Refused(std::to_string(i)), start).has_value());
  }
  CHECK_FALSE(counter.Add(Refused("anna"), start).has_value());
  const auto due = counter.TakeDue(start + absl::Minutes(1));
  REQUIRE(due.size() == 2);
  std::map<std::string, std::string> counts;
  for (const AuditEvent& event : due) {
    counts[event.details.contains("user") ? "anna" : "others"] = event.details.at("count");
  }
  CHECK(counts == std::map<std::string, std::string>{{"anna", "1"}, {"others", "1000"}});
}

TEST_CASE("At the end all that was counted is told, and nothing twice") {
  RepeatCounter counter({});
  CHECK(counter.Add(Refused("anna"), absl::Hours(1)).has_value());
  CHECK_FALSE(counter.Add(Refused("anna"), absl::Hours(1)).has_value());
  CHECK(counter.TakeAll().size() == 1);
  CHECK(counter.TakeAll().empty());
}

TEST_CASE("Details that only look alike when they are strung together are two kinds") {
  RepeatCounter counter({});
  CHECK(counter.Add({.type = "t", .details = {{"a", "1:b"}}}, absl::Hours(1)).has_value());
  CHECK(counter.Add({.type = "t", .details = {{"a1", ":b"}}}, absl::Hours(1)).has_value());
  CHECK(counter.Add({.type = "t", .name_space = "lab", .details = {{"a", "1:b"}}}, absl::Hours(1))
            .has_value());
}

}  // namespace
}  // namespace kantoku::platform
