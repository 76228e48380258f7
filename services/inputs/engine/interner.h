#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"

namespace kantoku::inputs {

// Gives equal values one small number, for as long as it lives.
//
// Thread-compatible.
template <typename Value>
class Interner {
 public:
  uint32_t Intern(const Value& value) {
    const auto [entry, added] = numbers_.try_emplace(value, static_cast<uint32_t>(values_.size()));
    if (added) values_.push_back(value);
    return entry->second;
  }
  // The reference stays valid.
  const Value& at(uint32_t number) const { return values_[number]; }
  size_t size() const { return values_.size(); }

 private:
  std::deque<Value> values_;
  absl::flat_hash_map<Value, uint32_t> numbers_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_
