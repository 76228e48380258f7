#ifndef KANTOKU_SERVICES_PLATFORM_PLANTED_H_
#define KANTOKU_SERVICES_PLATFORM_PLANTED_H_

#include <cstdint>
#include <string_view>
#include <type_traits>

// Bugs that a simulation plants into the code to see whether it would notice them:
//
//   if (KANTOKU_PLANTED("reply before commit")) Answer(absl::OkStatus());
//
// In the product this is a compile-time false, and nothing of it is left. Code that is compiled for
// a simulation, with KANTOKU_PLANTED_BUGS, has the bug in those threads that call Plant with its
// name (tests/simulation).
#ifdef KANTOKU_PLANTED_BUGS

namespace kantoku::platform {

constexpr uint64_t PlantedBugNumber(std::string_view name) {
  uint64_t hash = 0xCBF29CE484222325;
  for (const char c : name) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001B3;
  return name.empty() ? 0 : hash;
}

inline thread_local uint64_t planted_bug = 0;

// Into the calling thread, instead of the one before; none if empty.
inline void Plant(std::string_view name) { planted_bug = PlantedBugNumber(name); }

}  // namespace kantoku::platform

#define KANTOKU_PLANTED(name)          \
  (::kantoku::platform::planted_bug == \
   std::integral_constant<uint64_t, ::kantoku::platform::PlantedBugNumber(name)>::value)

#else

#define KANTOKU_PLANTED(name) false

#endif  // KANTOKU_PLANTED_BUGS

#endif  // KANTOKU_SERVICES_PLATFORM_PLANTED_H_
