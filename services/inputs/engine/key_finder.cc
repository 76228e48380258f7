#include "services/inputs/engine/key_finder.h"

namespace kantoku::inputs {

// `before`: what the last spec takes of the keys of this list.
template <typename Key>
void KeyFinder::FindUses(const TaskSpec& spec, KeyKind kind, std::vector<Key> TaskKeys::*list,
                         const KeyUse* before) {
  const std::vector<Key>& keys = spec.keys.get()->*list;
  const size_t known = last_ == nullptr ? 0 : (last_->keys.get()->*list).size();
  for (size_t i = 0; i < keys.size(); ++i) {
    const Key& key = keys[i];
    KeyUse use;
    if constexpr (requires { key.cost; }) use.cost = key.cost;
    if (i < known) {
      const Key& last = (last_->keys.get()->*list)[i];
      const bool same = last.name == key.name && last.scope == key.scope &&
                        (key.scope != KeyScope::kType || last_->type == spec.type);
      if (same) use.key = before[i].key;
    }
    if (use.key == kNoKey) {
      use.key = keys_.Find(name_space_,
                           {kind, key.scope, WhoseOf(key.scope, owner_, spec.type), key.name});
    }
    found_.uses.push_back(use);
  }
}

NamedKeys& KeyFinder::Find(const TaskSpec& spec) {
  const TaskKeys& keys = *spec.keys;
  const NamedKeys before = found_;
  found_.ordering = found_.fairness = kNoKey;
  found_.uses.clear();
  FindUses(spec, KeyKind::kConcurrency, &TaskKeys::concurrency, before.uses.data());
  FindUses(spec, KeyKind::kRate, &TaskKeys::rates,
           before.uses.data() + (last_ == nullptr ? 0 : last_->keys->concurrency.size()));
  if (!keys.fairness.empty()) {
    if (last_ != nullptr && last_->keys->fairness == keys.fairness)
      found_.fairness = before.fairness;
    if (found_.fairness == kNoKey) {
      found_.fairness =
          keys_.Find(name_space_, {KeyKind::kFairness, KeyScope::kNamespace, {}, keys.fairness});
    }
  }
  // Where there is one, tasks mostly differ in it.
  if (!keys.ordering.empty()) {
    found_.ordering =
        keys_.Find(name_space_, {KeyKind::kOrdering, KeyScope::kNamespace, {}, keys.ordering});
  }
  last_ = &spec;
  return found_;
}

}  // namespace kantoku::inputs
