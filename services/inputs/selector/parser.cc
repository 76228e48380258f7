#include "services/inputs/selector/parser.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/selector/decimal.h"
#include "services/inputs/selector/excerpt.h"
#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/lexer.h"
#include "services/inputs/selector/selector.h"
#include "services/platform/status.h"

namespace kantoku::inputs {

using platform::ToAbsl;

namespace {

using Kind = SelectorTree::Kind;
using Node = SelectorTree::Node;
using Token = SelectorLexer::Token;

constexpr std::array<std::pair<std::string_view, Kind>, 4> kOrders = {
    {{"<", Kind::kLess},
     {"<=", Kind::kLessOrEqual},
     {">", Kind::kGreater},
     {">=", Kind::kGreaterOrEqual}}};

// A method a rule of the grammar, by recursive descent: parentheses alone recurse, to a bounded
// depth. `token_` is the first one that is not yet taken.
class Parser {
 public:
  explicit Parser(std::string_view text) : lexer_(text) {}

  absl::StatusOr<SelectorTree> Run() {
    KANTOKU_RETURN_IF_ERROR(Advance());
    KANTOKU_RETURN_IF_ERROR(ParseChain(Kind::kOr));
    if (token_.kind != SelectorLexer::Kind::kEnd) return Expected("&&, || or the end");
    return std::move(tree_);
  }

 private:
  // A chain of || whose members are chains of &&, or one of these. What has one member is that.
  absl::Status ParseChain(Kind kind) {
    const size_t start = tree_.nodes.size();
    KANTOKU_RETURN_IF_ERROR(ParseMember(kind));
    if (!token_.Is(SymbolOf(kind))) return absl::OkStatus();
    tree_.nodes.insert(tree_.nodes.begin() + static_cast<std::ptrdiff_t>(start), {.kind = kind});
    while (token_.Is(SymbolOf(kind))) {
      KANTOKU_RETURN_IF_ERROR(Advance());
      KANTOKU_RETURN_IF_ERROR(ParseMember(kind));
    }
    tree_.nodes[start].size = static_cast<uint32_t>(tree_.nodes.size() - start);
    return absl::OkStatus();
  }
  absl::Status ParseMember(Kind kind) {
    return kind == Kind::kOr ? ParseChain(Kind::kAnd) : ParseCondition();
  }

  absl::Status ParseCondition() {
    const bool marked = token_.Is("!");
    bool negated = false;
    for (; token_.Is("!"); negated = !negated) KANTOKU_RETURN_IF_ERROR(Advance());
    const size_t start = tree_.nodes.size();
    const Token first = token_;
    if (first.Is("(")) {
      KANTOKU_RETURN_IF_ERROR(ParseParentheses());
    } else if (!IsName(first)) {
      return Expected(marked ? "( or has(…) after !" : "a label's name, has(…), ! or (");
    } else {
      KANTOKU_RETURN_IF_ERROR(Advance());
      if (first.spelling == "has" && token_.Is("(")) {
        KANTOKU_RETURN_IF_ERROR(ParseHas());
      } else if (marked) {
        return Unexpected(first, "( or has(…) after !");
      } else {
        KANTOKU_RETURN_IF_ERROR(ParseComparison(first));
      }
    }
    if (negated) tree_.nodes[start].negated = !tree_.nodes[start].negated;
    return absl::OkStatus();
  }

  absl::Status ParseParentheses() {
    if (depth_ == kMaxSelectorDepth) {
      return lexer_.Error(
          kSelectorLimit, token_.begin,
          absl::StrCat("parentheses nest deeper than the limit of ", kMaxSelectorDepth));
    }
    ++depth_;
    KANTOKU_RETURN_IF_ERROR(Advance());
    KANTOKU_RETURN_IF_ERROR(ParseChain(Kind::kOr));
    --depth_;
    return Take(")", "&&, || or )");
  }

  absl::Status ParseHas() {
    KANTOKU_RETURN_IF_ERROR(CountTerm());
    KANTOKU_RETURN_IF_ERROR(Advance());
    if (!IsName(token_)) return Expected("a label's name");
    KANTOKU_RETURN_IF_ERROR(AddCondition(token_, Kind::kHas));
    KANTOKU_RETURN_IF_ERROR(Advance());
    return Take(")", ")");
  }

  absl::Status ParseComparison(const Token& name) {
    if (token_.Is("==") || token_.Is("!=")) {
      KANTOKU_RETURN_IF_ERROR(AddCondition(name, Kind::kEqual));
      tree_.nodes.back().negated = token_.Is("!=");
      KANTOKU_RETURN_IF_ERROR(Advance());
      return TakeString();
    }
    if (token_.kind == SelectorLexer::Kind::kWord && token_.spelling == "in") {
      KANTOKU_RETURN_IF_ERROR(AddCondition(name, Kind::kIn));
      return ParseList();
    }
    for (const auto& [sign, kind] : kOrders) {
      if (!token_.Is(sign)) continue;
      KANTOKU_RETURN_IF_ERROR(AddCondition(name, kind));
      KANTOKU_RETURN_IF_ERROR(Advance());
      return TakeNumber();
    }
    return Expected("==, !=, <, <=, >, >= or in");
  }

