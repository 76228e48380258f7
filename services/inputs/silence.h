#ifndef KANTOKU_SERVICES_INPUTS_SILENCE_H_
#define KANTOKU_SERVICES_INPUTS_SILENCE_H_

#include <atomic>

namespace kantoku::inputs {

// For how long the other end of a stream was not heard, in turns that come once in an interval.
// Who speaks by itself need not be asked: only after a whole interval of silence is a ping due.
//
// Thread-safe.
class Silence {
 public:
  // What a turn has to do.
  enum class Turn { kNothing, kPing, kLost };

  // A message came, whatever it says.
  void OnHeard() { turns_ = 0; }

  // Lost after three intervals of silence, two pings among them unanswered; up to one more may
  // have passed before the first turn.
  Turn OnTurn() {
    constexpr int kIntervals = 3;
    const int before = turns_.fetch_add(1);
    if (before == 0) return Turn::kNothing;
    return before < kIntervals ? Turn::kPing : Turn::kLost;
  }

 private:
  std::atomic<int> turns_{0};
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_SILENCE_H_
