#ifndef KANTOKU_TESTS_CHAOS_SOAK_DICE_H_
#define KANTOKU_TESTS_CHAOS_SOAK_DICE_H_

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace kantoku::soak {

// What is drawn at random, the same from equal seeds with every standard library.
//
// Thread-compatible.
class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}

  // From 0 to `count` - 1.
  uint64_t Below(uint64_t count) { return random_() % count; }
  bool OneIn(uint64_t count) { return Below(count) == 0; }
  int Between(int least, int most) {
    return least + static_cast<int>(Below(static_cast<uint64_t>(most - least) + 1));
  }
  absl::Duration Between(absl::Duration least, absl::Duration most) {
    const int64_t span = absl::ToInt64Milliseconds(most - least);
    return least + absl::Milliseconds(Below(static_cast<uint64_t>(span) + 1));
  }
  template <typename T>
  void Shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[Below(i)]);
  }

 private:
  std::mt19937_64 random_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_DICE_H_
