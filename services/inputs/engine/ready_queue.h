#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "services/inputs/engine/fifo.h"
#include "services/inputs/engine/indexed_heap.h"
#include "services/inputs/engine/task_table.h"
#include "services/inputs/engine/wait_book.h"

namespace kantoku::inputs {

// Whose turns a task takes among those of one priority; kCommonFlow is that of tasks without
// fairness key.
using FlowNumber = uint32_t;
inline constexpr FlowNumber kCommonFlow = 0;

// Waiting tasks: higher priority first; among equal ones flows take turns in proportion to their
// weights, and within a flow spawn order holds. Fresh tasks come in spawn order and cost O(1);
// those that come back (delay, backoff, redelivery) go through a heap, and turns cost O(log flows)
// where there are any. A task that leaves early is only counted; its entry is dropped when it
// surfaces, or when such entries are the majority.
//
// While two flows of one priority have tasks, each gets its share of what is popped: what two have
// got, divided by their weights, differs by no more than one turn of each. A flow that comes, or
// comes back, has its first turn when each of those that wait had one: it saves up nothing while it
// has no tasks, and flows that are ever new keep nobody waiting.
//
// Each flow but the common one is a group of the wait book that the queue tells, if it has one: its
// tasks wait for FAIRNESS_TURN while another flow of their priority has the next turn.
//
// Thread-compatible.
class ReadyQueue {
 public:
  // `waits`, which outlives it, may be null.
  explicit ReadyQueue(WaitBook* waits = nullptr) : waits_(waits) {}

  // Whether an entry still stands for a waiting task of this queue.
  using IsWaiting = absl::FunctionRef<bool(TaskIndex, TaskKey)>;
  // Of a flow, from 1 to kMostWeight.
  using WeightOf = absl::FunctionRef<uint32_t(FlowNumber)>;
  static constexpr uint32_t kMostWeight = 1'000;

  // `weight` is the flow's.
  void Push(TaskIndex task, TaskKey key, int16_t priority, FlowNumber flow = kCommonFlow,
            uint32_t weight = 1);
  // The next task, or kNoTask.
  TaskIndex Pop(IsWaiting is_waiting, WeightOf weight_of);
  // What Pop would give.
  TaskIndex Top(IsWaiting is_waiting);
  // The flow of this priority was popped and what came did not use its turn.
  void GiveBackTurn(int16_t priority, FlowNumber flow, WeightOf weight_of);
  // A task left without Pop.
  void NoteGone(int16_t priority, FlowNumber flow, IsWaiting is_waiting);

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  // The flow that has the next turn of this priority; only of a queue with a wait book.
  FlowNumber TurnOf(int16_t priority) const;
  // What a task waits for that was pushed so; kNoGroup: the common flow.
  WaitGroup GroupOf(int16_t priority, FlowNumber flow) const;

 private:
  struct Entry {
    TaskKey key;
    TaskIndex task;
    bool operator>(const Entry& other) const { return key > other.key; }
  };
  // In the order of their keys.
  struct Line {
    Fifo<Entry> fresh;  // Ascending keys.
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> returned;
    bool empty() const { return fresh.empty() && returned.empty(); }
    size_t size() const { return fresh.size() + returned.size(); }
    bool fresh_first() const {
      return returned.empty() || (!fresh.empty() && fresh.front().key < returned.top().key);
    }
    const Entry& front() const { return fresh_first() ? fresh.front() : returned.top(); }
    void Push(const Entry& entry);
    Entry Take();
  };
  struct Flow {
    Line line;  // Empty unless any wait.
    const FlowNumber number;
    bool served = false;         // It had a turn since it came.
    bool idle = false;           // Is in Turns::idle.
    WaitGroup group = kNoGroup;  // While any wait.
    uint32_t place = 0;          // In Turns::order, while any wait.
    uint64_t pass = 0;  // Who has the smallest has the turn; grows by kStride / weight with each.
    size_t waiting = 0;
    explicit Flow(FlowNumber number) : number(number) {}
  };
  struct FlowRef {
    Flow* flow;
    bool operator<(const FlowRef& other) const { return flow->number < other.flow->number; }
  };
  struct PlaceOfFlow {
    uint32_t& operator()(const FlowRef& ref) const { return ref.flow->place; }
  };
  // Of a level that had a task with a fairness key since it was empty. A flow that had a turn and
  // in which none wait any more is kept until the passes of others have gone beyond its own.
  struct Turns {
    absl::flat_hash_map<FlowNumber, std::unique_ptr<Flow>> flows;
    IndexedHeap<PlaceOfFlow, FlowRef> order{PlaceOfFlow()};  // By passes, of those that wait.
    Fifo<Flow*> idle;                                        // In which none waited once.
    uint64_t reached = 0;                                    // The pass of the latest turn.
    WaitGroup told = kNoGroup;                               // Who was told to have the next turn.
    bool empty() const { return order.empty(); }
    // Whose turn it is.
    Flow& next() const { return *order.top().flow; }
  };
  struct Level {
    Line common;
    std::unique_ptr<Turns> turns;  // Null: the common flow alone, which is in `common` then.
    size_t waiting = 0;
    bool empty() const { return turns == nullptr ? common.empty() : turns->empty(); }
    // Where the next task is, or what it left behind. Not empty.
    Line& front() { return turns == nullptr ? common : turns->next().line; }
  };
  static constexpr uint64_t kStride = 720'720;  // Small weights divide it.
  static constexpr size_t kFewFlows = 64;       // May be left when nothing waits.

  static int16_t LevelOf(int16_t priority);
  // The level gets turns: what it has is of the common flow.
  void BeginTurns(Level& level);
  static Flow& FlowAt(Turns& turns, FlowNumber number, uint32_t weight);
  static void SetPass(Turns& turns, Flow& flow, uint64_t pass);
  // One more waits in the flow.
  void Come(Turns& turns, Flow& flow);
  // None does any more: what is left in it stands for nobody.
  void Rest(Turns& turns, Flow& flow);
  // Whoever has the turn has had it.
  void UseTurn(Level& level, WeightOf weight_of);
  static void DropIdle(Turns& turns);
  // Says whose turn it is.
  void Tell(Turns& turns);
  void Compact(IsWaiting is_waiting);

  WaitBook* waits_;
  absl::btree_map<int16_t, Level, std::greater<>>
      levels_;        // At most one is empty: it is likely to be used again.
  size_t size_ = 0;   // Waiting tasks.
  size_t stale_ = 0;  // Entries of tasks that left.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_READY_QUEUE_H_
