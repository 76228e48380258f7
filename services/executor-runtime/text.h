#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_TEXT_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_TEXT_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "services/platform/utf8.h"

namespace kantoku::executor {

// One string field that is not UTF-8 makes a whole message unreadable, and with it the reports of
// other tasks. Whatever a handler says passes through here first.
using platform::IsUtf8;
// `text` with every byte that is no part of UTF-8 replaced by '?', cut to `limit` bytes between two
// characters.
std::string CutUtf8(std::string_view text, size_t limit);

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_TEXT_H_
