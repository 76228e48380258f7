#ifndef KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_

#include <array>
#include <cstdint>
#include <string_view>

#include "absl/time/time.h"

// Who and what there is in a simulated world.
namespace kantoku::simulation {

inline constexpr std::array<std::string_view, 2> kNamespaces = {"even", "odd"};
inline constexpr std::array<std::string_view, 2> kOwners = {"anna", "bert"};
inline constexpr std::array<std::string_view, 3> kTypes = {"cook", "wash", "sweep"};
inline constexpr uint32_t kMaxSessionCredit = 6;

// At most as long an interrupt lets handlers go on, and a cancel always less.
inline constexpr absl::Duration kLongestEscalation = absl::Seconds(10);

// Keys that tasks name, and what limits them.
inline constexpr std::array<std::string_view, 2> kOrderings = {"first", "second"};
inline constexpr std::array<std::string_view, 2> kShares = {"small", "large"};
// The nth lets n + 1 run at once.
inline constexpr std::array<std::string_view, 2> kLimits = {"one", "two"};
inline constexpr std::string_view kRate = "brisk";
inline constexpr uint32_t kRateTokens = 2;
inline constexpr uint32_t kRateSeconds = 1;
inline constexpr uint32_t kRateBurst = 3;

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_
