// Words that were split, quoted again and joined, split into the same words; and whatever a handler
// says becomes UTF-8 that keeps what was UTF-8 before.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "services/executor-runtime/program_options.h"
#include "services/executor-runtime/text.h"
#include "services/platform/check.h"

namespace {

std::string Quoted(std::string_view word) {
  std::string quoted = "'";
  for (const char c : word) {
    if (c == '\'') {
      quoted += "'\\''";
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto words = kantoku::executor::SplitWords(text);
  if (words.ok()) {
    std::string again;
    for (const std::string& word : *words) again += Quoted(word) + " ";
    KANTOKU_CHECK(kantoku::executor::SplitWords(again).value() == *words);
  }
  const std::string cut = kantoku::executor::CutUtf8(text, 64);
  KANTOKU_CHECK(cut.size() <= 64 && kantoku::executor::IsUtf8(cut));
  if (kantoku::executor::IsUtf8(text)) KANTOKU_CHECK(text.substr(0, cut.size()) == cut);
  return 0;
}
