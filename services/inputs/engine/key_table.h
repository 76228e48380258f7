#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_KEY_TABLE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_KEY_TABLE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/bucket.h"
#include "services/inputs/engine/keys.h"
#include "services/inputs/engine/use_counts.h"

namespace kantoku::inputs {

using KeyNumber = uint32_t;
inline constexpr KeyNumber kNoKey = 0;

// The keys of all namespaces, what is set for them, and how much of that is in use. A key is there
// while a living task names it or something is set for it, and a while longer; about 250 bytes
// and the name each, and 700 more in Admission while tasks of a lane wait for it.
//
// What a task sets goes with the last task that names it: not at once, for it may come again in a
// moment, and a rate not before its bucket is full, as a new one would be. Tasks make only rates
// that fill within 24 hours.
//
// Thread-compatible.
class KeyTable {
  // Of a namespace with keys: how many these are, and how many of them are used.
  struct Counts {
    size_t keys = 0;
    size_t used = 0;
  };
  using NameSpaces = absl::node_hash_map<std::string, Counts>;

 public:
  struct Key {
    KeyKind kind = KeyKind::kConcurrency;
    bool set = false;  // Else it limits nothing, and a weight is 1.
    bool transient = false;
    bool idle = false;    // Is in idle_.
    uint32_t number = 0;  // See LimitValue.
    uint32_t tasks = 0;
    uint32_t running = 0;  // Of a concurrency key: dispatches that count.
    uint64_t wanted = 0;   // What a dispatch of each of these tasks takes, together.
    uint64_t record = 0;   // Its number, while it is set.
    Bucket bucket;         // Of a rate key.
    const std::string* code = nullptr;
    NameSpaces::value_type* name_space = nullptr;
  };

  KeyTable();

  // kNoKey when there is none.
  KeyNumber Find(std::string_view name_space, const KeyView& name) const;
  // Good until FreeUnused, and while it is used.
  KeyNumber Intern(std::string_view name_space, const KeyView& name);
  // A task names it, of which a dispatch takes so much; such a task has ended.
  void Join(KeyNumber key, uint32_t cost = 0);
  void Leave(KeyNumber key, uint32_t cost = 0);

  // It must not be set, or may be replaced.
  void Set(KeyNumber key, const LimitValue& value, bool transient, uint64_t record,
           absl::Duration now);
  void Unset(KeyNumber key);

  bool HasRoom(KeyNumber key, uint32_t cost, absl::Duration now) const;
  // Whether all living tasks that name it could be dispatched at once: it keeps none waiting until
  // more of them come or less is set.
  bool IsAmple(KeyNumber key, absl::Duration now) const;
  void Take(KeyNumber key, uint32_t cost, absl::Duration now);
  // What was taken of a concurrency key is free again; of a rate key it is used up.
  void Free(KeyNumber key) {
    if (keys_[key].kind == KeyKind::kConcurrency) --keys_[key].running;
  }
  // Nobody else has it, until it is taken or released.
  void Hold(KeyNumber key, uint32_t cost, absl::Duration now);
  // Whether that can still be taken, whatever has been set since.
  bool MayTakeHeld(KeyNumber key, uint32_t cost, absl::Duration now) const;
  void TakeHeld(KeyNumber key, uint32_t cost, absl::Duration now);
  void Release(KeyNumber key, uint32_t cost, absl::Duration now);
  uint32_t WeightOf(KeyNumber key) const { return keys_[key].set ? keys_[key].number : 1; }
  // Every bucket is empty now.
  void DrainBuckets(absl::Duration now);

  // Calls `drop(key)` for what tasks have set and none has named for longest, and unsets it, until
  // at most `keep` such keys are left; looks at few of them at a time.
  template <typename Drop>
  void ForgetTransient(size_t keep, absl::Duration now, Drop drop) {
    for (int looks = 0; idle_.size() > keep && looks < 16; ++looks) {
      const KeyNumber number = idle_.front();
      idle_.pop_front();
      Key& key = keys_[number];
      key.idle = false;
      if (!key.set || !key.transient || key.tasks > 0) continue;
      if (key.kind == KeyKind::kRate && !key.bucket.IsFull(now)) {
        ListIdle(number);
        continue;
      }
      drop(key);
      Unset(number);
    }
  }
  // Of what nobody uses, all but the latest `keep`.
  void FreeUnused(size_t keep);

  const Key& at(KeyNumber key) const { return keys_[key]; }
  std::string_view name_space(KeyNumber key) const { return keys_[key].name_space->first; }
  KeyName NameOf(KeyNumber key) const;
  LimitValue ValueOf(KeyNumber key) const;
  // How many keys of a namespace are used.
  size_t used(std::string_view name_space) const;
  bool IsUsed(KeyNumber key) const { return uses_.IsUsed(key); }
  // What is set in a namespace, in the order of names, behind `from`, at most `limit`; looks at no
  // more than `budget` keys, at least 1, and sets `from` to where it ended, nullopt at the end.
  std::vector<KeyNumber> List(std::string_view name_space, size_t limit, size_t budget,
                              std::optional<std::string>& from) const;

 private:
  void Use(KeyNumber key);
  void Unuse(KeyNumber key);
  void ListIdle(KeyNumber key);

  std::deque<Key> keys_;
  std::map<std::string, KeyNumber> codes_;  // In the order of namespaces and names; see CodeOf.
  absl::flat_hash_map<std::string_view, KeyNumber> numbers_;  // By those codes.
  UseCounts uses_;
  NameSpaces name_spaces_;
  std::deque<KeyNumber> idle_;  // Set by tasks, and were named by none once.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_KEY_TABLE_H_
