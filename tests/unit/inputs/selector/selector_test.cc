#include "services/inputs/selector/selector.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "tests/unit/inputs/selector/selector_cases.h"

namespace kantoku::inputs::testing {
namespace {

bool Matches(std::string_view selector, std::vector<Label> labels) {
  return Parsed(selector).Matches(Made(std::move(labels)));
}

std::string Canonical(std::string_view text) { return Parsed(text).canonical(); }

TEST_CASE("Equality compares the whole text of a label, byte for byte") {
  CHECK(Matches("gpu == \"true\"", {{"gpu", "true"}}));
  CHECK_FALSE(Matches("gpu == \"true\"", {{"gpu", "True"}}));
  CHECK_FALSE(Matches("gpu == \"true\"", {{"gpu", "true "}}));
  CHECK_FALSE(Matches("gpu == \"true\"", {{"Gpu", "true"}}));
  CHECK_FALSE(Matches("mem == \"16\"", {{"mem", "16.0"}}));
  CHECK(Matches("town == \"K\u00f6ln\"", {{"town", "K\u00f6ln"}}));
  CHECK(Matches(R"(path == "a\\b\"c'd")", {{"path", R"(a\b"c'd)"}}));
  CHECK(Matches(R"(path == 'a\\b"c\'d')", {{"path", R"(a\b"c'd)"}}));
}

TEST_CASE("A label that is absent equals nothing and differs from everything") {
  CHECK_FALSE(Matches("gpu == \"\"", {}));
  CHECK(Matches("gpu == \"\"", {{"gpu", ""}}));
  CHECK(Matches("gpu != \"true\"", {}));
  CHECK(Matches("gpu != \"true\"", {{"gpu", ""}}));
  CHECK_FALSE(Matches("gpu != \"true\"", {{"gpu", "true"}}));
  CHECK_FALSE(Matches("has(gpu) && gpu != \"true\"", {}));
}

TEST_CASE("A label is there when it is there, be it empty") {
  CHECK(Matches("has(gpu)", {{"gpu", ""}}));
  CHECK_FALSE(Matches("has(gpu)", {{"gpu2", "true"}}));
  CHECK(Matches("!has(gpu)", {}));
}

TEST_CASE("A list holds for each of its texts and for no other") {
  const std::string_view selector = "zone in (\"b\", 'a', \"a\")";
  CHECK(Matches(selector, {{"zone", "a"}}));
  CHECK(Matches(selector, {{"zone", "b"}}));
  CHECK_FALSE(Matches(selector, {{"zone", "c"}}));
  CHECK_FALSE(Matches(selector, {{"zone", ""}}));
  CHECK_FALSE(Matches(selector, {}));
  CHECK(Matches("!(zone in (\"a\", \"b\"))", {}));
}

TEST_CASE("Order compares numbers, exactly and by value") {
  for (const char* label : {"16", "016", "16.0", "-0", "15.999999999999999999999"}) {
    const bool is16 = std::string_view(label).find("16") != std::string_view::npos;
    INFO(label);
    CHECK(Matches("mem >= 16", {{"mem", label}}) == is16);
    CHECK(Matches("mem < 16.00", {{"mem", label}}) == !is16);
    CHECK(Matches("mem <= 16", {{"mem", label}}));
    CHECK_FALSE(Matches("mem > 16", {{"mem", label}}));
  }
  CHECK(Matches("mem > 9", {{"mem", "10"}}));
  CHECK(Matches("t > -10.5", {{"t", "-10"}}));
  CHECK(Matches("n > 9007199254740992", {{"n", "9007199254740993"}}));
}

TEST_CASE("No order holds for a label that is absent or no number, and its negation does") {
  for (const char* test : {"mem < 16", "mem <= 16", "mem > 16", "mem >= 16"}) {
    const std::string negated = "!(" + std::string(test) + ")";
    INFO(test);
    CHECK_FALSE(Matches(test, {}));
    CHECK(Matches(negated, {}));
    for (const char* label : {"", "lots", "16GiB", " 16", "1e1", "nan", "+1"}) {
      INFO(label);
      CHECK_FALSE(Matches(test, {{"mem", label}}));
      CHECK(Matches(negated, {{"mem", label}}));
    }
  }
}

TEST_CASE("Every condition or its negation holds, also where labels are absent") {
  for (const char* test :
       {"a == \"x\"", "a != \"x\"", "a in (\"x\", \"y\")", "has(a)", "a < 1", "a >= 1"}) {
    const std::string either = absl::StrCat("(", test, ") || !(", test, ")");
    const std::string both = absl::StrCat("(", test, ") && !(", test, ")");
    for (const auto& labels : std::vector<std::vector<Label>>{{}, {{"a", "x"}}, {{"a", "1"}}}) {
      INFO(test);
      CHECK(Matches(either, labels));
      CHECK_FALSE(Matches(both, labels));
    }
  }
}

