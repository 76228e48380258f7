#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_DECIMAL_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_DECIMAL_H_

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace kantoku::inputs {

// A decimal number, as exact as it is written: nothing is rounded, nothing overflows, and no locale
// has a say. Two that are equal compare equal however they are spelled ("16", "016", "16.0").
//
// A view: good for as long as the text that it was read from.
class Decimal {
 public:
  // Reads `-`, if there is one, digits, and then, if there is a point, more digits. nullopt for
  // all else, so for "", "+1", ".5", "5.", "1e3", "0x10", "inf", " 1" and "16GiB".
  static std::optional<Decimal> Read(std::string_view text);

  std::strong_ordering operator<=>(const Decimal& other) const;
  bool operator==(const Decimal& other) const { return std::is_eq(*this <=> other); }

  // The shortest spelling, one for all that are equal.
  std::string ToString() const;

 private:
  static std::strong_ordering CompareMagnitudes(const Decimal& a, const Decimal& b);

  bool negative_ = false;
  std::string_view whole_;     // Without zeros in front; so empty below 1.
  std::string_view fraction_;  // Without zeros at its end.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_DECIMAL_H_
