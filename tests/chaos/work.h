#ifndef KANTOKU_TESTS_CHAOS_WORK_H_
#define KANTOKU_TESTS_CHAOS_WORK_H_

#include <string>
#include <string_view>

#include "absl/time/time.h"

namespace kantoku::test {

// What the tasks of these tests are: known to the program that runs them, the program that spawns
// them, and the test that checks them.
inline constexpr char kWorkType[] = "chaos.work";

inline std::string PayloadOf(int index) { return "task " + std::to_string(index); }
inline std::string ResultOf(std::string_view payload) { return "done: " + std::string(payload); }
// How long a handler takes over it: 1 to 50 ms, always the same for the same payload.
inline absl::Duration WorkOf(std::string_view payload) {
  uint64_t hash = 14'695'981'039'346'656'037U;
  for (const char c : payload) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1'099'511'628'211U;
  }
  return absl::Microseconds(1'000 + (hash >> 20) % 49'000);
}

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_WORK_H_
