#include "services/inputs/selector/labels.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "services/platform/status.h"
#include "tests/unit/inputs/selector/selector_cases.h"

namespace kantoku::inputs::testing {
namespace {

struct Refusal {
  std::vector<Label> labels;
  std::string_view reason;
  std::string_view message;
};

void CheckRefused(const Refusal& refusal) {
  const auto made = Labels::Make(refusal.labels);
  INFO(refusal.message);
  REQUIRE(made.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(platform::ReasonOf(made.status()) == refusal.reason);
  CHECK(platform::ToStd(made.status().message()) == refusal.message);
}

TEST_CASE("Labels are found by name, in whatever order they were given") {
  const Labels labels = Made({{"zone", "b"}, {"Gpu", "no"}, {"gpu", "true"}, {"_a-b/c.d", ""}});
  REQUIRE(labels.size() == 4);
  CHECK(*labels.Find("gpu") == "true");
  CHECK(*labels.Find("Gpu") == "no");
  CHECK(labels.Find("_a-b/c.d")->empty());
  CHECK(labels.Find("gp") == nullptr);
  CHECK(labels.Find("zones") == nullptr);
  CHECK(labels.Find("") == nullptr);
  CHECK(Labels().Find("gpu") == nullptr);
}

TEST_CASE("Equal sets of labels are equal and hash alike, in whatever order they were given") {
  const Labels one = Made({{"a", "1"}, {"b", "2"}});
  const Labels other = Made({{"b", "2"}, {"a", "1"}});
  CHECK(one == other);
  CHECK(absl::HashOf(one) == absl::HashOf(other));
  CHECK_FALSE(one == Made({{"a", "1"}}));
  CHECK_FALSE(one == Made({{"a", "2"}, {"b", "1"}}));
}

TEST_CASE("A label that does not look like one is refused, with what is wrong") {
  const std::string rule =
      ": a name begins with a letter or _ and holds letters, digits and _ . - / only";
  for (const std::string name : {"", "1st", "-a", ".a", "/a", "a b", "a:b", "a=", "gr\u00fcn"}) {
    CheckRefused({{{name, "x"}}, "BAD_LABEL", absl::StrCat("label \"", name, "\"", rule)});
  }
  CheckRefused({{{std::string("a\0b", 3), ""}}, "BAD_LABEL", "label \"a\\x00b\"" + rule});
  CheckRefused({{{"a\xFF", ""}}, "BAD_LABEL", "label \"a\\xff\"" + rule});
  for (const auto& [value, shown] :
       std::vector<std::pair<std::string, std::string>>{{"\xC3", "\\xc3"},
                                                        {std::string("x\0", 2), "x\\x00"},
                                                        {"two\nlines", "two\\x0alines"},
                                                        {"\x7F", "\\x7f"},
                                                        {"\u0085", "\\xc285"}}) {
    CheckRefused(
        {{{"a", value}},
         "BAD_LABEL",
         "label \"a\": its value \"" + shown + "\" is no UTF-8 without control characters"});
  }
  CheckRefused({{{"a", "1"}, {"b", "2"}, {"a", "1"}}, "BAD_LABEL", "label \"a\": is there twice"});
}

TEST_CASE("A set of labels has as many as its limit allows, and not one more") {
  std::vector<Label> labels;
  for (size_t i = 0; i < kMaxLabels; ++i) labels.push_back({"name" + std::to_string(i), ""});
  CHECK(Labels::Make(labels).ok());
  labels.push_back({"one.more", ""});
  CheckRefused({labels, "LABEL_LIMIT", "65 labels exceed the limit of 64"});
  // Too many are not looked at one by one.
  CheckRefused({std::vector<Label>(10'000, {"bad name", "\xFF"}), "LABEL_LIMIT",
                "10000 labels exceed the limit of 64"});
}

TEST_CASE("Names and values of labels are as long as their limits allow, and not one byte more") {
  const std::string name(kMaxLabelNameBytes, 'n');
  const std::string value(kMaxLabelValueBytes, 'v');
  CHECK(Labels::Make({{name, value}}).ok());
  CheckRefused(
      {{{name + "n", ""}},
       "LABEL_LIMIT",
       "label \"" + name.substr(0, 40) + "…\": 129 bytes of its name exceed the limit of 128"});
  CheckRefused({{{"a", value + "v"}},
                "LABEL_LIMIT",
                "label \"a\": 257 bytes of its value exceed the limit of 256"});
}

}  // namespace
}  // namespace kantoku::inputs::testing
