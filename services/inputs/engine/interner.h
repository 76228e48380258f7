#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_

#include <cstdint>
#include <deque>

#include "absl/container/flat_hash_map.h"
#include "services/inputs/engine/use_counts.h"

namespace kantoku::inputs {

// Gives equal values one small number, for as long as somebody uses it; see UseCounts.
//
// Thread-compatible.
template <typename Value>
class Interner {
 public:
  // Good until FreeUnused, and while it is used.
  uint32_t Intern(const Value& value) {
    const auto [entry, added] = numbers_.try_emplace(value);
    if (!added) return entry->second;
    const uint32_t number = entry->second = uses_.Add();
    if (number == values_.size()) values_.emplace_back();
    values_[number] = value;
    return number;
  }
  void Use(uint32_t number) { uses_.Use(number); }
  void Leave(uint32_t number) { uses_.Leave(number); }
  // Of what nobody uses, all but the latest `keep`.
  void FreeUnused(size_t keep) {
    uses_.FreeUnused(keep, [this](uint32_t number) {
      numbers_.erase(values_[number]);
      values_[number] = Value();
    });
  }

  // The reference is good as long as the number.
  const Value& at(uint32_t number) const { return values_[number]; }
  size_t size() const { return numbers_.size(); }

 private:
  std::deque<Value> values_;
  absl::flat_hash_map<Value, uint32_t> numbers_;
  UseCounts uses_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_INTERNER_H_
