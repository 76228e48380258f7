#include "services/platform/auth/key_file.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

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

}  // namespace

absl::StatusOr<std::vector<MacKeys::Key>> ParseKeyLines(std::string_view text) {
  std::vector<MacKeys::Key> keys;
  int number = 0;
  for (absl::string_view line : absl::StrSplit(ToAbsl(text), '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty() || line.front() == '#') continue;
    KANTOKU_ASSIGN_OR_RETURN(MacKeys::Key key, ParseLine(line, number));
    keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace kantoku::platform
