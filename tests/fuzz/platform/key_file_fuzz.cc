// Any text is a file of MAC keys or refused by the number of a line; whatever is in it, rotating
// leaves a file that programs read, in which the key that signed before still verifies.
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "services/platform/auth/key_rotation.h"
#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr auto kPurpose = MacKeys::Purpose::kLease;

KeyRing Again(const KeyRing& ring) {
  const auto back = ParseKeyLines(FormatKeyLines(ring));
  KANTOKU_CHECK(back.ok() && back->size() == ring.size());
  for (size_t i = 0; i < ring.size(); ++i) {
    KANTOKU_CHECK((*back)[i].key.id == ring[i].key.id);
    KANTOKU_CHECK((*back)[i].key.secret == ring[i].key.secret);
    KANTOKU_CHECK((*back)[i].note == ring[i].note);
  }
  return *back;
}

std::unique_ptr<MacKeys> Keys(const KeyRing& ring) {
  auto keys = MacKeys::Make(KeysOf(ring));
  KANTOKU_CHECK(keys.ok());
  return *std::move(keys);
}

// Every step that is due, as time goes on.
void Rotate(KeyRing ring) {
  absl::Time now = kNow;
  for (int i = 0; i < 8; ++i, now += absl::Hours(1)) {
    const auto before = Keys(ring);
    const MacKeys::Code code = before->Sign(kPurpose, "m");
    const KeyStep step = DueStep(ring, kNow, absl::Hours(2), now);
    if (step == KeyStep::kAdd) {
      if (!AddKey(ring, std::string(32, 'n'), now).ok()) KANTOKU_CHECK(ring.size() == 256);
    }
    if (step == KeyStep::kUse) KANTOKU_CHECK(UseKey(ring, false, now).ok());
    if (step == KeyStep::kDrop) KANTOKU_CHECK(DropKey(ring, false, now).ok());
    ring = Again(ring);
    KANTOKU_CHECK(Keys(ring)->Verify(kPurpose, "m", code));
  }
}

void Check(const std::string& text) {
  const auto ring = ParseKeyLines(text);
  if (!ring.ok()) {
    KANTOKU_CHECK(absl::StartsWith(ring.status().message(), "line "));
    KANTOKU_CHECK(ring.status().message().size() < 100);
    return;
  }
  Again(*ring);
  if (MacKeys::Make(KeysOf(*ring)).ok()) Rotate(*ring);
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
