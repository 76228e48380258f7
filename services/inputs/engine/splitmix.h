#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_SPLITMIX_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_SPLITMIX_H_

#include <cstdint>

namespace kantoku::inputs {

// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014): the number
// that follows `state`. Spreads well even where states are neighbours; not for secrets.
constexpr uint64_t SplitMix(uint64_t state) {
  uint64_t x = state + 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// As a fraction from 0 to below 1.
constexpr double SplitMixFraction(uint64_t state) {
  return static_cast<double>(SplitMix(state) >> 11) * 0x1.0p-53;
}

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_SPLITMIX_H_
