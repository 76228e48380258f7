#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_PLACEMENT_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_PLACEMENT_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"

namespace kantoku::inputs {

// Labels that the server gives every session, from what it knows of it. Hello may not set them.
inline constexpr std::string_view kExecutorLabel = "executor";  // Its name.
inline constexpr std::string_view kAppLabel = "app";            // Client id that connected it.
inline constexpr std::string_view kOwnerLabel = "owner";        // Subject that connected it.
inline constexpr std::string_view kVersionLabel = "version";    // Of its program.
inline constexpr std::array kBuiltInLabels = {kExecutorLabel, kAppLabel, kOwnerLabel,
                                              kVersionLabel};

// Built-in labels that a session must have exactly so. Empty: whatever it is.
struct Pins {
  std::string executor;
  std::string app;
  std::string owner;

  bool empty() const { return executor.empty() && app.empty() && owner.empty(); }
  bool operator==(const Pins&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Pins& pins) {
    return H::combine(std::move(h), pins.executor, pins.app, pins.owner);
  }
};

// Where a task may run: its executor must have the pins, and match the selector if there is one.
struct Placement {
  std::optional<Selector> selector;
  Pins pins;

  bool empty() const { return !selector.has_value() && pins.empty(); }
  bool operator==(const Placement&) const = default;
  template <typename H>
  friend H AbslHashValue(H h, const Placement& placement) {
    if (placement.selector.has_value()) h = H::combine(std::move(h), *placement.selector);
    return H::combine(std::move(h), placement.pins);
  }
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_PLACEMENT_H_
