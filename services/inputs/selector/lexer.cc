#include "services/inputs/selector/lexer.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "services/inputs/selector/excerpt.h"
#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"
#include "services/platform/status.h"
#include "services/platform/utf8.h"

namespace kantoku::inputs {
namespace {

// Longer ones before their beginnings.
constexpr std::array<std::string_view, 6> kLongSymbols = {"==", "!=", "<=", ">=", "&&", "||"};

constexpr bool IsSpace(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// Characters before `at`; a byte that is part of none counts as one.
size_t CharactersBefore(std::string_view text, size_t at) {
  size_t count = 0;
  for (size_t i = 0; i < at; ++count) {
    i += std::max<size_t>(platform::Utf8CharacterBytes(text.substr(i)), 1);
  }
  return count;
}

}  // namespace

absl::Status SelectorLexer::Error(std::string_view reason, size_t at,
                                  std::string_view message) const {
  return platform::Error(
      absl::StatusCode::kInvalidArgument, reason,
      absl::StrCat("column ", CharactersBefore(text_, at) + 1, ": ", platform::ToAbsl(message)));
}

SelectorLexer::Token SelectorLexer::Take(Kind kind, size_t length) {
  Token token{.kind = kind, .begin = at_, .spelling = text_.substr(at_, length)};
  at_ += length;
  return token;
}

absl::StatusOr<SelectorLexer::Token> SelectorLexer::Next() {
  while (at_ < text_.size() && IsSpace(text_[at_])) ++at_;
  const std::string_view rest = text_.substr(at_);
  if (rest.empty()) return Take(Kind::kEnd, 0);
  if (rest[0] == '"' || rest[0] == '\'') return TakeString();
  const auto word_end = std::find_if_not(rest.begin(), rest.end(), IsLabelNameCharacter);
  if (word_end != rest.begin()) {
    return Take(Kind::kWord, static_cast<size_t>(word_end - rest.begin()));
  }
  for (const std::string_view symbol : kLongSymbols) {
    if (rest.starts_with(symbol)) return Take(Kind::kSymbol, symbol.size());
  }
  const size_t length = platform::Utf8CharacterBytes(rest);
  if (length == 0) {
    return Error(kBadSelector, at_,
                 absl::StrCat("expected UTF-8, found the byte ",
                              platform::ToAbsl(Excerpt(rest.substr(0, 1), 4))));
  }
  return Take(Kind::kSymbol, length);
}

absl::StatusOr<SelectorLexer::Token> SelectorLexer::TakeString() {
  const size_t begin = at_;
  const char quote = text_[at_++];
  std::string string;
  while (at_ < text_.size() && text_[at_] != quote) {
    std::string_view character;
    KANTOKU_ASSIGN_OR_RETURN(character, TakeCharacter());
    string += character;
  }
  if (at_ == text_.size()) {
    return Error(
        kBadSelector, begin,
        absl::StrCat("expected a string that ends with ", std::string(1, quote), ", found no end"));
  }
  ++at_;
  if (string.size() > kMaxLabelValueBytes) {
    return Error(kSelectorLimit, begin,
                 absl::StrCat(string.size(), " bytes of a string exceed the limit of ",
                              kMaxLabelValueBytes));
  }
  return Token{.kind = Kind::kString,
               .begin = begin,
               .spelling = text_.substr(begin, at_ - begin),
               .string = std::move(string)};
}

absl::StatusOr<std::string_view> SelectorLexer::TakeCharacter() {
  const size_t begin = at_;
  if (text_[at_] == '\\') {
    const std::string_view escaped = text_.substr(at_ + 1, 1);
    if (escaped != "\\" && escaped != "\"" && escaped != "'") {
      return Error(kBadSelector, begin,
                   absl::StrCat("expected \\\\ or \\\" or \\' in a string, found \\",
                                platform::ToAbsl(Excerpt(escaped, 4))));
    }
    at_ += 2;
    return escaped;
  }
  const size_t length = platform::Utf8CharacterBytes(text_.substr(at_));
  const std::string_view character = text_.substr(at_, std::max<size_t>(length, 1));
  if (length == 0 || platform::IsControlCharacter(character)) {
    return Error(kBadSelector, begin,
                 absl::StrCat("expected UTF-8 without control characters in a string, found ",
                              platform::ToAbsl(Excerpt(character, 8))));
  }
  at_ += length;
  return character;
}

}  // namespace kantoku::inputs
