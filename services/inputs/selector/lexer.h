#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_LEXER_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_LEXER_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::inputs {

// Cuts a selector's text into its words, in one pass.
//
// Thread-compatible. The text outlives it.
class SelectorLexer {
 public:
  enum class Kind { kEnd, kWord, kString, kSymbol };
  struct Token {
    Kind kind = Kind::kEnd;
    size_t begin = 0;           // Where in the text.
    std::string_view spelling;  // As it stands there.
    std::string string;         // What a string says.

    bool Is(std::string_view symbol) const { return kind == Kind::kSymbol && spelling == symbol; }
  };

  explicit SelectorLexer(std::string_view text) : text_(text) {}

  // A word is a run of characters of names and numbers, whatever it is made of. A symbol is an
  // operator, a bracket, a comma, or a character that means nothing. Refuses what is no UTF-8, and
  // strings that do not end, hold what they may not or are too long.
  absl::StatusOr<Token> Next();

  // "column 8: " and the message.
  absl::Status Error(std::string_view reason, size_t at, std::string_view message) const;

 private:
  absl::StatusOr<Token> TakeString();
  // Of a string: the escaped character, or the next one.
  absl::StatusOr<std::string_view> TakeCharacter();
  Token Take(Kind kind, size_t length);

  std::string_view text_;
  size_t at_ = 0;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_LEXER_H_
