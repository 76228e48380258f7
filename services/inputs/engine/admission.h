#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_ADMISSION_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_ADMISSION_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "services/inputs/engine/indexed_heap.h"
#include "services/inputs/engine/key_finder.h"
#include "services/inputs/engine/key_table.h"
#include "services/inputs/engine/matcher.h"
#include "services/inputs/engine/ready_queue.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/wait_book.h"

namespace kantoku::inputs {

// Lets tasks that name keys into the queues of their lanes, when their keys allow it.
//
// A READY task of this kind waits in one place: behind the earlier tasks of its ordering key; or
// parked at one of its concurrency or rate keys; or, as one that is let in, in its lane's queue:
// that is where it goes at once when each of its keys has enough for all living tasks that name it,
// and nobody waits there. There it meets a session like any other, and then takes all that it needs
// or, where a key has nothing left by then, nothing, and parks at that key; and so do, from then on
// and while anybody waits at that key, the others that had gone to their lanes at once.
//
// A key with room lets in whom it has parked: of all lanes the highest priority first, lanes of the
// same in turns, and in a lane as its queue would. One at a time is let in where an executor has
// room for it, and the next when that one has met its session; one that waits for an executor keeps
// nobody else waiting. So nothing is let in in vain but by lanes whose executors become busy and by
// keys that had enough for all, no step looks at more than one task of a lane, and a slot that
// somebody can use is not idle but for an elder (see below).
// What a key lacks for the first of those parked it keeps from the others, too: so a task that
// costs ten tokens gets them although others cost one.
//
// A task of several keys may find the one exhausted whenever the other has room. When it was turned
// away kPatience times it becomes its namespace's elder, if there is none: it gets hold of what it
// needs as soon as there is some, key by key, before all others, and keeps it until it is
// dispatched: slots first, then the rates, from the one that takes longest to the one that takes
// least to give so much. So what a rate has beside that rests for no longer than the faster ones
// take. It is one no more when no executor fits it, its type is paused, its tree is asked anything,
// what it has is more than may be taken by now, or it has everything and no executor has room for
// kElderPatience. So a task of several keys is turned away finitely often, unless its executors are
// busy for so long each time; how long it waits depends on how many of them there are and on how
// long others run.
//
// Thread-compatible.
class Admission {
 public:
  static constexpr int kPatience = 32;
  static constexpr absl::Duration kElderPatience = absl::Seconds(1);

  // All outlive it. `waits` is told what its tasks wait for while they are queued().
  Admission(TaskTable& tasks, Matcher& matcher, WaitBook& waits)
      : tasks_(tasks), matcher_(matcher), waits_(waits) {}

  KeyTable& keys() { return keys_; }
  const KeyTable& keys() const { return keys_; }

  // A new task, the last one of its ordering key unless its key says otherwise. `named`: what is
  // known of its keys; those that are not there are made.
  void Join(TaskIndex task, std::string_view name_space, std::string_view owner,
            std::string_view type, const TaskKeys& keys, NamedKeys named);
  // It has ended: what it holds is free.
  void Leave(TaskIndex task);

  // The task is queued() now: it goes where it has to wait.
  void Ready(TaskIndex task);
  // It is not any more, without having been matched.
  void Unready(TaskIndex task);
  // Its dispatch is closed.
  void Free(TaskIndex task);
  // It comes from records, with a dispatch that is not known to be closed.
  void CountDispatch(TaskIndex task);

  // Something about what is set for the key has changed.
  void Touch(KeyNumber key);

  // Dispatching, at this time; between this and Rest nothing else happens.
  void Begin(absl::Duration now);
  // Of a task that came up in its lane: it is in no queue now.
  void Popped(TaskIndex task);
  // Then: whether it took all that it needs. If not it is parked.
  bool Take(TaskIndex task);
  // Nobody in any lane can be matched: whether somebody else was let in.
  bool Rest();
  uint32_t WeightOf(FlowNumber flow) const { return keys_.WeightOf(flow); }

  // Steady time of the next thing that is due; when it is, Begin lets in who can be.
  absl::Duration NextWake() const;
  // Whether Begin may let somebody in already.
  bool MayOffer() const { return !touched_.empty() || !expecting_.empty(); }

  // What a task that is queued() waits for, in words, where its keys are the reason.
  std::string Explain(TaskIndex task, WaitCause cause) const;
  TaskKeys KeysOf(TaskIndex task) const;
  LimitView ViewOf(KeyNumber key, absl::Duration now) const;

