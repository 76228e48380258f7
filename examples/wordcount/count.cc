#include "examples/wordcount/count.h"

namespace kantoku::examples {

std::string Counts::ToString() const {
  return std::to_string(lines) + " " + std::to_string(words) + " " + std::to_string(bytes) + "\n";
}

Counts Count(std::string_view text) {
  Counts counts{.bytes = text.size()};
  bool in_word = false;
  for (const char c : text) {
    if (c == '\n') ++counts.lines;
    if (c == ' ' || (c >= '\t' && c <= '\r')) {
      in_word = false;
    } else if (c > ' ' && c <= '~' && !in_word) {
      in_word = true;
      ++counts.words;
    }
  }
  return counts;
}

}  // namespace kantoku::examples
