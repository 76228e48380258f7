#include "services/inputs/selector/excerpt.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {

std::string Excerpt(std::string_view text, size_t limit) {
  std::string excerpt;
  while (!text.empty()) {
    const size_t length = platform::Utf8CharacterBytes(text);
    const std::string_view character = text.substr(0, std::max<size_t>(length, 1));
    const bool shown = length != 0 && !platform::IsControlCharacter(character);
    const std::string piece =
        shown ? std::string(character)
              : absl::StrCat("\\x", absl::BytesToHexString(platform::ToAbsl(character)));
    if (excerpt.size() + piece.size() > limit) return excerpt + "…";
    excerpt += piece;
    text.remove_prefix(character.size());
  }
  return excerpt;
}

}  // namespace kantoku::inputs
