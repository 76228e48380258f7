#ifndef KANTOKU_SERVICES_INPUTS_PARTITION_INBOX_BOOK_H_
#define KANTOKU_SERVICES_INPUTS_PARTITION_INBOX_BOOK_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "services/inputs/engine/types.h"
#include "services/inputs/partition/record_codec.h"

namespace kantoku::inputs {

// What a partition has in hand of its inbox: tasks whose records others put into the store, from
// when one is taken up until its record is erased for good, or it is put back to be looked at
// another time. While a task is in hand nobody takes it up again.
//
//   Take ─ kTaken ─┬─ kLeaving (it lives, or has ended: its record is erased) ── Forget
//                  ├─ kAsking ── kTaken, or Forget
//                  ├─ kRefused ─ kLeaving
//                  └─ kLeft ──── ForgetLeft
//
// Guarantees: what waits for others is bounded, by number and bytes.
//
// Thread-compatible. Keys and ids that are not in hand are an error of the caller but where it says
// otherwise.
class InboxBook {
 public:
  enum class Stage : uint8_t {
    kTaken,    // Being looked at, in this step.
    kAsking,   // Until Outputs has said how those have ended that it depends on.
    kRefused,  // Until Outputs has taken its end.
    kLeaving,  // Until the batch that erases its record is durable.
    kLeft,     // Stays where it is; known for the rest of this step.
  };
  struct Entry {
    TaskId id;
    std::string role;
    std::string name_space;
    std::string owner;
    std::string type;
    size_t bytes = 0;  // Of its record.
    Stage stage = Stage::kTaken;
    Failure why;  // Of one that is refused.
  };
  struct Bounds {
    size_t refused = 10'000;
    size_t asking = 1'000;
    size_t asking_bytes = size_t{64} << 20;
    size_t put_off = 10'000;
    size_t told = 1'000;
  };

  InboxBook();
  explicit InboxBook(const Bounds& bounds);

  bool Holds(TaskKey key) const { return entries_.contains(key); }
  // Null: it is not in hand.
  const Entry* Find(const TaskId& task) const;
  const Entry& at(TaskKey key) const { return entries_.at(key); }
  // Whether it is in hand and its record stays for now.
  bool Stays(TaskKey key) const;

  // Its key must not be in hand.
  void Take(const StoredInbox& record, size_t bytes);
  // Likewise; a record that cannot be read, so that nothing is known of it but where it is.
  void LeaveUnread(TaskKey key);
  // The next two say whether there is room for one more to wait; if not, nothing has changed.
  bool Ask(TaskKey key);
  bool Refuse(TaskKey key, Failure why);
  // Outputs has answered.
  void TakeAgain(TaskKey key) { MoveTo(entries_.at(key), Stage::kTaken); }
  void Erase(TaskKey key) { MoveTo(entries_.at(key), Stage::kLeaving); }
  void Leave(TaskKey key);
  // One that is left because of another one: when that lives or has ended, TakePutOff says what is
  // to be looked at again. Neither needs to be in hand. When there are too many all are forgotten.
  void PutOff(TaskKey key, TaskKey behind);
  std::vector<TaskKey> TakePutOff(TaskKey behind);
  // Also one that is not in hand.
  void Forget(TaskKey key);
  void ForgetLeft();

  // Whether this was not told before, as far as that is remembered.
  bool IsNews(std::string_view what);

 private:
  void MoveTo(Entry& entry, Stage stage);
  size_t& count(Stage stage) { return counts_[static_cast<size_t>(stage)]; }

  const Bounds bounds_;
  std::map<TaskKey, Entry> entries_;
  std::vector<TaskKey> left_;
  size_t counts_[5] = {};
  size_t asking_bytes_ = 0;
  std::set<std::pair<TaskKey, TaskKey>> put_off_;  // By that behind which they are.
  absl::flat_hash_set<std::string> told_;
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_PARTITION_INBOX_BOOK_H_