  absl::Status ParseList() {
    KANTOKU_RETURN_IF_ERROR(Advance());
    KANTOKU_RETURN_IF_ERROR(Take("(", "("));
    KANTOKU_RETURN_IF_ERROR(TakeString());
    while (token_.Is(",")) {
      KANTOKU_RETURN_IF_ERROR(Advance());
      KANTOKU_RETURN_IF_ERROR(TakeString());
    }
    KANTOKU_RETURN_IF_ERROR(Take(")", ", or )"));
    Node& list = tree_.nodes.back();
    const auto first = tree_.texts.begin() + list.name + 1;
    std::sort(first, tree_.texts.end());
    tree_.texts.erase(std::unique(first, tree_.texts.end()), tree_.texts.end());
    list.values = static_cast<uint32_t>(tree_.texts.size()) - list.name - 1;
    if (list.values == 1) list.kind = Kind::kEqual;
    return absl::OkStatus();
  }

  absl::Status AddCondition(const Token& name, Kind kind) {
    if (name.spelling.size() > kMaxLabelNameBytes) {
      return TooLong(name, "a label's name", kMaxLabelNameBytes);
    }
    tree_.nodes.push_back({.kind = kind, .name = static_cast<uint32_t>(tree_.texts.size())});
    tree_.texts.emplace_back(name.spelling);
    return absl::OkStatus();
  }

  // Values belong to the condition that was added last.
  absl::Status TakeString() {
    if (token_.kind != SelectorLexer::Kind::kString) return Expected("a string in quotes");
    return TakeValue(std::move(token_.string));
  }
  absl::Status TakeNumber() {
    const bool word = token_.kind == SelectorLexer::Kind::kWord;
    const auto number = word ? Decimal::Read(token_.spelling) : std::nullopt;
    if (!number.has_value()) return Expected("a number");
    if (token_.spelling.size() > kMaxLabelValueBytes) {
      return TooLong(token_, "a number", kMaxLabelValueBytes);
    }
    return TakeValue(number->ToString());
  }
  absl::Status TakeValue(std::string value) {
    KANTOKU_RETURN_IF_ERROR(CountTerm());
    tree_.texts.push_back(std::move(value));
    ++tree_.nodes.back().values;
    return Advance();
  }

  absl::Status CountTerm() {
    if (++terms_ <= kMaxSelectorTerms) return absl::OkStatus();
    return lexer_.Error(
        kSelectorLimit, token_.begin,
        absl::StrCat("strings, numbers and has(…) exceed the limit of ", kMaxSelectorTerms));
  }

  absl::Status Advance() {
    KANTOKU_ASSIGN_OR_RETURN(token_, lexer_.Next());
    return absl::OkStatus();
  }
  absl::Status Take(std::string_view symbol, std::string_view expected) {
    return token_.Is(symbol) ? Advance() : Expected(expected);
  }
  absl::Status Expected(std::string_view what) const { return Unexpected(token_, what); }
  absl::Status Unexpected(const Token& found, std::string_view expected) const {
    constexpr size_t kShownBytes = 32;
    const bool end = found.kind == SelectorLexer::Kind::kEnd;
    return lexer_.Error(kBadSelector, found.begin,
                        absl::StrCat("expected ", ToAbsl(expected), ", found ",
                                     end ? "the end" : Excerpt(found.spelling, kShownBytes)));
  }
  absl::Status TooLong(const Token& token, std::string_view what, size_t limit) const {
    return lexer_.Error(kSelectorLimit, token.begin,
                        absl::StrCat(token.spelling.size(), " bytes of ", ToAbsl(what),
                                     " exceed the limit of ", limit));
  }

  static std::string_view SymbolOf(Kind chain) { return chain == Kind::kOr ? "||" : "&&"; }
  static bool IsName(const Token& token) {
    return token.kind == SelectorLexer::Kind::kWord && BeginsLabelName(token.spelling[0]);
  }

  SelectorLexer lexer_;
  Token token_;
  SelectorTree tree_;
  size_t depth_ = 0;
  size_t terms_ = 0;
};

}  // namespace

absl::StatusOr<SelectorTree> ParseSelectorTree(std::string_view text) {
  if (text.size() > kMaxSelectorBytes) {
    return platform::Error(
        absl::StatusCode::kInvalidArgument, kSelectorLimit,
        absl::StrCat(text.size(), " bytes exceed the limit of ", kMaxSelectorBytes));
  }
  return Parser(text).Run();
}

}  // namespace kantoku::inputs
