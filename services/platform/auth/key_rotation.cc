#include "services/platform/auth/key_rotation.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

bool Is(const FiledKey& each, KeyRole role) {
  return each.note.has_value() && each.note->role == role;
}

// The key of that role which has had it for longest, or the end.
template <typename Ring>
auto OldestOf(Ring& ring, KeyRole role) {
  auto oldest = ring.end();
  for (auto each = ring.begin(); each != ring.end(); ++each) {
    if (!Is(*each, role)) continue;
    if (oldest == ring.end() || each->note->since < oldest->note->since) oldest = each;
  }
  return oldest;
}

absl::Status Refused(std::string_view reason, std::string_view why) {
  return Error(absl::StatusCode::kFailedPrecondition, reason, why);
}

// What the file can say.
absl::Time WholeSeconds(absl::Time time) {
  return absl::FromUnixSeconds(absl::ToUnixSeconds(time));
}

}  // namespace

KeyStep DueStep(const KeyRing& ring, absl::Time written, absl::Duration lifetime, absl::Time now) {
  const auto next = OldestOf(ring, KeyRole::kNext);
  if (next != ring.end()) {
    if (now - next->note->since >= kKeySpread) return KeyStep::kUse;
  } else {
    const auto& note = ring.front().note;
    if (now - (note.has_value() ? note->since : written) >= lifetime) return KeyStep::kAdd;
  }
  const auto retired = OldestOf(ring, KeyRole::kRetired);
  const bool is_over = retired != ring.end() && now - retired->note->since >= kKeyRetention;
  return is_over ? KeyStep::kDrop : KeyStep::kNone;
}

absl::StatusOr<uint8_t> AddKey(KeyRing& ring, std::string secret, absl::Time now) {
  if (OldestOf(ring, KeyRole::kNext) != ring.end()) {
    return Refused("NEXT_KEY_EXISTS", "there is a next key already, which has to be used first");
  }
  const auto is_used = [&](uint8_t id) {
    return std::any_of(ring.begin(), ring.end(),
                       [id](const FiledKey& each) { return each.key.id == id; });
  };
  if (ring.size() > UINT8_MAX) return Refused("KEY_IDS_USED", "there are 256 keys; drop some");
  uint8_t id = ring.empty() ? 1 : static_cast<uint8_t>(ring.front().key.id + 1);
  while (is_used(id)) ++id;
  ring.push_back({.key = {.id = id, .secret = std::move(secret)},
                  .note = KeyNote{KeyRole::kNext, WholeSeconds(now)}});
  return id;
}

absl::StatusOr<uint8_t> UseKey(KeyRing& ring, bool at_once, absl::Time now) {
  const auto next = OldestOf(ring, KeyRole::kNext);
  if (next == ring.end()) return Refused("NO_NEXT_KEY", "there is no next key; add one first");
  const absl::Duration left = next->note->since + kKeySpread - now;
  if (!at_once && left > absl::ZeroDuration()) {
    return Refused(
        "KEY_TOO_NEW",
        absl::StrCat("key ", next->key.id, " is not known to every program yet; wait for ",
                     absl::FormatDuration(absl::Ceil(left, absl::Seconds(1)))));
  }
  const absl::Time since = WholeSeconds(now);
  ring.front().note = KeyNote{KeyRole::kRetired, since};
  next->note = KeyNote{KeyRole::kSigns, since};
  std::rotate(ring.begin(), next, next + 1);
  return ring.front().key.id;
}

absl::StatusOr<uint8_t> DropKey(KeyRing& ring, bool at_once, absl::Time now) {
  const auto retired = OldestOf(ring, KeyRole::kRetired);
  if (retired == ring.end()) return Refused("NO_RETIRED_KEY", "there is no retired key");
  const absl::Duration left = retired->note->since + kKeyRetention - now;
  if (!at_once && left > absl::ZeroDuration()) {
    return Refused(
        "KEY_IN_USE",
        absl::StrCat("key ", retired->key.id, " verifies tokens that have not ended; wait for ",
                     absl::FormatDuration(absl::Ceil(left, absl::Seconds(1)))));
  }
  const uint8_t id = retired->key.id;
  ring.erase(retired);
  return id;
}

}  // namespace kantoku::platform
