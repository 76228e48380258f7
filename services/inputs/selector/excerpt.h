#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_EXCERPT_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_EXCERPT_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace kantoku::inputs {

// `text` for a message: what is no UTF-8 or a control character as `\x0a`, and of a long text its
// beginning, at most `limit` bytes, with `…` behind.
std::string Excerpt(std::string_view text, size_t limit);

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_EXCERPT_H_