 private:
  enum class Place : uint8_t { kNone, kBehind, kParked, kLetIn };
  using Use = KeyUse;
  // What a task names, and where it waits.
  struct Entry {
    NamedKeys keys;
    TaskIndex next = kNoTask;  // Of its ordering key.
    TaskIndex previous = kNoTask;
    KeyNumber place_key = kNoKey;  // Where it is parked, or who let it in; kNoKey: nobody.
    Place place = Place::kNone;
    bool counts = false;   // It has a dispatch that counts.
    uint8_t refusals = 0;  // Of Take, since it was READY.
    uint16_t passed =
        0;              // By use: it was the first there, since it was READY, or nobody was there.
    uint16_t held = 0;  // By use: what an elder has already.
  };
  struct Rank {
    int priority;  // Higher first.
    uint64_t turn;
    LaneIndex lane;
    bool operator<(const Rank& other) const {
      if (priority != other.priority) return priority > other.priority;
      return turn != other.turn ? turn < other.turn : lane < other.lane;
    }
  };
  struct Line {  // What is parked at a key, of one lane.
    ReadyQueue queue;
    std::optional<Rank> rank;  // While it is in `order`.
    bool let_in = false;       // Its first is in the lane's queue.
  };
  struct Parking {
    absl::flat_hash_map<LaneIndex, std::unique_ptr<Line>> lines;
    absl::btree_set<Rank> order;  // Lines that have somebody to let in.
    size_t parked = 0;
    TaskIndex expected = kNoTask;  // Who was let in where an executor has room.
    TaskIndex elder = kNoTask;     // Who waits here before all others.
    WaitGroup group = kNoGroup;    // Of those that are parked here: the key, while the first finds
                                   // too little.
    bool turned_away = false;      // One that had gone to its lane at once is here.
    bool touched = false;          // Is in touched_.
  };
  struct OrderingQueue {
    TaskIndex first = kNoTask;
    TaskIndex last = kNoTask;
    TaskIndex latest = kNoTask;  // That came, if it is still there.
  };
  struct Elder {
    TaskIndex task;
    absl::Duration has_all_since;  // Infinite while it has not.
  };
  struct AlarmPlace {
    absl::flat_hash_map<KeyNumber, uint32_t>* places;
    uint32_t& operator()(KeyNumber key) const { return (*places)[key]; }
  };

  void Append(TaskIndex task, KeyNumber ordering);
  void Remove(TaskIndex task, KeyNumber ordering);
  void LineUp(TaskIndex task, Entry& entry);
  // Whether nobody who names these keys waits for one of them, or would have to.
  bool AreAmple(const Entry& entry) const;
  // The one place that says where a READY task waits, and for what; puts who is let in into the
  // lane's queue.
  void Move(TaskIndex task, Entry& entry, Place place, KeyNumber key);
  void Park(TaskIndex task, Entry& entry, KeyNumber key);
  void Unpark(TaskIndex task, Entry& entry);
  // Who was let in is in the lane's queue no more.
  void LeaveLane(TaskIndex task, const Entry& entry);
  void GiveBackTurns(TaskIndex task, const Entry& entry);

  Parking* FindParking(KeyNumber key) const;
  Parking& ParkingOf(KeyNumber key);
  bool IsParked(TaskIndex task, TaskKey key, KeyNumber at) const;
  static size_t UseOf(const Entry& entry, KeyNumber key);
  bool HasRoom(const Use& use) const { return keys_.HasRoom(use.key, use.cost, now_); }
  void List(Parking& parking, KeyNumber key, LaneIndex lane, Line& line);
  void DropIfEmpty(KeyNumber key);
  // Whether others are before it at the key of this use, although that has room for it.
  bool MustQueue(TaskIndex task, const Entry& entry, size_t use) const;
  bool OfferTouched();
  // Lets in the next ones; whether there was any.
  bool Offer(KeyNumber key);
  // The first one of a key finds too little.
  void Block(const Parking& parking, const Use& use);
  void StopAlarm(KeyNumber key);
  void Tell(const Parking& parking, KeyNumber key, bool blocked);
  std::string Explain(const Use& use) const;

  std::string NamespaceOf(TaskIndex task) const;
  bool BecomesElder(TaskIndex task, Entry& entry);
  // What it needs next; the number of its uses: nothing.
  size_t NextToHold(const Entry& entry) const;
  void ServeElder(TaskIndex task, Entry& entry);
  void EndElder(TaskIndex task, Entry& entry);
  bool IsElder(TaskIndex task) const;
  void ReviewElders();

  TaskTable& tasks_;
  Matcher& matcher_;
  WaitBook& waits_;
  KeyTable keys_;
  absl::flat_hash_map<TaskIndex, Entry> entries_;
  absl::flat_hash_map<KeyNumber, OrderingQueue> orderings_;
  absl::flat_hash_map<KeyNumber, std::unique_ptr<Parking>> parkings_;
  absl::btree_map<std::string, Elder> elders_;  // By namespace.
  absl::flat_hash_map<KeyNumber, uint32_t> alarm_places_;
  IndexedHeap<AlarmPlace> alarms_{AlarmPlace{&alarm_places_}};  // Of rate keys that are blocked.
  std::vector<KeyNumber> touched_;                              // May have room for somebody.
  std::vector<KeyNumber> expecting_;                            // Had somebody expected.
  uint64_t next_turn_ = 1;
  absl::Duration now_ = absl::ZeroDuration();
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_ADMISSION_H_
