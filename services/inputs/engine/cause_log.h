#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_CAUSE_LOG_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_CAUSE_LOG_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "services/inputs/engine/types.h"

namespace kantoku::inputs {

// Which cause held in which time: of all tasks that wait for the same, such as those of a lane or
// of a key.
// They keep the time at which they came and ask when they leave, so that a change costs O(1),
// however many wait.
//
// It remembers a bounded number of intervals. Older ones merge, neighbour with neighbour: how long
// each cause held in them stays exact, when it did does not: what is asked of an earlier time is
// approximate, but always sums up to the time that was asked for.
//
// Times are milliseconds of any clock that does not go back.
//
// Thread-compatible.
class CauseLog {
 public:
  static constexpr size_t kIntervals = 16;

  // `cause` holds from `now` on. What held for no time is forgotten. At most `intervals` of what
  // was before are remembered.
  void Set(WaitCause cause, int64_t now, size_t intervals = kIntervals);
  WaitCause cause() const { return cause_; }

  // Calls `add(cause, milliseconds)` for the parts of this time, each more than 0. It begins no
  // earlier than the first cause. O(1) when the cause has not changed since, else O(intervals).
  template <typename Add>
  void Split(int64_t from, int64_t to, Add&& add) const {
    if (from < since_) SplitPast(from, to, add);
    const int64_t begin = std::max(from, since_);
    if (to > begin) add(cause_, to - begin);
  }

 private:
  struct Part {
    WaitCause cause;
    int64_t time;
  };
  struct Interval {
    int64_t begin;
    int64_t end;
    std::vector<Part> parts;  // Each cause once, as if one had come after the other.
  };

  template <typename Add>
  void SplitPast(int64_t from, int64_t to, Add&& add) const {
    for (const Interval& interval : past_) {
      if (interval.end <= from) continue;
      int64_t at = interval.begin;
      for (const Part& part : interval.parts) {
        const int64_t begin = std::max(from, at);
        at += part.time;
        const int64_t end = std::min(to, at);
        if (end > begin) add(part.cause, end - begin);
      }
    }
  }
  // Halves the number of the older intervals.
  void Merge(size_t intervals);

  WaitCause cause_ = WaitCause::kNone;
  int64_t since_ = 0;
  std::vector<Interval> past_;  // Ascending, without gaps; the last ends at since_.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_CAUSE_LOG_H_
