#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_PARSER_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_PARSER_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "services/inputs/selector/tree.h"

namespace kantoku::inputs {

// Reads the grammar of selector.h. Errors are those of Selector::Parse, but that the length of the
// canonical form is not looked at.
absl::StatusOr<SelectorTree> ParseSelectorTree(std::string_view text);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_PARSER_H_
