#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/inputs/selector/selector_cases.h"

// Random selectors against a model that shares nothing with the code: it evaluates what was made
// up, never a text, and looks numbers up instead of reading them.
namespace kantoku::inputs::testing {
namespace {

using Random = std::mt19937_64;

template <typename T, size_t n>
const T& OneOf(Random& random, const std::array<T, n>& all) {
  return all[random() % n];
}

const std::array<std::string, 5> kNames = {"gpu", "mem_gib", "a-b/c.d", "in", "has"};
const std::array<std::string, 8> kTexts = {"true", "false",    "",   "16",
                                           "16.0", "a\"b'c\\", "é€", "-3"};

// Spellings, in ascending order of what they mean.
const std::array<std::array<std::string, 3>, 5> kNumbers = {{{"-30", "-30.0", "-0030"},
                                                             {"-3", "-03", "-3.00"},
                                                             {"0", "-0", "000.0"},
                                                             {"2.5", "02.50", "2.500"},
                                                             {"16", "016", "16.0"}}};

using Map = std::map<std::string, std::string>;

// Which of kNumbers; nothing for a text that is none of them.
std::optional<size_t> RankOf(const std::string& text) {
  for (size_t rank = 0; rank < kNumbers.size(); ++rank) {
    if (std::count(kNumbers[rank].begin(), kNumbers[rank].end(), text) > 0) return rank;
  }
  return {};
}

struct Condition {
  enum Kind { kAnd, kOr, kNot, kHas, kEqual, kDiffers, kIn, kLess, kAtMost, kMore, kAtLeast };
  Kind kind = kHas;
  std::string name;
  std::vector<std::string> texts;  // Each once.
  size_t rank = 0;
  std::vector<Condition> children;
};

Condition MakeUp(Random& random, int depth) {
  Condition made{.name = OneOf(random, kNames)};
  if (depth > 0 && random() % 4 != 0) {
    made.kind = static_cast<Condition::Kind>(random() % 3);
    const size_t children = made.kind == Condition::kNot ? 1 : 2 + random() % 2;
    for (size_t i = 0; i < children; ++i) made.children.push_back(MakeUp(random, depth - 1));
    return made;
  }
  made.kind = static_cast<Condition::Kind>(Condition::kHas + random() % 8);
  made.rank = random() % kNumbers.size();
  const size_t texts = made.kind == Condition::kIn ? 1 + random() % 3 : 1;
  for (size_t i = 0; i < texts; ++i) {
    const std::string& text = OneOf(random, kTexts);
    if (std::count(made.texts.begin(), made.texts.end(), text) == 0) made.texts.push_back(text);
  }
  return made;
}

bool Holds(const Condition& condition, const Map& labels) {
  const auto holds = [&](const Condition& child) { return Holds(child, labels); };
  const auto& children = condition.children;
  const auto label = labels.find(condition.name);
  const bool there = label != labels.end();
  const auto rank = there ? RankOf(label->second) : std::nullopt;
  switch (condition.kind) {
    case Condition::kAnd:
      return std::all_of(children.begin(), children.end(), holds);
    case Condition::kOr:
      return std::any_of(children.begin(), children.end(), holds);
    case Condition::kNot:
      return !holds(children[0]);
    case Condition::kHas:
      return there;
    case Condition::kDiffers:
      return !there || label->second != condition.texts[0];
    case Condition::kEqual:
    case Condition::kIn:
      return there && std::count(condition.texts.begin(), condition.texts.end(), label->second) > 0;
    case Condition::kLess:
      return rank.has_value() && *rank < condition.rank;
    case Condition::kAtMost:
      return rank.has_value() && *rank <= condition.rank;
    case Condition::kMore:
      return rank.has_value() && *rank > condition.rank;
    case Condition::kAtLeast:
      return rank.has_value() && *rank >= condition.rank;
  }
  return false;
}

// Writes a condition in one of its many spellings.
class Speller {
 public:
  explicit Speller(Random& random) : random_(random) {}

  // Needs parentheses around it before && and after !, where it stands for itself.
  std::string Spell(const Condition& condition) {
    switch (condition.kind) {
      case Condition::kAnd:
        return Chain(condition, "&&");
      case Condition::kOr:
        return Chain(condition, "||");
      case Condition::kNot: {
        const Condition& child = condition.children[0];
        const bool bare = child.kind == Condition::kHas && Chance();
        return Space() + (Rarely() ? "!!!" : "!") + Space() +
               (bare ? Spell(child) : Enclosed(child));
      }
      case Condition::kHas:
        return Space() + "has" + Space() + "(" + Space() + condition.name + Space() + ")" + Space();
      case Condition::kEqual:
        return Rarely() ? "!(" + Comparison(condition, "!=") + ")" : Comparison(condition, "==");
      case Condition::kDiffers:
        return Rarely() ? "!(" + Comparison(condition, "==") + ")" : Comparison(condition, "!=");
      case Condition::kIn:
        return Space() + condition.name + " " + Space() + "in" + List(condition.texts);
      case Condition::kLess:
        return Order(condition, "<");
      case Condition::kAtMost:
        return Order(condition, "<=");
      case Condition::kMore:
        return Order(condition, ">");
      case Condition::kAtLeast:
        return Order(condition, ">=");
    }
    return "";
  }

