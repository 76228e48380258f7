#include <string>

#include "services/platform/utf8.h"
#include "tests/unit/inputs/selector/selector_cases.h"

namespace kantoku::inputs::testing {
namespace {

std::string WhyNot(std::string_view selector, std::vector<Label> labels) {
  return Parsed(selector).WhyNot(Made(std::move(labels)));
}

TEST_CASE("What a label is and what was wanted are said of each kind of condition") {
  CHECK(WhyNot("gpu == 'true'", {}) == R"(gpu is absent, wanted == "true")");
  CHECK(WhyNot("gpu == 'true'", {{"gpu", "no"}}) == R"(gpu is "no", wanted == "true")");
  CHECK(WhyNot("gpu != 'true'", {{"gpu", "true"}}) == R"(gpu is "true", wanted != "true")");
  CHECK(WhyNot("mem_gib >= 16", {{"mem_gib", "8"}}) == R"(mem_gib is "8", wanted >= 16)");
  CHECK(WhyNot("mem > 016.0", {{"mem", "lots"}}) ==
        R"(mem is "lots", which is no number, wanted > 16)");
  CHECK(WhyNot("!(mem < 16)", {{"mem", "8"}}) == R"(mem is "8", wanted not < 16)");
  CHECK(WhyNot("mem <= 16", {}) == "mem is absent, wanted <= 16");
  CHECK(WhyNot("zone in ('b', 'a')", {{"zone", "c"}}) == R"(zone is "c", wanted in ("a", "b"))");
  CHECK(WhyNot("!(zone in ('b', 'a'))", {{"zone", "b"}}) ==
        R"(zone is "b", wanted not in ("a", "b"))");
  CHECK(WhyNot("has(gpu)", {}) == "gpu is absent, wanted any value");
  CHECK(WhyNot("!has(gpu)", {{"gpu", ""}}) == R"(gpu is "", wanted absent)");
}

TEST_CASE("A selector that matches has nothing to say") {
  CHECK(WhyNot("gpu == 'true' || has(mem)", {{"mem", "1"}}).empty());
}

TEST_CASE("Of what must hold together the first that fails is named") {
  CHECK(WhyNot("a < 1 && b < 1 && c < 1", {{"a", "0"}}) == "b is absent, wanted < 1");
  CHECK(WhyNot("!(a < 1 || b < 1)", {{"b", "0"}}) == R"(b is "0", wanted not < 1)");
}

TEST_CASE("Of alternatives all are named, the fourth and later ones by their number") {
  CHECK(WhyNot("a < 1 || b < 1", {{"b", "2"}}) ==
        R"(a is absent, wanted < 1; or b is "2", wanted < 1)");
  CHECK(WhyNot("!(has(a) && has(b))", {{"a", "1"}, {"b", "2"}}) ==
        R"(a is "1", wanted absent; or b is "2", wanted absent)");
  CHECK(WhyNot("has(a) || has(b) || has(c) || has(d) || has(e)", {}) ==
        "a is absent, wanted any value; or b is absent, wanted any value; "
        "or c is absent, wanted any value; or 2 more");
}

TEST_CASE("An alternative that holds is not named as a reason") {
  CHECK(WhyNot("(a < 1 || b < 1) && c < 1", {{"b", "0"}}) == "c is absent, wanted < 1");
  CHECK(WhyNot("(a < 1 && b < 1) || c < 1", {{"a", "0"}}) ==
        "b is absent, wanted < 1; or c is absent, wanted < 1");
}

TEST_CASE("A reason is one line of bounded length, whatever labels and selector hold") {
  const std::string value(kMaxLabelValueBytes, 'v');
  CHECK(WhyNot("a == 'x'", {{"a", value}}) ==
        "a is \"" + value.substr(0, 40) + "…\", wanted == \"x\"");
  std::string list = "a in ('\u20ac'";
  for (int i = 0; i < 200; ++i) list += ", '\u20ac" + std::to_string(i) + "'";
  const std::string line = WhyNot(list + ")", {});
  CHECK(line.size() <= kMaxWhyNotBytes + std::string_view("…").size());
  CHECK(line.size() > kMaxWhyNotBytes - 4);
  CHECK(line.ends_with("…"));
  CHECK(platform::IsUtf8(line));
}

}  // namespace
}  // namespace kantoku::inputs::testing
