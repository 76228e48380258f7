#include "services/platform/auth/key_rotation.h"

#include <catch2/catch.hpp>

#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'700'000'000);
constexpr absl::Duration kLifetime = absl::Hours(24);
constexpr absl::Duration kMoment = absl::Seconds(1);

FiledKey KeyOf(uint8_t id, std::optional<KeyNote> note = std::nullopt) {
  return {.key = {.id = id, .secret = std::string(32, 's')}, .note = note};
}

KeyStep Due(const KeyRing& ring, absl::Time now, absl::Time written = kNow) {
  return DueStep(ring, written, kLifetime, now);
}

std::string IdsOf(const KeyRing& ring) {
  std::string ids;
  for (const FiledKey& each : ring) ids += std::to_string(each.key.id) + " ";
  return ids;
}

TEST_CASE("A key signs for its lifetime, the next one is known for a minute before it signs") {
  KeyRing ring = {KeyOf(1, KeyNote{KeyRole::kSigns, kNow})};
  CHECK(Due(ring, kNow + kLifetime - kMoment) == KeyStep::kNone);
  absl::Time now = kNow + kLifetime;
  REQUIRE(Due(ring, now) == KeyStep::kAdd);
  CHECK(AddKey(ring, std::string(32, 'n'), now).value() == 2);
  CHECK(IdsOf(ring) == "1 2 ");
  CHECK(Due(ring, now + kKeySpread - kMoment) == KeyStep::kNone);
  now += kKeySpread;
  REQUIRE(Due(ring, now) == KeyStep::kUse);
  CHECK(UseKey(ring, false, now).value() == 2);
  CHECK(IdsOf(ring) == "2 1 ");
  CHECK(Due(ring, now + kKeyRetention - kMoment) == KeyStep::kNone);
  now += kKeyRetention;
  REQUIRE(Due(ring, now) == KeyStep::kDrop);
  CHECK(DropKey(ring, false, now).value() == 1);
  CHECK(IdsOf(ring) == "2 ");
  CHECK(Due(ring, now) == KeyStep::kNone);
  CHECK(Due(ring, kNow + kLifetime + kKeySpread + kLifetime) == KeyStep::kAdd);
}

TEST_CASE("A retired key outlives every token that has an end") {
  CHECK(kKeyRetention >= absl::Hours(1) + absl::Minutes(30));
}

TEST_CASE("A key without a note is as old as its file, and one behind it is left alone") {
  const KeyRing ring = {KeyOf(7), KeyOf(3)};
  CHECK(Due(ring, kNow + kLifetime - kMoment) == KeyStep::kNone);
  CHECK(Due(ring, kNow + kLifetime) == KeyStep::kAdd);
  KeyRing rotated = ring;
  REQUIRE(AddKey(rotated, std::string(32, 'n'), kNow).ok());
  REQUIRE(UseKey(rotated, true, kNow).ok());
  CHECK(IdsOf(rotated) == "8 7 3 ");
  CHECK(DropKey(rotated, true, kNow).value() == 7);
  CHECK(ReasonOf(DropKey(rotated, true, kNow).status()) == "NO_RETIRED_KEY");
  CHECK(Due(rotated, kNow + kKeyRetention) == KeyStep::kNone);
}

TEST_CASE("A step that is not due is refused, unless it is asked for at once") {
  KeyRing ring = {KeyOf(1, KeyNote{KeyRole::kSigns, kNow})};
  CHECK(ReasonOf(UseKey(ring, true, kNow).status()) == "NO_NEXT_KEY");
  CHECK(ReasonOf(DropKey(ring, true, kNow).status()) == "NO_RETIRED_KEY");
  REQUIRE(AddKey(ring, std::string(32, 'n'), kNow).ok());
  CHECK(ReasonOf(AddKey(ring, std::string(32, 'm'), kNow).status()) == "NEXT_KEY_EXISTS");
  const auto early = UseKey(ring, false, kNow + kKeySpread - kMoment);
  CHECK(ReasonOf(early.status()) == "KEY_TOO_NEW");
  CHECK_THAT(std::string(early.status().message()), Catch::EndsWith("wait for 1s"));
  CHECK(IdsOf(ring) == "1 2 ");
  REQUIRE(UseKey(ring, true, kNow).ok());
  CHECK(ReasonOf(DropKey(ring, false, kNow + kKeyRetention - kMoment).status()) == "KEY_IN_USE");
  CHECK(IdsOf(ring) == "2 1 ");
  CHECK(DropKey(ring, true, kNow).value() == 1);
}

TEST_CASE("Of several retired keys the oldest goes first, and ids go round") {
  KeyRing ring = {KeyOf(255, KeyNote{KeyRole::kSigns, kNow}),
                  KeyOf(254, KeyNote{KeyRole::kRetired, kNow - absl::Minutes(90)}),
                  KeyOf(0, KeyNote{KeyRole::kRetired, kNow - absl::Minutes(119)})};
  CHECK(AddKey(ring, std::string(32, 'n'), kNow).value() == 1);
  CHECK(DropKey(ring, true, kNow).value() == 0);
  CHECK(DropKey(ring, true, kNow).value() == 254);
}

TEST_CASE("A key file gives back keys and notes") {
  KeyRing ring = {KeyOf(2, KeyNote{KeyRole::kSigns, kNow}),
                  KeyOf(1, KeyNote{KeyRole::kRetired, kNow - kMoment}),
                  KeyOf(3, KeyNote{KeyRole::kNext, kNow + kMoment}), KeyOf(9)};
  const std::string text = FormatKeyLines(ring);
  CHECK(text.substr(0, text.find(':', 30)) == "# 2 signs 2023-11-14T22:13:20Z\n2");
  const auto back = ParseKeyLines("# a remark\n" + text);
  REQUIRE(back.ok());
  REQUIRE(back->size() == ring.size());
  for (size_t i = 0; i < ring.size(); ++i) {
    CHECK((*back)[i].key.id == ring[i].key.id);
    CHECK((*back)[i].key.secret == ring[i].key.secret);
    CHECK((*back)[i].note == ring[i].note);
  }
}

TEST_CASE("The place of a key decides, whatever a note says") {
  const std::string hex(64, 'a');
  const auto ring = ParseKeyLines(
      "# 1 signs 2023-11-14T22:13:20Z\n# 2 retired 2023-11-14T22:13:20Z\n"
      "# 5 next 2023-11-14T22:13:20Z\n# 3 next yesterday\n"
      "# 4 next 2023-11-14T22:13:20Z\n2:" +
      hex + "\n1:" + hex + "\n3:" + hex + "\n4:" + hex);
  REQUIRE(ring.ok());
  CHECK_FALSE(ring->at(0).note.has_value());
  CHECK_FALSE(ring->at(1).note.has_value());
  CHECK_FALSE(ring->at(2).note.has_value());
  CHECK(ring->at(3).note == KeyNote{KeyRole::kNext, kNow});
}

}  // namespace
}  // namespace kantoku::platform
