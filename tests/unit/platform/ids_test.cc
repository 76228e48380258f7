#include "services/platform/ids.h"

#include <catch2/catch.hpp>

#include "absl/container/flat_hash_set.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const absl::Time kWhen = absl::FromUnixMillis(1'700'000'000'123);

TEST_CASE("A UUID survives its text form") {
  const auto id = Uuid::Parse("018f2c3a-ABCD-7123-8456-00ff10203040");
  REQUIRE(id.ok());
  CHECK(id->ToString() == "018f2c3a-abcd-7123-8456-00ff10203040");
  CHECK(Uuid::FromBytes(id->bytes()).value() == *id);
}

TEST_CASE("Text that is no UUID is refused") {
  const auto* const text =
      GENERATE("", "018f2c3a", "018f2c3aabcd-7123-8456-00ff102030401",
               "018f2c3a-abcd-7123-8456-00ff1020304g", "018f2c3a-abcd-7123-8456-00ff102030401",
               "{18f2c3a-abcd-7123-8456-00ff10203040}");
  const auto id = Uuid::Parse(text);
  CHECK(id.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(id.status()) == "INVALID_ID");
}

TEST_CASE("Only sixteen bytes make a UUID") {
  CHECK(Uuid::FromBytes(std::string(15, 'x')).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Uuid::FromBytes(std::string(17, 'x')).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(Uuid::FromBytes(std::string(16, 'x')).ok());
}

TEST_CASE("A task id gives back what it was made of") {
  const uint64_t sequence = GENERATE(uint64_t{0}, uint64_t{1}, (uint64_t{1} << 44) - 1);
  const uint32_t slot = GENERATE(0u, 5u, 4095u);
  const auto id = TaskId::Make(kWhen, slot, sequence, ~uint64_t{0});
  CHECK(id.time() == kWhen);
  CHECK(id.slot() == slot);
  CHECK(id.sequence() == sequence);
  CHECK(id.key() == (uint64_t{slot} << 44 | sequence));
  CHECK(TaskId::FromBytes(id.bytes()).value() == id);
  CHECK(TaskId::Parse(id.ToString()).value() == id);
}

TEST_CASE("A task id is a UUID of version 7") {
  const auto text = TaskId::Make(kWhen, 4095, (uint64_t{1} << 44) - 1, 0).ToString();
  CHECK(text.substr(0, 18) == "018bcfe5-687b-7fff");
  CHECK((text[19] == '8' || text[19] == '9' || text[19] == 'a' || text[19] == 'b'));
}

TEST_CASE("A UUID of another version or variant is no task id") {
  const auto* const text =
      GENERATE("018f2c3a-abcd-4123-8456-00ff10203040", "018f2c3a-abcd-7123-c456-00ff10203040",
               "00000000-0000-0000-0000-000000000000");
  CHECK(TaskId::Parse(text).status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(TaskId::FromBytes(Uuid::Parse(text)->bytes()).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Task ids of equal time and sequence differ by their random bits") {
  absl::flat_hash_set<TaskId> ids;
  for (uint64_t random = 0; random < 100; ++random) ids.insert(TaskId::Make(kWhen, 1, 1, random));
  CHECK(ids.size() == 100);
}

TEST_CASE("Keys follow the order of spawning") {
  CHECK(TaskId::Make(kWhen, 1, 1, 9).key() < TaskId::Make(kWhen, 1, 2, 0).key());
  CHECK(TaskId::Make(kWhen, 1, 9, 0).key() < TaskId::Make(kWhen, 2, 0, 0).key());
}

TEST_CASE("An id is empty until it is given one") {
  CHECK(TaskId().empty());
  CHECK_FALSE(TaskId::Make(kWhen, 0, 0, 0).empty());
}

}  // namespace
}  // namespace kantoku::platform
