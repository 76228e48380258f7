#include "services/executor-runtime/text.h"

#include <cstdint>

namespace kantoku::executor {
namespace {

bool Continues(std::string_view text, size_t at) {
  return at < text.size() && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80;
}

// Length of the well-formed character that `text` begins with; 0 when there is none.
size_t CharacterLength(std::string_view text) {
  const auto first = static_cast<uint8_t>(text[0]);
  const auto second = static_cast<uint8_t>(text.size() > 1 ? text[1] : 0);
  if (first < 0x80) return 1;
  if (first < 0xC2) return 0;
  if (!Continues(text, 1)) return 0;
  if (first < 0xE0) return 2;
  if (!Continues(text, 2)) return 0;
  // Overlong forms and surrogates.
  if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F)) return 0;
  if (first < 0xF0) return 3;
  if (!Continues(text, 3)) return 0;
  if ((first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F)) return 0;
  return first < 0xF5 ? 4 : 0;
}

}  // namespace

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string CutUtf8(std::string_view text, size_t limit) {
  std::string cut;
  cut.reserve(text.size() < limit ? text.size() : limit);
  while (!text.empty()) {
    const size_t length = CharacterLength(text);
    const std::string_view character = length == 0 ? "?" : text.substr(0, length);
    if (cut.size() + character.size() > limit) break;
    cut += character;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return cut;
}

}  // namespace kantoku::executor
