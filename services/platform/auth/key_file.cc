#include "services/platform/auth/key_file.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

constexpr char kTimeFormat[] = "%Y-%m-%dT%H:%M:%SZ";

constexpr std::array<std::pair<KeyRole, absl::string_view>, 3> kRoleWords = {
    {{KeyRole::kNext, "next"}, {KeyRole::kSigns, "signs"}, {KeyRole::kRetired, "retired"}}};

absl::Status BadLine(int number, std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEY_FILE",
               absl::StrCat("line ", number, ": ", ToAbsl(why)));
}

absl::StatusOr<MacKeys::Key> ParseLine(absl::string_view line, int number) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(':', 1));
  uint32_t id = 0;
  if (!absl::StrContains(line, ':') || !absl::SimpleAtoi(parts.first, &id) || id > UINT8_MAX) {
    return BadLine(number, "does not begin with a key id from 0 to 255 and a colon");
  }
  const auto is_hex = [](char c) { return absl::ascii_isxdigit(static_cast<unsigned char>(c)); };
  if (parts.second.size() % 2 != 0 ||
      !std::all_of(parts.second.begin(), parts.second.end(), is_hex)) {
    return BadLine(number, "the secret is not hexadecimal");
  }
  return MacKeys::Key{static_cast<uint8_t>(id), absl::HexStringToBytes(parts.second)};
}

// A note and of which key it is; nothing of a remark.
std::optional<std::pair<uint32_t, KeyNote>> ParseNote(absl::string_view remark) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(remark.substr(1), ' ', absl::SkipEmpty());
  std::pair<uint32_t, KeyNote> note;
  if (words.size() != 3 || !absl::SimpleAtoi(words[0], &note.first)) return std::nullopt;
  const auto* const role = std::find_if(kRoleWords.begin(), kRoleWords.end(),
                                        [&](const auto& each) { return each.second == words[1]; });
  std::string error;
  if (role == kRoleWords.end() ||
      !absl::ParseTime(kTimeFormat, words[2], &note.second.since, &error)) {
    return std::nullopt;
  }
  note.second.role = role->first;
  return note;
}

std::string FormatNote(uint8_t id, const KeyNote& note) {
  const auto* const role = std::find_if(kRoleWords.begin(), kRoleWords.end(),
                                        [&](const auto& each) { return each.first == note.role; });
  return absl::StrCat("# ", id, " ", role->second, " ",
                      absl::FormatTime(kTimeFormat, note.since, absl::UTCTimeZone()), "\n");
}

}  // namespace

absl::StatusOr<KeyRing> ParseKeyLines(std::string_view text) {
  KeyRing ring;
  std::map<uint32_t, KeyNote> notes;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    if (line.front() == '#') {
      if (const auto note = ParseNote(line)) notes[note->first] = note->second;
      continue;
    }
    KANTOKU_ASSIGN_OR_RETURN(MacKeys::Key key, ParseLine(line, number));
    ring.push_back({.key = std::move(key)});
  }
  for (FiledKey& each : ring) {
    const auto note = notes.find(each.key.id);
    if (note == notes.end()) continue;
    const bool is_first = &each == &ring.front();
    if ((note->second.role == KeyRole::kSigns) == is_first) each.note = note->second;
  }
  return ring;
}

std::string FormatKeyLines(const KeyRing& ring) {
  std::string text;
  for (const FiledKey& each : ring) {
    if (each.note.has_value()) absl::StrAppend(&text, FormatNote(each.key.id, *each.note));
    absl::StrAppend(&text, each.key.id, ":", absl::BytesToHexString(each.key.secret), "\n");
  }
  return text;
}

absl::StatusOr<KeyRing> ReadKeyFile(const std::string& path) {
  KANTOKU_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kForOwnerAlone));
  auto ring = ParseKeyLines(text);
  if (!ring.ok()) return Annotate(ring.status(), path);
  return ring;
}

std::vector<MacKeys::Key> KeysOf(const KeyRing& ring) {
  std::vector<MacKeys::Key> keys;
  keys.reserve(ring.size());
  for (const FiledKey& each : ring) keys.push_back(each.key);
  return keys;
}

std::string RandomMacSecret() {
  std::array<unsigned char, 32> secret;
  KANTOKU_CHECK(RAND_bytes(secret.data(), secret.size()) == 1);
  return {reinterpret_cast<const char*>(secret.data()), secret.size()};
}

}  // namespace kantoku::platform
