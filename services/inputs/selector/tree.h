#ifndef KANTOKU_SERVICES_INPUTS_SELECTOR_TREE_H_
#define KANTOKU_SERVICES_INPUTS_SELECTOR_TREE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace kantoku::inputs {

// What a selector's text says, in one vector: a node is followed by its children, each by its own.
// Groups have two children at least. An `in` has two values at least, sorted, each once.
struct SelectorTree {
  enum class Kind : uint8_t {
    kAnd,
    kOr,
    kHas,
    kEqual,
    kIn,
    kLess,
    kLessOrEqual,
    kGreater,
    kGreaterOrEqual,
  };
  struct Node {
    Kind kind;
    bool negated = false;
    uint32_t size = 1;    // Nodes, with its children.
    uint32_t name = 0;    // Of conditions: where in `texts` the label's name is;
    uint32_t values = 0;  // how many values follow it there.

    bool IsGroup() const { return kind == Kind::kAnd || kind == Kind::kOr; }
    // Children are the nodes from begin() to end(), each one's end being the next one's place.
    const Node* begin() const { return this + 1; }
    const Node* end() const { return this + size; }
  };

  std::vector<Node> nodes;
  std::vector<std::string> texts;  // Names, strings unescaped, numbers as Decimal spells them.

  // The text of all of it, which parses to a tree of the same text. Has no parentheses that mean
  // nothing, so groups of one kind within each other are not told apart.
  std::string ToString() const;
  // What a condition asks of its label: `>= 16`, `in ("a", "b")`; its negation is not in there.
  std::string TestOf(const Node& node) const;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SELECTOR_TREE_H_
