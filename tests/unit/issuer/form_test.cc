#include "services/issuer/form.h"

#include <catch2/catch.hpp>

#include "absl/strings/escaping.h"

namespace kantoku::issuer {
namespace {

using Fields = std::map<std::string, std::string>;

TEST_CASE("A form is its fields, decoded") {
  CHECK(ParseForm("a=1&b=x%2By+z&c=") == Fields{{"a", "1"}, {"b", "x+y z"}, {"c", ""}});
  CHECK(ParseForm("a=1=2") == Fields{{"a", "1=2"}});
  CHECK(ParseForm("")->empty());
}

TEST_CASE("A field that is there twice, or no field, spoils the form") {
  CHECK_FALSE(ParseForm("a=1&a=1").has_value());
  CHECK_FALSE(ParseForm("a=1&%61=1").has_value());
  CHECK_FALSE(ParseForm("a=%2").has_value());
  CHECK_FALSE(ParseForm("a=%zz").has_value());
}

TEST_CASE("A client shows its name and password, each encoded as in a form") {
  const auto shown = [](const std::string& text) {
    return ParseBasic("Basic " + absl::Base64Escape(text));
  };
  CHECK(shown("ab:c%3Ad") == std::pair<std::string, std::string>("ab", "c:d"));
  CHECK(ParseBasic("bASIC  " + absl::Base64Escape("ab:c")).has_value());
  CHECK_FALSE(shown("ab").has_value());
  CHECK_FALSE(shown("ab:%4").has_value());
  CHECK_FALSE(ParseBasic("Bearer " + absl::Base64Escape("ab:c")).has_value());
  CHECK_FALSE(ParseBasic("Basic ?").has_value());
  CHECK_FALSE(ParseBasic("").has_value());
}

}  // namespace
}  // namespace kantoku::issuer
