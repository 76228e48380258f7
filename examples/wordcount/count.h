#ifndef KANTOKU_EXAMPLES_WORDCOUNT_COUNT_H_
#define KANTOKU_EXAMPLES_WORDCOUNT_COUNT_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace kantoku::examples {

struct Counts {
  uint64_t lines = 0;  // Line feeds.
  uint64_t words = 0;  // Runs of characters between white space.
  uint64_t bytes = 0;

  // "12 345 6789\n"
  std::string ToString() const;
};

// What `LC_ALL=C wc` of GNU coreutils 9.1 counts: a word begins with a printable ASCII character
// and ends with white space; other bytes neither begin nor end one.
Counts Count(std::string_view text);

}  // namespace kantoku::examples

#endif  // KANTOKU_EXAMPLES_WORDCOUNT_COUNT_H_
