#ifndef KANTOKU_SERVICES_PLATFORM_LOG_LOG_FORMATTER_H_
#define KANTOKU_SERVICES_PLATFORM_LOG_LOG_FORMATTER_H_

#include <span>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "services/platform/log/log.h"

namespace kantoku::platform {

struct LogLine {
  absl::Time time;
  LogLevel level;
  std::string_view message;
  std::span<const LogField> fields;
};

// One line each, with its line break; whatever `line` holds, there is exactly one, at the end.
// Bytes that are no UTF-8 become U+FFFD, control characters are escaped.
std::string FormatJson(const LogLine& line);
std::string FormatText(const LogLine& line);

// `text` as a JSON string with its quotes.
std::string JsonQuoted(std::string_view text);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_LOG_LOG_FORMATTER_H_
