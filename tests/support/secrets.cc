#include "tests/support/secrets.h"

#include <algorithm>
#include <cctype>

namespace kantoku::test {
namespace {

constexpr size_t kFewest = 8;         // Of what follows a prefix.
constexpr size_t kMacKeyDigits = 64;  // Hexadecimal.

bool IsBase64Url(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_';
}

template <typename Is>
size_t LengthOf(std::string_view text, Is is) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), is) - text.begin());
}

// A part of a token of at least kFewest, and a dot after it; moves behind both.
bool TakePart(std::string_view& text) {
  const size_t length = LengthOf(text, IsBase64Url);
  if (length < kFewest || length == text.size() || text[length] != '.') return false;
  text.remove_prefix(length + 1);
  return true;
}

bool IsAccessToken(std::string_view text) { return TakePart(text) && TakePart(text); }

bool IsSecretAfter(std::string_view prefix, std::string_view text) {
  text.remove_prefix(prefix.size());
  return LengthOf(text, IsBase64Url) >= kFewest;
}

bool IsMacKey(std::string_view text) {  // From its colon on.
  return LengthOf(text.substr(1), [](unsigned char c) { return std::isxdigit(c) != 0; }) >=
         kMacKeyDigits;
}

// Where `prefix` stands and what begins there `is` one; npos: nowhere.
template <typename Is>
size_t Find(std::string_view text, std::string_view prefix, Is is) {
  size_t at = text.find(prefix);
  while (at != std::string_view::npos && !is(text.substr(at))) at = text.find(prefix, at + 1);
  return at;
}

std::string Told(std::string_view what, std::string_view text, size_t at) {
  const auto end = text.begin() + static_cast<std::ptrdiff_t>(at);
  return std::string(what) + " in line " + std::to_string(1 + std::count(text.begin(), end, '\n'));
}

}  // namespace

std::string SecretIn(std::string_view text, bool may_have_join_strings) {
  constexpr auto kNowhere = std::string_view::npos;
  size_t at = Find(text, "eyJ", IsAccessToken);
  if (at != kNowhere) return Told("an access token", text, at);
  for (const std::string_view prefix : {"kantoku1.", "kantoku-task."}) {
    if (prefix == "kantoku1." && may_have_join_strings) continue;
    at = Find(text, prefix, [&](std::string_view rest) { return IsSecretAfter(prefix, rest); });
    if (at != kNowhere) return Told("a secret that begins with " + std::string(prefix), text, at);
  }
  at = text.find("PRIVATE KEY-----");
  if (at != kNowhere) return Told("a private key", text, at);
  at = Find(text, ":", IsMacKey);
  if (at != kNowhere) return Told("a MAC key", text, at);
  return {};
}

}  // namespace kantoku::test