TEST_CASE("And binds tighter than or, and parentheses and negation as they stand") {
  const std::string a = "a==\"1\"";
  const std::string b = "b==\"1\"";
  const std::string c = "c==\"1\"";
  CHECK(Matches(a + "||" + b + "&&" + c, {{"a", "1"}}));
  CHECK_FALSE(Matches("(" + a + "||" + b + ")&&" + c, {{"a", "1"}}));
  CHECK(Matches(a + "&&" + b + "||" + c, {{"c", "1"}}));
  CHECK_FALSE(Matches(a + "&&(" + b + "||" + c + ")", {{"c", "1"}}));
  CHECK(Matches("!(" + a + "&&" + b + ")", {{"a", "1"}}));
  CHECK_FALSE(Matches("!(" + a + "||" + b + ")", {{"a", "1"}}));
  CHECK(Matches("!(" + a + ")&&" + b, {{"b", "1"}}));
  CHECK_FALSE(Matches("!!(" + a + ")", {}));
  CHECK_FALSE(Matches("!!!has(a)", {{"a", "1"}}));
}

TEST_CASE("No word is reserved as a label's name") {
  CHECK(Matches("in in (\"has\") && has == \"in\" && has(has)", {{"in", "has"}, {"has", "in"}}));
  CHECK(Matches("true == \"false\"", {{"true", "false"}}));
}

TEST_CASE("Spelling does not show in the canonical form") {
  CHECK(Canonical("gpu=='true'&&mem_gib>=016.0") == "gpu == \"true\" && mem_gib >= 16");
  CHECK(Canonical("\t((\nhas ( gpu )\r ))  ") == "has(gpu)");
  CHECK(Canonical(R"(a == '\'\"\\"')") == R"(a == "'\"\\\"")");
  CHECK(Canonical("a < -0.0 || b > -01.50") == "a < 0 || b > -1.5");
  CHECK(Canonical("a in ('c', \"b\", 'c')") == R"(a in ("b", "c"))");
  CHECK(Canonical("a in ('c', \"c\")") == R"(a == "c")");
  CHECK(Canonical("!(a == 'c')") == R"(a != "c")");
  CHECK(Canonical("!(a != 'c')") == R"(a == "c")");
  CHECK(Canonical("!(a in ('c'))") == R"(a != "c")");
  CHECK(Canonical("!!!has(a)") == "!has(a)");
  CHECK(Canonical("!(!(a < 1 && b < 1))") == "a < 1 && b < 1");
  CHECK(Canonical("!!(a < 1) && !(!(b < 1 && c < 1))") == "a < 1 && b < 1 && c < 1");
}

TEST_CASE("Parentheses stay in the canonical form where they mean something, and only there") {
  CHECK(Canonical("((a<1&&b<1))&&(c<1&&(d<1))") == "a < 1 && b < 1 && c < 1 && d < 1");
  CHECK(Canonical("(a<1||b<1)||(c<1||d<1)") == "a < 1 || b < 1 || c < 1 || d < 1");
  CHECK(Canonical("(a<1&&b<1)||c<1") == "a < 1 && b < 1 || c < 1");
  CHECK(Canonical("a<1&&(b<1||c<1)") == "a < 1 && (b < 1 || c < 1)");
  CHECK(Canonical("(a<1||b<1)&&c<1") == "(a < 1 || b < 1) && c < 1");
  CHECK(Canonical("!(a<1&&b<1)&&c<1") == "!(a < 1 && b < 1) && c < 1");
  CHECK(Canonical("!(a<1||b<1)||c<1") == "!(a < 1 || b < 1) || c < 1");
  CHECK(Canonical("!(a<1)") == "!(a < 1)");
  CHECK(Canonical("!(a in ('x','y'))") == R"(!(a in ("x", "y")))");
}

TEST_CASE("Selectors are equal when their canonical forms are, and keep the order of conditions") {
  CHECK(Parsed("a=='1'") == Parsed("((a == \"1\"))"));
  CHECK(absl::HashOf(Parsed("a=='1'")) == absl::HashOf(Parsed("((a == \"1\"))")));
  CHECK_FALSE(Parsed("a<1 && b<1") == Parsed("b<1 && a<1"));
}

TEST_CASE("A selector names the labels that it looks at, each once and sorted") {
  const Selector selector = Parsed("zone != 'a' && (has(gpu) || mem > 1) && !has(zone)");
  CHECK(selector.names() == std::vector<std::string>{"gpu", "mem", "zone"});
}

TEST_CASE("A copy outlives the selector that it was made from") {
  auto original = std::make_unique<Selector>(Parsed("a in ('x', 'y')"));
  const Selector copy = *original;
  original.reset();
  CHECK(copy.Matches(Made({{"a", "y"}})));
  CHECK(copy.canonical() == R"(a in ("x", "y"))");
}

}  // namespace
}  // namespace kantoku::inputs::testing
