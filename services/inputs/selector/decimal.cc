#include "services/inputs/selector/decimal.h"

#include <algorithm>
#include <cstddef>

namespace kantoku::inputs {
namespace {

std::string_view TakeDigits(std::string_view& text) {
  const size_t count = std::min(text.find_first_not_of("0123456789"), text.size());
  const std::string_view digits = text.substr(0, count);
  text.remove_prefix(count);
  return digits;
}

}  // namespace

std::optional<Decimal> Decimal::Read(std::string_view text) {
  Decimal number;
  number.negative_ = text.starts_with('-');
  if (number.negative_) text.remove_prefix(1);
  number.whole_ = TakeDigits(text);
  if (number.whole_.empty()) return {};
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    number.fraction_ = TakeDigits(text);
    if (number.fraction_.empty()) return {};
  }
  if (!text.empty()) return {};
  number.whole_.remove_prefix(std::min(number.whole_.find_first_not_of('0'), number.whole_.size()));
  number.fraction_ = number.fraction_.substr(0, number.fraction_.find_last_not_of('0') + 1);
  if (number.whole_.empty() && number.fraction_.empty()) number.negative_ = false;
  return number;
}

std::strong_ordering Decimal::operator<=>(const Decimal& other) const {
  if (negative_ != other.negative_) {
    return negative_ ? std::strong_ordering::less : std::strong_ordering::greater;
  }
  return negative_ ? CompareMagnitudes(other, *this) : CompareMagnitudes(*this, other);
}

std::strong_ordering Decimal::CompareMagnitudes(const Decimal& a, const Decimal& b) {
  if (a.whole_.size() != b.whole_.size()) return a.whole_.size() <=> b.whole_.size();
  if (a.whole_ != b.whole_) return a.whole_ <=> b.whole_;
  return a.fraction_ <=> b.fraction_;
}

std::string Decimal::ToString() const {
  std::string text = negative_ ? "-" : "";
  text += whole_.empty() ? "0" : whole_;
  if (!fraction_.empty()) text.append(".").append(fraction_);
  return text;
}

}  // namespace kantoku::inputs
