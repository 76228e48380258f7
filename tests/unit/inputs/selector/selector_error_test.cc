#include <string>

#include "services/platform/status.h"
#include "tests/unit/inputs/selector/selector_cases.h"

namespace kantoku::inputs::testing {
namespace {

void CheckRefused(std::string_view text, std::string_view reason, std::string_view message) {
  const auto selector = Selector::Parse(text);
  INFO(text.substr(0, 200));
  REQUIRE(selector.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(platform::ReasonOf(selector.status()) == reason);
  CHECK(platform::ToStd(selector.status().message()) == message);
}

std::string Repeated(size_t times, std::string_view text) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

// `a < 1` joined by &&, so that there are `terms` numbers.
std::string Chain(size_t terms) { return Repeated(terms - 1, "a<1&&") + "a<1"; }

TEST_CASE("A text that does not parse is refused with the column, what was expected and found") {
  const std::string condition = "expected a label's name, has(…), ! or (, found ";
  const std::string order = "expected ==, !=, <, <=, >, >= or in, found ";
  const std::string more = "expected &&, || or the end, found ";
  struct Case {
    std::string text;
    std::string message;
  };
  const Case cases[] = {
      {"", "column 1: " + condition + "the end"},
      {" \n ", "column 4: " + condition + "the end"},
      {"\"gpu\" == gpu", "column 1: " + condition + "\"gpu\""},
      {"16 < mem", "column 1: " + condition + "16"},
      {"-a == 'x'", "column 1: " + condition + "-a"},
      {"== 'x'", "column 1: " + condition + "=="},
      {"()", "column 2: " + condition + ")"},
      {"a<1 &&", "column 7: " + condition + "the end"},
      {"a<1 && && b<1", "column 8: " + condition + "&&"},
      {"gpu", "column 4: " + order + "the end"},
      {"gpu && mem", "column 5: " + order + "&&"},
      {"gpu = 'true'", "column 5: " + order + "="},
      {"a === 'x'", "column 5: expected a string in quotes, found ="},
      {"a not in ('x')", "column 3: " + order + "not"},
      {"a has ('x')", "column 3: " + order + "has"},
      {"a < b < c", "column 5: expected a number, found b"},
      {"gpu == true", "column 8: expected a string in quotes, found true"},
      {"mem == 16", "column 8: expected a string in quotes, found 16"},
      {"mem >= \"16\"", "column 8: expected a number, found \"16\""},
      {"mem >= 16GiB", "column 8: expected a number, found 16GiB"},
      {"mem >= 1e3", "column 8: expected a number, found 1e3"},
      {"mem >= .5", "column 8: expected a number, found .5"},
      {"mem >= +5", "column 8: expected a number, found +"},
      {"mem >= - 5", "column 8: expected a number, found -"},
      {"mem >=", "column 7: expected a number, found the end"},
      {"mem => 5", "column 5: " + order + "="},
      {"a < 1 b < 1", "column 7: " + more + "b"},
      {"a < 1 & b < 1", "column 7: " + more + "&"},
      {"a < 1 and b < 1", "column 7: " + more + "and"},
      {"a < 1, b < 1", "column 6: " + more + ","},
      {"a < 1)", "column 6: " + more + ")"},
      {"(a < 1", "column 7: expected &&, || or ), found the end"},
      {"(a < 1]", "column 7: expected &&, || or ), found ]"},
      {"!a == 'x'", "column 2: expected ( or has(…) after !, found a"},
      {"!", "column 2: expected ( or has(…) after !, found the end"},
      {"!!'x'", "column 3: expected ( or has(…) after !, found 'x'"},
      {"a in 'x'", "column 6: expected (, found 'x'"},
      {"a in ()", "column 7: expected a string in quotes, found )"},
      {"a in ('x',)", "column 11: expected a string in quotes, found )"},
      {"a in ('x' 'y')", "column 11: expected , or ), found 'y'"},
      {"a in (1)", "column 7: expected a string in quotes, found 1"},
      {"has()", "column 5: expected a label's name, found )"},
      {"has('a')", "column 5: expected a label's name, found 'a'"},
      {"has(a, b)", "column 6: expected ), found ,"},
      {"has gpu", "column 5: " + order + "gpu"},
      {"a == 'x", "column 6: expected a string that ends with ', found no end"},
      {"a == \"x'", "column 6: expected a string that ends with \", found no end"},
      {"a == 'x\\'", "column 6: expected a string that ends with ', found no end"},
      {"a == '\\n'", "column 7: expected \\\\ or \\\" or \\' in a string, found \\n"},
      {"a == '\\", "column 7: expected \\\\ or \\\" or \\' in a string, found \\"},
      {"a # b", "column 3: " + order + "#"},
      {"a < 1 # why", "column 7: " + more + "#"},
  };
  for (const Case& bad : cases) CheckRefused(bad.text, "BAD_SELECTOR", bad.message);
}

TEST_CASE("Columns count characters, not bytes") {
  CheckRefused("a == '\u00e9\u20ac\U0001f600' && 1", "BAD_SELECTOR",
               "column 15: expected a label's name, has(…), ! or (, found 1");
  CheckRefused("gr\u00fcn < 1", "BAD_SELECTOR",
               "column 3: expected ==, !=, <, <=, >, >= or in, found \u00fc");
}

TEST_CASE("Bytes that are no text are refused where they are, and shown as numbers") {
  const std::string in_string =
      "column 7: expected UTF-8 without control characters in a string, found ";
  CheckRefused("a == '\xFF'", "BAD_SELECTOR", in_string + "\\xff");
  CheckRefused("a == '\xE2\x82'", "BAD_SELECTOR", in_string + "\\xe2");
  CheckRefused("a == '\xED\xA0\x80'", "BAD_SELECTOR", in_string + "\\xed");
  CheckRefused("a == '\n'", "BAD_SELECTOR", in_string + "\\x0a");
  CheckRefused("a == '\u009f'", "BAD_SELECTOR", in_string + "\\xc29f");
  CheckRefused(std::string_view("a == '\0'", 8), "BAD_SELECTOR", in_string + "\\x00");
  CheckRefused(std::string_view("a == 'x'\0", 9), "BAD_SELECTOR",
               "column 9: expected &&, || or the end, found \\x00");
  CheckRefused("a < 1 \xFF", "BAD_SELECTOR", "column 7: expected UTF-8, found the byte \\xff");
  CheckRefused("\xFF\xFE", "BAD_SELECTOR", "column 1: expected UTF-8, found the byte \\xff");
  CheckRefused("a == '\\\xC3\xA9'", "BAD_SELECTOR",
               "column 7: expected \\\\ or \\\" or \\' in a string, found \\\\xc3");
}

TEST_CASE("What was found is shown in part when it is long") {
  CheckRefused("a < 1 " + std::string(100, 'b'), "BAD_SELECTOR",
               "column 7: expected &&, || or the end, found " + std::string(32, 'b') + "…");
}

TEST_CASE("A text has as many bytes as its limit allows, and not one more") {
  const std::string text = "a<1" + std::string(kMaxSelectorBytes - 3, ' ');
  CHECK(Parsed(text).canonical() == "a < 1");
  CheckRefused(text + " ", "SELECTOR_LIMIT", "4097 bytes exceed the limit of 4096");
  CheckRefused(std::string(size_t{1} << 20, '('), "SELECTOR_LIMIT",
               "1048576 bytes exceed the limit of 4096");
}

TEST_CASE("A canonical form that would be longer than a text may be is refused") {
  // Each quote gets a backslash, and grows to twice its length.
  const auto text = [](size_t quotes) {
    std::string list = "a in (";
    for (char c = 'A'; c <= 'K'; ++c)
      list += "'" + std::string(1, c) + std::string(180, '"') + "',";
    return list + "'" + std::string(quotes, '"') + "')";
  };
  const size_t fits = 36;
  const std::string canonical = Parsed(text(fits)).canonical();
  CHECK(canonical.size() == kMaxSelectorBytes);
  CHECK(Parsed(canonical).canonical() == canonical);
  CheckRefused(text(fits + 1), "SELECTOR_LIMIT",
               "4098 bytes of its canonical form exceed the limit of 4096");
}

TEST_CASE("Parentheses nest as deep as their limit allows, and not one deeper") {
  const auto nested = [](size_t depth) {
    return Repeated(depth, "(b<1||") + "a<1" + std::string(depth, ')');
  };
  CHECK(Parsed(nested(kMaxSelectorDepth)).names().size() == 2);
  CheckRefused(nested(kMaxSelectorDepth + 1), "SELECTOR_LIMIT",
               "column 193: parentheses nest deeper than the limit of 32");
  CheckRefused(std::string(kMaxSelectorBytes, '('), "SELECTOR_LIMIT",
               "column 33: parentheses nest deeper than the limit of 32");
  CHECK(Parsed(Repeated(100, "(a<1)||") + "a<1").names().size() == 1);
}

TEST_CASE("Exclamation marks are as many as the text's length allows, and nest nothing") {
  CHECK(Parsed(std::string(kMaxSelectorBytes - 6, '!') + "has(a)").canonical() == "has(a)");
  CHECK(Parsed(std::string(kMaxSelectorBytes - 7, '!') + "has(a)").canonical() == "!has(a)");
  CheckRefused(std::string(kMaxSelectorBytes, '!'), "BAD_SELECTOR",
               "column 4097: expected ( or has(…) after !, found the end");
}

TEST_CASE("Strings, numbers and has are as many as their limit allows, and not one more") {
  const std::string message = "strings, numbers and has(…) exceed the limit of 256";
  CHECK(Parsed(Chain(kMaxSelectorTerms)).names().size() == 1);
  CheckRefused(Chain(kMaxSelectorTerms + 1), "SELECTOR_LIMIT", "column 1283: " + message);
  const std::string list = "a in ('x'" + Repeated(kMaxSelectorTerms - 1, ",'x'");
  CHECK(Parsed(list + ")").canonical() == "a == \"x\"");
  CheckRefused(list + ",'x')", "SELECTOR_LIMIT", "column 1031: " + message);
  CheckRefused(list + ")&&b!='x'", "SELECTOR_LIMIT", "column 1036: " + message);
  CheckRefused(list + ")&&has(b)", "SELECTOR_LIMIT", "column 1036: " + message);
}

TEST_CASE("Names, strings and numbers are as long as those of labels, and not one byte longer") {
  const std::string name(kMaxLabelNameBytes, 'n');
  const std::string value(kMaxLabelValueBytes, 'v');
  const std::string number(kMaxLabelValueBytes, '7');
  CHECK(Parsed(name + "<1&&has(" + name + ")").names().size() == 1);
  CheckRefused(name + "n<1", "SELECTOR_LIMIT",
               "column 1: 129 bytes of a label's name exceed the limit of 128");
  CheckRefused("has(" + name + "n)", "SELECTOR_LIMIT",
               "column 5: 129 bytes of a label's name exceed the limit of 128");
  CHECK(Parsed("a=='" + value + "'").Matches(Made({{"a", value}})));
  CheckRefused("a=='" + value + "v'", "SELECTOR_LIMIT",
               "column 4: 257 bytes of a string exceed the limit of 256");
  CHECK(Parsed("a<=" + number).Matches(Made({{"a", number}})));
  CheckRefused("a<=" + number + "7", "SELECTOR_LIMIT",
               "column 4: 257 bytes of a number exceed the limit of 256");
}

}  // namespace
}  // namespace kantoku::inputs::testing
