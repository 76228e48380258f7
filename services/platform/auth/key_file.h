#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/mac.h"

namespace kantoku::platform {

// The file that holds the MAC keys: `id:hex` lines, the signing key first; empty lines and lines
// that begin with # are skipped. Some of those are notes of whoever rotates the keys, what a key is
// and since when (key_rotation.h); readers that know of no notes take them for remarks:
//
//   # 2 signs 2026-11-29T17:36:54Z
//   2:5f3c…
//   # 1 retired 2026-11-29T17:36:54Z
//   1:90ab…

enum class KeyRole {
  kNext,     // Will sign, when every program has read it.
  kSigns,    // The first.
  kRetired,  // Signed what has not yet ended.
};

struct KeyNote {
  KeyRole role = KeyRole::kSigns;
  absl::Time since;  // In whole seconds.
  bool operator==(const KeyNote&) const = default;
};

struct FiledKey {
  MacKeys::Key key;
  std::optional<KeyNote> note;
};

// In the order of the file.
using KeyRing = std::vector<FiledKey>;

// INVALID_ARGUMENT names the line. The place of a key decides: a note that contradicts it, as when
// somebody has moved lines, is left out, and so is one of a key which is not there.
absl::StatusOr<KeyRing> ParseKeyLines(std::string_view text);
// The keys with their notes; other remarks are not in a ring.
std::string FormatKeyLines(const KeyRing& ring);

// Whoever reads the file, changes it and replaces it holds this one meanwhile (FileTurn).
inline std::string KeyLockOf(const std::string& path) { return path + ".lock"; }

// FAILED_PRECONDITION, FILE_EXPOSED when others can read the file; else as ReadWholeFile and
// ParseKeyLines.
absl::StatusOr<KeyRing> ReadKeyFile(const std::string& path);

std::vector<MacKeys::Key> KeysOf(const KeyRing& ring);

// Of the operating system's randomness.
std::string RandomMacSecret();

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_KEY_FILE_H_
