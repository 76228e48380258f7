#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <fstream>
#include <random>
#include <string>

#include "examples/wordcount/count.h"

namespace kantoku::examples {
namespace {

// What the real wc says of `text`.
std::string RealCount(const std::string& text) {
  char path[] = "/tmp/kantoku-wordcount-XXXXXX";
  close(mkstemp(path));
  std::ofstream(path) << text;
  FILE* const wc = popen((std::string("LC_ALL=C wc ") + path).c_str(), "r");
  unsigned long lines = 0;
  unsigned long words = 0;
  unsigned long bytes = 0;
  REQUIRE(fscanf(wc, "%lu %lu %lu", &lines, &words, &bytes) == 3);
  pclose(wc);
  std::remove(path);
  return Counts{lines, words, bytes}.ToString();
}

TEST_CASE("Words are counted as wc counts them") {
  const std::string text =
      GENERATE("", "one", "one\n", "\n\n", "  two\twords \r\n", "form\ffeed\vtab", "caf\xC3\xA9 au",
               "\xC3\xA9 \x01 \x7F", "a\x01z");
  CHECK(Count(text).ToString() == RealCount(text));
}

TEST_CASE("Random bytes are counted as wc counts them") {
  std::mt19937 random(7);
  for (int round = 0; round < 20; ++round) {
    std::string text(random() % 5000, '\0');
    for (char& c : text) c = static_cast<char>(random() % (round % 2 == 0 ? 256 : 48));
    CHECK(Count(text).ToString() == RealCount(text));
  }
}

}  // namespace
}  // namespace kantoku::examples
