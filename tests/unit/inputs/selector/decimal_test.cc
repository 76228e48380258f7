#include "services/inputs/selector/decimal.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

namespace kantoku::inputs::testing {
namespace {

std::string Spelled(const std::string& text) {
  const auto number = Decimal::Read(text);
  return number.has_value() ? number->ToString() : "none";
}

TEST_CASE("A number has one shortest spelling, however it was written") {
  CHECK(Spelled("16") == "16");
  CHECK(Spelled("016") == "16");
  CHECK(Spelled("16.0") == "16");
  CHECK(Spelled("-0016.500") == "-16.5");
  CHECK(Spelled("0.25") == "0.25");
  CHECK(Spelled("00.250") == "0.25");
  CHECK(Spelled("0") == "0");
  CHECK(Spelled("-0") == "0");
  CHECK(Spelled("-0.00") == "0");
  CHECK(Spelled("100") == "100");
  CHECK(Spelled("10.01") == "10.01");
  CHECK(Spelled(std::string(200, '0') + "7") == "7");
}

TEST_CASE("What is not digits with one point between them is no number") {
  for (const char* text :
       {"",    "-",  "+1", ".5",    "5.",  "-.5",   "1.2.3", "1e3", "0x10",   "inf", "nan",
        "NaN", " 1", "1 ", "16GiB", "1,5", "1_000", "--1",   "1-",  "\u0661", "true"}) {
    INFO(text);
    CHECK_FALSE(Decimal::Read(text).has_value());
  }
  CHECK_FALSE(Decimal::Read(std::string_view("1\0", 2)).has_value());
}

TEST_CASE("Numbers compare exactly where floating point would round or overflow") {
  const std::vector<std::string> ascending = {"-1" + std::string(250, '0'),
                                              "-9007199254740993",
                                              "-9007199254740992",
                                              "-10",
                                              "-9.5",
                                              "-9",
                                              "-0.11",
                                              "-0.1",
                                              "0",
                                              "0.0000000000000000000000001",
                                              "0.1",
                                              "0.11",
                                              "0.5",
                                              "1",
                                              "9",
                                              "9.5",
                                              "10",
                                              "9007199254740992",
                                              "9007199254740993",
                                              "18446744073709551616",
                                              "18446744073709551616.5",
                                              "1" + std::string(250, '0'),
                                              "1" + std::string(249, '0') + "1"};
  for (size_t i = 0; i < ascending.size(); ++i) {
    for (size_t j = 0; j < ascending.size(); ++j) {
      INFO(ascending[i] << " and " << ascending[j]);
      CHECK((*Decimal::Read(ascending[i]) <=> *Decimal::Read(ascending[j])) == (i <=> j));
    }
  }
}

TEST_CASE("Small numbers compare as their hundredths do, in random spellings") {
  std::mt19937_64 random(1);
  const auto spell = [&](int hundredths) {
    std::string digits = std::to_string(std::abs(hundredths) + 1'000);  // At least 4 of them.
    digits[0] -= 1;
    const std::string zeros(random() % 3, '0');
    return (hundredths < 0 ? "-" : "") + zeros + digits.substr(0, digits.size() - 2) + "." +
           digits.substr(digits.size() - 2) + std::string(random() % 3, '0');
  };
  for (int i = 0; i < 20'000; ++i) {
    const int a = static_cast<int>(random() % 1'001) - 500;
    const int b = random() % 4 == 0 ? a : static_cast<int>(random() % 1'001) - 500;
    const std::string left = spell(a);
    const std::string right = spell(b);
    INFO(left << " and " << right);
    REQUIRE((*Decimal::Read(left) <=> *Decimal::Read(right)) == (a <=> b));
    REQUIRE((Spelled(left) == Spelled(right)) == (a == b));
  }
}

}  // namespace
}  // namespace kantoku::inputs::testing
