#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_REUSE_INDEX_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_REUSE_INDEX_H_

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/effects.h"
#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Which results of PURE tasks there are to be reused: of equal tasks the latest. Its times are
// those by which the engine measures ages (Engine::AgeTime), also in records.
//
// Thread-compatible.
class ReuseIndex {
 public:
  explicit ReuseIndex(size_t most) : most_(most) {}

  // Takes the place of an equal one, whose task is returned.
  std::optional<TaskKey> Add(const ReuseRecord& record);
  // The one that is equal to this, whatever its age.
  const ReuseRecord* Find(const Digest& equal) const;
  // Takes one that is not held any more, or the one that is held least long, if there are more than
  // `most`.
  std::optional<TaskKey> TakeExpired(absl::Time now);
  // When TakeExpired has something to do next; InfiniteFuture when there is none.
  absl::Time next_time() const;
  size_t size() const { return records_.size(); }

 private:
  void Drop(const Digest& equal);

  const size_t most_;
  absl::flat_hash_map<Digest, ReuseRecord> records_;
  absl::btree_set<std::pair<absl::Time, Digest>> ends_;  // By how long they are held.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_REUSE_INDEX_H_
