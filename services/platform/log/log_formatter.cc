#include "services/platform/log/log_formatter.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kantoku::platform {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD in UTF-8.

std::string_view NameOf(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarn:
      return "warn";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

// How many bytes a UTF-8 sequence that begins with `lead` has; 0 when none begins so.
size_t SequenceSize(uint8_t lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return 2;
  if (lead >= 0xE0 && lead <= 0xEF) return 3;
  if (lead >= 0xF0 && lead <= 0xF4) return 4;
  return 0;
}

// Overlong forms, surrogates and what lies beyond U+10FFFF show in the second byte.
bool SecondByteFits(uint8_t lead, uint8_t second) {
  const uint8_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const uint8_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  return second >= low && second <= high;
}

// Size of the well-formed character at the front of `text`; 0 when there is none.
size_t CharacterSize(std::string_view text) {
  const auto byte = [&text](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t size = SequenceSize(byte(0));
  if (size == 0 || size > text.size()) return 0;
  if (size > 1 && !SecondByteFits(byte(0), byte(1))) return 0;
  for (size_t i = 2; i < size; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  return size;
}

void AppendEscaped(char character, std::string& out) {
  switch (character) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      absl::StrAppendFormat(&out, "\\u%04x", static_cast<uint8_t>(character));
  }
}

bool IsControl(char character) {
  return static_cast<uint8_t>(character) < 0x20 || character == 0x7F;
}

// `escapes` are escaped beside the control characters.
void AppendSafe(std::string_view text, std::string_view escapes, std::string& out) {
  while (!text.empty()) {
    size_t size = CharacterSize(text);
    if (size == 0) {
      out += kReplacement;
      size = 1;
    } else if (IsControl(text[0]) || escapes.find(text[0]) != std::string_view::npos) {
      AppendEscaped(text[0], out);
    } else {
      out += text.substr(0, size);
    }
    text.remove_prefix(size);
  }
}

bool NeedsQuotes(const LogField& field) {
  return field.quoted &&
         (field.value.empty() || field.value.find_first_of(" =\"") != std::string::npos);
}

}  // namespace

std::string JsonQuoted(std::string_view text) {
  std::string out = "\"";
  AppendSafe(text, "\"\\", out);
  out += '"';
  return out;
}

std::string FormatJson(const LogLine& line) {
  std::string out = absl::StrCat(
      R"({"time":")", absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", line.time, absl::UTCTimeZone()),
      R"(","level":")", ToAbsl(NameOf(line.level)), R"(","message":)", JsonQuoted(line.message));
  for (const LogField& field : line.fields) {
    absl::StrAppend(&out, ",", JsonQuoted(field.name), ":",
                    field.quoted ? JsonQuoted(field.value) : field.value);
  }
  out += "}\n";
  return out;
}

std::string FormatText(const LogLine& line) {
  std::string out =
      absl::StrCat(absl::FormatTime("%Y-%m-%d %H:%M:%E3S", line.time, absl::LocalTimeZone()),
                   absl::StrFormat(" %-5s ", ToAbsl(NameOf(line.level))));
  AppendSafe(line.message, "", out);
  for (const LogField& field : line.fields) {
    absl::StrAppend(&out, " ", ToAbsl(field.name), "=");
    if (NeedsQuotes(field)) {
      out += JsonQuoted(field.value);
    } else {
      AppendSafe(field.value, "", out);
    }
  }
  out += '\n';
  return out;
}

}  // namespace kantoku::platform
