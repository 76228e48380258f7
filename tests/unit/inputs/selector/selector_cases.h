#ifndef KANTOKU_TESTS_UNIT_INPUTS_SELECTOR_SELECTOR_CASES_H_
#define KANTOKU_TESTS_UNIT_INPUTS_SELECTOR_SELECTOR_CASES_H_

#include <catch2/catch.hpp>
#include <string_view>
#include <utility>
#include <vector>

#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"

namespace kantoku::inputs::testing {

inline Selector Parsed(std::string_view text) {
  auto selector = Selector::Parse(text);
  INFO(text);
  INFO(selector.status().ToString());
  REQUIRE(selector.ok());
  return *std::move(selector);
}

inline Labels Made(std::vector<Label> labels) {
  auto made = Labels::Make(std::move(labels));
  INFO(made.status().ToString());
  REQUIRE(made.ok());
  return *std::move(made);
}

}  // namespace kantoku::inputs::testing

#endif  // KANTOKU_TESTS_UNIT_INPUTS_SELECTOR_SELECTOR_CASES_H_
