#include "services/inputs/selector/tree.h"

#include <string_view>

#include "services/platform/check.h"

namespace kantoku::inputs {
namespace {

using Kind = SelectorTree::Kind;
using Node = SelectorTree::Node;

std::string_view SignOf(Kind kind) {
  switch (kind) {
    case Kind::kAnd:
      return "&&";
    case Kind::kOr:
      return "||";
    case Kind::kHas:
      return "has";
    case Kind::kEqual:
      return "==";
    case Kind::kIn:
      return "in";
    case Kind::kLess:
      return "<";
    case Kind::kLessOrEqual:
      return "<=";
    case Kind::kGreater:
      return ">";
    case Kind::kGreaterOrEqual:
      return ">=";
  }
  return "";
}

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

class Writer {
 public:
  explicit Writer(const SelectorTree& tree) : tree_(tree) {}

  // Recursion is bounded: two groups, an `or` and an `and` in it, for each pair of parentheses.
  void Write(const Node& node, bool within_and) {
    if (!node.IsGroup()) return WriteCondition(node);
    const bool enclosed = node.negated || (within_and && node.kind == Kind::kOr);
    if (node.negated) text_ += '!';
    if (enclosed) text_ += '(';
    for (const Node* child = node.begin(); child != node.end(); child += child->size) {
      if (child != node.begin()) text_.append(" ").append(SignOf(node.kind)).append(" ");
      Write(*child, node.kind == Kind::kAnd);
    }
    if (enclosed) text_ += ')';
  }
  std::string Take() { return std::move(text_); }

 private:
  void WriteCondition(const Node& node) {
    const std::string& name = tree_.texts[node.name];
    if (node.kind == Kind::kHas) {
      text_.append(node.negated ? "!has(" : "has(").append(name).append(")");
    } else if (!node.negated) {
      text_.append(name).append(" ").append(tree_.TestOf(node));
    } else if (node.kind == Kind::kEqual) {
      text_.append(name).append(" != ").append(Quoted(tree_.texts[node.name + 1]));
    } else {
      text_.append("!(").append(name).append(" ").append(tree_.TestOf(node)).append(")");
    }
  }

  const SelectorTree& tree_;
  std::string text_;
};

}  // namespace

std::string SelectorTree::ToString() const {
  Writer writer(*this);
  writer.Write(nodes.front(), false);
  return writer.Take();
}

std::string SelectorTree::TestOf(const Node& node) const {
  KANTOKU_CHECK(node.values > 0);
  std::string test(SignOf(node.kind));
  if (node.kind == Kind::kEqual) return test + " " + Quoted(texts[node.name + 1]);
  if (node.kind != Kind::kIn) return test + " " + texts[node.name + 1];
  for (uint32_t i = 1; i <= node.values; ++i) {
    test.append(i == 1 ? " (" : ", ").append(Quoted(texts[node.name + i]));
  }
  return test + ")";
}

}  // namespace kantoku::inputs
