#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_VERDICTS_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_VERDICTS_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"

namespace kantoku::inputs {

// Names equal values by one number, which is good for as long as somebody shares it; 0 names none.
//
// Thread-compatible.
template <typename Value>
class SharedNumbers {
 public:
  uint32_t Share(const Value& value) {
    const auto [known, added] = numbers_.try_emplace(value);
    if (added) {
      if (free_.empty()) {
        entries_.emplace_back();
        free_.push_back(static_cast<uint32_t>(entries_.size()));
      }
      known->second = free_.back();
      free_.pop_back();
      entries_[known->second - 1].value = value;
    }
    ++entries_[known->second - 1].users;
    return known->second;
  }
  // Whether it was the last one's: the number is free now.
  bool Drop(uint32_t number) {
    Entry& entry = entries_[number - 1];
    if (--entry.users > 0) return false;
    numbers_.erase(*entry.value);
    entry.value.reset();
    free_.push_back(number);
    return true;
  }
  // 0 when there is none.
  uint32_t Find(const Value& value) const {
    const auto known = numbers_.find(value);
    return known == numbers_.end() ? 0 : known->second;
  }
  const Value& at(uint32_t number) const { return *entries_[number - 1].value; }
  size_t size() const { return numbers_.size(); }

 private:
  struct Entry {
    std::optional<Value> value;
    uint32_t users = 0;
  };
  std::deque<Entry> entries_;
  std::vector<uint32_t> free_;
  absl::flat_hash_map<Value, uint32_t> numbers_;
};

using SelectorNumber = uint32_t;
using LabelSetNumber = uint32_t;

// Which selectors match which label sets. Each pair is evaluated once, when it is first asked for,
// and known for as long as both are shared.
//
// Thread-compatible.
class Verdicts {
 public:
  SelectorNumber Share(const Selector& selector) { return selectors_.Share(selector); }
  LabelSetNumber Share(const Labels& labels);
  // O(label sets) when nobody shares it any more.
  void DropSelector(SelectorNumber selector);
  void DropLabels(LabelSetNumber labels);

  bool Matches(SelectorNumber selector, LabelSetNumber labels);

  SelectorNumber Find(const Selector& selector) const { return selectors_.Find(selector); }
  const Selector& selector(SelectorNumber number) const { return selectors_.at(number); }
  const Labels& labels(LabelSetNumber number) const { return label_sets_.at(number); }
  // Pairs that were evaluated and are still known.
  size_t known() const;

 private:
  SharedNumbers<Selector> selectors_;
  SharedNumbers<Labels> label_sets_;
  std::deque<absl::flat_hash_map<SelectorNumber, bool>> verdicts_;  // By label set.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_VERDICTS_H_
