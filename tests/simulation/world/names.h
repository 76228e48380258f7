#ifndef KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "services/platform/identity/viewer.h"
#include "services/platform/ids.h"

// Who and what there is in a simulated world.
namespace kantoku::simulation {

inline constexpr std::array<std::string_view, 2> kNamespaces = {"even", "odd"};
inline constexpr std::array<std::string_view, 2> kOwners = {"anna", "bert"};

// Who sees the tasks of this owner.
inline platform::Viewer EyesOf(std::string_view owner) {
  return platform::Viewer(platform::Onlooker(std::string(owner), {platform::kEveryNamespace}));
}
inline constexpr std::array<std::string_view, 3> kTypes = {"cook", "wash", "sweep"};
inline constexpr uint32_t kMaxSessionCredit = 6;

// At most as long an interrupt lets handlers go on, and a cancel always less.
inline constexpr absl::Duration kLongestEscalation = absl::Seconds(10);

// Keys that tasks name, and what limits them.
inline constexpr std::array<std::string_view, 2> kOrderings = {"first", "second"};
inline constexpr std::array<std::string_view, 2> kShares = {"small", "large"};
inline constexpr std::array<uint32_t, 2> kShareWeights = {1, 4};
// The nth lets n + 1 run at once.
inline constexpr std::array<std::string_view, 2> kLimits = {"one", "two"};
inline constexpr std::string_view kRate = "brisk";
inline constexpr uint32_t kRateTokens = 2;
inline constexpr uint32_t kRateSeconds = 1;
inline constexpr uint32_t kRateBurst = 3;

// Of a namespace so many tasks may live, and of one of its types.
inline constexpr std::array<uint64_t, 2> kNamespaceQuotas = {45, 60};
inline constexpr uint64_t kTypeQuota = 25;  // Of the first type.

// What handlers give out tells whose it is.
inline std::string ItemText(const platform::TaskId& task, uint32_t dispatch, uint64_t sequence) {
  return absl::StrCat(task.ToString(), " ", dispatch, " ", sequence);
}
inline std::string ResultText(const platform::TaskId& task, uint64_t items) {
  return absl::StrCat(task.ToString(), " done after ", items);
}
inline std::string CheckpointText(const platform::SessionId& session, uint64_t number,
                                  uint64_t items) {
  return absl::StrCat(session.ToString(), " came to ", number, " after ", items);
}
// Whom a handler's task token names says for which dispatch it was minted.
inline std::string HandlerName(uint32_t dispatch) { return absl::StrCat("handler ", dispatch); }
// Where a task may run, as in places.h, is told by its payload too.
inline std::string PayloadText(uint64_t number, size_t place) {
  return absl::StrCat("payload ", number, " at ", place);
}
inline size_t PlaceOf(std::string_view payload) {
  return static_cast<size_t>(payload.back() - '0');
}
// How many items came before such a checkpoint; of a lie none.
inline uint64_t ItemsBefore(std::string_view checkpoint) {
  uint64_t items = 0;
  const std::string number(checkpoint.substr(checkpoint.rfind(' ') + 1));
  return absl::SimpleAtoi(number, &items) ? items : 0;
}

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_NAMES_H_
