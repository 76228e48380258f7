#include "services/issuer/form.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "services/platform/status.h"

namespace kantoku::issuer {
namespace {

constexpr absl::string_view kScheme = "basic ";

std::optional<std::string> Decode(absl::string_view text) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const absl::string_view digits = text.substr(i + 1, 2);
    const auto is_digit = [](char c) {
      return absl::ascii_isxdigit(static_cast<unsigned char>(c));
    };
    if (digits.size() != 2 || !is_digit(digits[0]) || !is_digit(digits[1])) return std::nullopt;
    decoded += absl::HexStringToBytes(digits);
    i += 2;
  }
  return decoded;
}

}  // namespace

std::optional<std::map<std::string, std::string>> ParseForm(std::string_view body) {
  std::map<std::string, std::string> fields;
  for (const absl::string_view part : absl::StrSplit(platform::ToAbsl(body), '&')) {
    if (part.empty()) continue;
    const std::pair<absl::string_view, absl::string_view> halves =
        absl::StrSplit(part, absl::MaxSplits('=', 1));
    auto name = Decode(halves.first);
    auto value = Decode(halves.second);
    if (!name.has_value() || !value.has_value()) return std::nullopt;
    if (!fields.emplace(*std::move(name), *std::move(value)).second) return std::nullopt;
  }
  return fields;
}

std::optional<std::pair<std::string, std::string>> ParseBasic(std::string_view authorization) {
  absl::string_view shown = platform::ToAbsl(authorization);
  std::string text;
  if (!absl::StartsWithIgnoreCase(shown, kScheme)) return std::nullopt;
  shown.remove_prefix(kScheme.size());
  if (!absl::Base64Unescape(absl::StripAsciiWhitespace(shown), &text)) return std::nullopt;
  const size_t colon = text.find(':');
  if (colon == std::string::npos) return std::nullopt;
  auto name = Decode(absl::string_view(text).substr(0, colon));
  auto password = Decode(absl::string_view(text).substr(colon + 1));
  if (!name.has_value() || !password.has_value()) return std::nullopt;
  return std::pair(*std::move(name), *std::move(password));
}

}  // namespace kantoku::issuer
