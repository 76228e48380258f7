#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_SELECTOR_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_SELECTOR_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "services/inputs/selector/labels.h"

namespace kantoku::inputs {

// Bounds of a text. All hold for its canonical form as well, which therefore always parses.
inline constexpr size_t kMaxSelectorBytes = 4'096;
inline constexpr size_t kMaxSelectorDepth = 32;   // Parentheses within parentheses.
inline constexpr size_t kMaxSelectorTerms = 256;  // Strings, numbers and has(…), all counted.
// A line of WhyNot is cut here.
inline constexpr size_t kMaxWhyNotBytes = 256;

// Reasons (platform/status.h) of texts that are refused, all INVALID_ARGUMENT.
inline constexpr std::string_view kBadSelector = "BAD_SELECTOR";      // Does not parse.
inline constexpr std::string_view kSelectorLimit = "SELECTOR_LIMIT";  // Is beyond a limit above.

// A condition on labels: `gpu == "true" && mem_gib >= 16`.
//
//   selector   = all { "||" all } ;
//   all        = condition { "&&" condition } ;
//   condition  = comparison | { "!" } ( "(" selector ")" | "has" "(" name ")" ) ;
//   comparison = name ( "==" | "!=" ) string
//              | name "in" "(" string { "," string } ")"
//              | name ( "<" | "<=" | ">" | ">=" ) number ;
//   name       = ( letter | "_" ) { letter | digit | "_" | "." | "-" | "/" } ;
//   number     = [ "-" ] digit { digit } [ "." digit { digit } ] ;
//   string     = '"' { character | escape } '"' | "'" { character | escape } "'" ;
//   escape     = "\" ( "\" | '"' | "'" ) ;
//
// Letters and digits are those of ASCII; a character is one of UTF-8, but no control character and
// not the quote around it nor "\". Spaces, tabs and ends of lines may stand between any two of the
// above. `&&` binds tighter than `||`. No word is reserved: `in in ("has")` asks for a label `in`.
//
// What it means. Labels are texts, and every condition is true or false, never a third thing:
//   a == "x"   `a` is there and is byte for byte "x". "16" and "16.0" differ.
//   a != "x"   the opposite: also true when `a` is absent.
//   a in (…)   `a` is there and is one of these.
//   has(a)     `a` is there, be it empty.
//   a >= 16    `a` is there, reads as a number by the rule above, and compares so, as exactly as
//              both are written (decimal.h). A text that is no number is not 0: the condition is
//              false, for `<` as well as for `>=`.
//   !(…)       true exactly when … is false. So `!(a < 16)` is more than `a >= 16`: it is also true
//              when `a` is absent or no number.
//
// Immutable and cheap to copy: copies share what was parsed. Thread-safe. One that was moved from
// can only be assigned to or destroyed.
class Selector {
 public:
  // INVALID_ARGUMENT, BAD_SELECTOR or SELECTOR_LIMIT: "column 8: expected a number, found "16"".
  // Columns count characters from 1 at the beginning of the text, ends of lines like any other. A
  // caller puts the field's name in front (platform::Annotate). An empty text is refused: whoever
  // wants everything leaves the selector out. Takes time linear in the text, bounded by the limits.
  static absl::StatusOr<Selector> Parse(std::string_view text);

  // O(conditions × log labels), without allocation.
  bool Matches(const Labels& labels) const;

  // What keeps it from matching, in one line for people: `mem_gib is "8", wanted >= 16`. Of what
  // must hold together the first that does not, of alternatives several: `…; or …`. Empty when it
  // matches.
  std::string WhyNot(const Labels& labels) const;

  // One text for all spellings that differ in spaces, quotes, escapes, superfluous parentheses,
  // spelling of numbers, double negation, and order and repetition within `in`. It parses to the
  // same selector. The order of conditions is kept, so `a && b` is another selector than `b && a`.
  const std::string& canonical() const;

  // The labels that it looks at, sorted, each once.
  const std::vector<std::string>& names() const;

  friend bool operator==(const Selector& a, const Selector& b) {
    return a.canonical() == b.canonical();
  }
  template <typename H>
  friend H AbslHashValue(H h, const Selector& selector) {
    return H::combine(std::move(h), selector.canonical());
  }

 private:
  struct Compiled;
  explicit Selector(std::shared_ptr<const Compiled> compiled) : compiled_(std::move(compiled)) {}

  std::shared_ptr<const Compiled> compiled_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_SELECTOR_H_