 private:
  bool Chance() { return random_() % 2 == 0; }
  bool Rarely() { return random_() % 4 == 0; }
  std::string Space() {
    static const std::array<std::string, 6> kSpaces = {"", "", "", " ", "\t", "\n \r"};
    return OneOf(random_, kSpaces);
  }
  std::string Enclosed(const Condition& condition) {
    const std::string inner = Spell(condition);
    return Space() + "(" + (Rarely() ? "((" + inner + "))" : inner) + ")" + Space();
  }
  std::string Member(const Condition& condition, std::string_view symbol) {
    const bool loose = condition.kind == Condition::kOr && symbol == "&&";
    return loose || Rarely() ? Enclosed(condition) : Spell(condition);
  }
  std::string Chain(const Condition& condition, const std::string& symbol) {
    const auto& children = condition.children;
    std::string text = Member(children[0], symbol);
    if (children.size() == 3 && Chance()) {
      return text + symbol + Space() + "(" + Member(children[1], symbol) + symbol +
             Member(children[2], symbol) + ")";
    }
    for (size_t i = 1; i < children.size(); ++i) text += symbol + Member(children[i], symbol);
    return text;
  }
  std::string Comparison(const Condition& condition, const std::string& sign) {
    return Space() + condition.name + Space() + sign + Space() + Quoted(condition.texts[0]) +
           Space();
  }
  std::string Order(const Condition& condition, const std::string& sign) {
    return Space() + condition.name + Space() + sign + Space() +
           OneOf(random_, kNumbers[condition.rank]) + Space();
  }
  std::string List(std::vector<std::string> texts) {
    std::shuffle(texts.begin(), texts.end(), random_);
    if (Rarely()) texts.push_back(texts[0]);
    std::string list;
    for (const std::string& text : texts) {
      list += (list.empty() ? Space() + "(" : ",") + Space() + Quoted(text) + Space();
    }
    return list + ")";
  }
  std::string Quoted(const std::string& text) {
    const char quote = Chance() ? '"' : '\'';
    std::string quoted(1, quote);
    for (const char c : text) {
      const bool other = (c == '"' || c == '\'') && c != quote;
      if (c == '\\' || c == quote || (other && Chance())) quoted += '\\';
      quoted += c;
    }
    return quoted + quote;
  }

  Random& random_;
};

Map RandomLabels(Random& random) {
  Map labels;
  for (const std::string& name : kNames) {
    switch (random() % 4) {
      case 0:
        break;
      case 1:
        labels[name] = OneOf(random, kTexts);
        break;
      default:
        labels[name] = OneOf(random, OneOf(random, kNumbers));
    }
  }
  return labels;
}

Labels LabelsOf(const Map& map) {
  std::vector<Label> labels;
  for (const auto& [name, value] : map) labels.push_back({name, value});
  return Made(std::move(labels));
}

TEST_CASE("Random selectors match what a model says, in whatever way they are spelled") {
  Random random(20261128);
  int matches = 0;
  for (int i = 0; i < 4'000; ++i) {
    const Condition condition = MakeUp(random, static_cast<int>(random() % 4));
    const std::string text = Speller(random).Spell(condition);
    const std::string other_text = Speller(random).Spell(condition);
    INFO("selector " << i << ": " << text);
    const Selector selector = Parsed(text);
    const Selector again = Parsed(selector.canonical());
    INFO("canonical: " << selector.canonical());
    REQUIRE(again.canonical() == selector.canonical());
    REQUIRE(again.names() == selector.names());
    INFO("spelled differently: " << other_text);
    REQUIRE(Parsed(other_text).canonical() == selector.canonical());
    for (int j = 0; j < 20; ++j) {
      const Map map = RandomLabels(random);
      const Labels labels = LabelsOf(map);
      const bool holds = Holds(condition, map);
      matches += holds ? 1 : 0;
      REQUIRE(selector.Matches(labels) == holds);
      REQUIRE(again.Matches(labels) == holds);
      const std::string why = selector.WhyNot(labels);
      INFO("why not: " << why);
      REQUIRE(why.empty() == holds);
      REQUIRE(again.WhyNot(labels) == why);
      REQUIRE(why.find('\n') == std::string::npos);
    }
  }
  // Or the selectors were too easy to prove anything.
  CHECK(matches > 20'000);
  CHECK(matches < 60'000);
}

}  // namespace
}  // namespace kantoku::inputs::testing
