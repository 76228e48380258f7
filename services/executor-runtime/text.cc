#include "services/executor-runtime/text.h"

namespace kantoku::executor {

std::string CutUtf8(std::string_view text, size_t limit) {
  std::string cut;
  cut.reserve(text.size() < limit ? text.size() : limit);
  while (!text.empty()) {
    const size_t length = platform::Utf8CharacterBytes(text);
    const std::string_view character = length == 0 ? "?" : text.substr(0, length);
    if (cut.size() + character.size() > limit) break;
    cut += character;
    text.remove_prefix(length == 0 ? 1 : length);
  }
  return cut;
}

}  // namespace kantoku::executor
