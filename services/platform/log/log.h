#ifndef KANTOKU_SERVICES_PLATFORM_LOG_LOG_H_
#define KANTOKU_SERVICES_PLATFORM_LOG_LOG_H_

#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

enum class LogLevel { kDebug, kInfo, kWarn, kError };
enum class LogFormat { kAuto, kText, kJson };  // Auto: text on a terminal, JSON otherwise.

// A name and a value beside the message of a line, for machines: {"port", 6330}, {"task", id}.
struct LogField {
  LogField(std::string_view name, std::string_view text) : name(name), value(text) {}
  LogField(std::string_view name, const char* text) : name(name), value(text) {}
  LogField(std::string_view name, const std::string& text) : name(name), value(text) {}
  LogField(std::string_view name, const absl::Status& status)
      : name(name), value(ToStd(status.ToString(absl::StatusToStringMode::kWithNoExtraData))) {}
  LogField(std::string_view name, bool truth)
      : name(name), value(truth ? "true" : "false"), quoted(false) {}
  template <typename Number>
  requires std::integral<Number> || std::floating_point<Number> LogField(std::string_view name,
                                                                         Number number)
      : name(name), value(absl::StrCat(number)), quoted(std::floating_point<Number>) {}

  std::string_view name;  // A lower-case word of ours; static storage.
  std::string value;
  bool quoted = true;  // Numbers and truth values stand bare in JSON.
};

struct LogOptions {
  LogLevel level = LogLevel::kInfo;
  LogFormat format = LogFormat::kAuto;
};

// Sets where lines go (standard error) and how they look. Once, at the start of a program, before
// it has threads; until then lines of kInfo and above are written as text.
void SetUpLog(const LogOptions& options);

// Writes one line. `message` is for people and starts with the component: "inputs: session lost".
// Never payloads, tokens or keys. Thread-safe.
void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

// Whether lines of this level are written, for those that are expensive to make. Thread-safe.
bool LogEnabled(LogLevel level);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_LOG_LOG_H_
