#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_KEY_FINDER_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_KEY_FINDER_H_

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "services/inputs/engine/key_table.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// What a dispatch takes of a key.
struct KeyUse {
  KeyNumber key = kNoKey;
  uint32_t cost = 1;
};

// The keys that a task names, by their numbers; kNoKey where it names none.
struct NamedKeys {
  KeyNumber ordering = kNoKey;
  KeyNumber fairness = kNoKey;
  absl::InlinedVector<KeyUse, 2> uses;  // Concurrency keys, then rate keys.
};

// Finds the keys that the specs of one owner name. What a spec names in the same place as the one
// before it is not looked up again: in a batch that is most of it.
//
// Thread-compatible. Table, names and the latest spec outlive each Find; KeyTable::FreeUnused ends
// its use.
class KeyFinder {
 public:
  KeyFinder(const KeyTable& keys, std::string_view name_space, std::string_view owner)
      : keys_(keys), name_space_(name_space), owner_(owner) {}

  // Of a spec that names keys; kNoKey also for what is not there yet: what is written down here
  // when it is made, the next Find knows. Good until then.
  NamedKeys& Find(const TaskSpec& spec);

 private:
  template <typename Key>
  void FindUses(const TaskSpec& spec, KeyKind kind, std::vector<Key> TaskKeys::*list,
                const KeyUse* before);

  const KeyTable& keys_;
  const std::string_view name_space_;
  const std::string_view owner_;
  const TaskSpec* last_ = nullptr;
  NamedKeys found_;  // Of the last one.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_KEY_FINDER_H_
