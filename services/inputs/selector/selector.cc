#include "services/inputs/selector/selector.h"

#include <algorithm>
#include <compare>

#include "absl/strings/str_cat.h"
#include "services/inputs/selector/decimal.h"
#include "services/inputs/selector/excerpt.h"
#include "services/inputs/selector/parser.h"
#include "services/inputs/selector/tree.h"
#include "services/platform/status.h"

namespace kantoku::inputs {
namespace {

using Kind = SelectorTree::Kind;
using Node = SelectorTree::Node;

constexpr size_t kMaxReasons = 3;  // More alternatives than that are counted only.
constexpr size_t kShownBytes = 40;

bool IsOrder(Kind kind) { return kind >= Kind::kLess; }

bool Stands(std::strong_ordering order, Kind kind) {
  switch (kind) {
    case Kind::kLess:
      return std::is_lt(order);
    case Kind::kLessOrEqual:
      return std::is_lteq(order);
    case Kind::kGreater:
      return std::is_gt(order);
    default:
      return std::is_gteq(order);
  }
}

// Evaluates one tree for one set of labels. Recursion is bounded: two groups, an `or` and an `and`
// in it, for each pair of parentheses, which nest kMaxSelectorDepth deep.
class Evaluation {
 public:
  Evaluation(const SelectorTree& tree, const Labels& labels) : tree_(tree), labels_(labels) {}

  bool Holds(const Node& node) const {
    if (!node.IsGroup()) return ConditionHolds(node) != node.negated;
    const bool decisive = node.kind == Kind::kOr;  // What decides when one child has it.
    return (FirstThatIs(decisive, node) != nullptr) == (decisive != node.negated);
  }

  // Collects what keeps `node` from being `wanted`, which it is not. Returns how much that is; only
  // the first kMaxReasons are put into `line`.
  size_t Explain(const Node& node, bool wanted, size_t reasons, std::string& line) const {
    if (!node.IsGroup()) {
      if (reasons < kMaxReasons) {
        if (reasons > 0) line += "; or ";
        line += ReasonOf(node, wanted);
      }
      return reasons + 1;
    }
    const bool wants = wanted != node.negated;  // Of the children, as if it were not negated.
    const bool one_is_enough = wants == (node.kind == Kind::kOr);
    if (!one_is_enough) return Explain(*FirstThatIs(!wants, node), wants, reasons, line);
    for (const Node* child = node.begin(); child != node.end(); child += child->size) {
      reasons = Explain(*child, wants, reasons, line);
    }
    return reasons;
  }

 private:
  const Node* FirstThatIs(bool truth, const Node& group) const {
    for (const Node* child = group.begin(); child != group.end(); child += child->size) {
      if (Holds(*child) == truth) return child;
    }
    return nullptr;
  }

  bool ConditionHolds(const Node& node) const {
    const std::string* value = labels_.Find(tree_.texts[node.name]);
    if (value == nullptr) return false;
    const std::string* first = &tree_.texts[node.name] + 1;
    if (node.kind == Kind::kHas) return true;
    if (!IsOrder(node.kind)) return std::binary_search(first, first + node.values, *value);
    const auto number = Decimal::Read(*value);
    return number.has_value() && Stands(*number <=> *Decimal::Read(*first), node.kind);
  }

  std::string ReasonOf(const Node& node, bool wanted) const {
    const std::string& name = tree_.texts[node.name];
    const std::string* value = labels_.Find(name);
    const bool wants = wanted != node.negated;
    std::string reason = absl::StrCat(
        name, " is ",
        value == nullptr ? "absent" : absl::StrCat("\"", Excerpt(*value, kShownBytes), "\""));
    if (value != nullptr && IsOrder(node.kind) && !Decimal::Read(*value).has_value()) {
      reason += ", which is no number";
    }
    reason += ", wanted ";
    if (node.kind == Kind::kHas) return reason + (wants ? "any value" : "absent");
    if (node.kind == Kind::kEqual && !wants)
      reason += "!" + tree_.TestOf(node).substr(1);
    else
      reason += (wants ? "" : "not ") + tree_.TestOf(node);
    return reason;
  }

  const SelectorTree& tree_;
  const Labels& labels_;
};

std::vector<std::string> NamesIn(const SelectorTree& tree) {
  std::vector<std::string> names;
  for (const Node& node : tree.nodes) {
    if (!node.IsGroup()) names.push_back(tree.texts[node.name]);
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

struct Selector::Compiled {
  SelectorTree tree;
  std::string canonical;
  std::vector<std::string> names;
};

absl::StatusOr<Selector> Selector::Parse(std::string_view text) {
  auto compiled = std::make_shared<Compiled>();
  KANTOKU_ASSIGN_OR_RETURN(compiled->tree, ParseSelectorTree(text));
  compiled->canonical = compiled->tree.ToString();
  if (compiled->canonical.size() > kMaxSelectorBytes) {
    return platform::Error(
        absl::StatusCode::kInvalidArgument, kSelectorLimit,
        absl::StrCat(compiled->canonical.size(),
                     " bytes of its canonical form exceed the limit of ", kMaxSelectorBytes));
  }
  compiled->names = NamesIn(compiled->tree);
  return Selector(std::move(compiled));
}

bool Selector::Matches(const Labels& labels) const {
  return Evaluation(compiled_->tree, labels).Holds(compiled_->tree.nodes.front());
}

std::string Selector::WhyNot(const Labels& labels) const {
  const Evaluation evaluation(compiled_->tree, labels);
  const Node& all = compiled_->tree.nodes.front();
  if (evaluation.Holds(all)) return "";
  std::string line;
  const size_t reasons = evaluation.Explain(all, true, 0, line);
  if (reasons > kMaxReasons) absl::StrAppend(&line, "; or ", reasons - kMaxReasons, " more");
  return Excerpt(line, kMaxWhyNotBytes);
}

const std::string& Selector::canonical() const { return compiled_->canonical; }

const std::vector<std::string>& Selector::names() const { return compiled_->names; }

}  // namespace kantoku::inputs
