#ifndef KANTOKU_TESTS_CHAOS_SOAK_KINDS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_KINDS_H_

#include <functional>
#include <string>
#include <vector>

#include "kantoku/task.h"
#include "tests/chaos/soak/dice.h"
#include "tests/chaos/soak/evidence.h"

namespace kantoku::soak {

// What the load does with a task beside awaiting it.
enum class Attention : uint8_t {
  kNone,
  kStream,  // Reads its items.
  kStop,    // Sometimes cancels or interrupts its tree.
  kPause,   // Pauses and resumes it.
};

// A kind of task. Another one is an entry in kinds.cc, and, if its handler has to do something new,
// a number in Work.
struct Kind {
  std::string type;
  int weight = 0;  // How many of 100.
  Attention attention = Attention::kNone;
  int after = 0;  // How many earlier tasks it waits for at most; the load picks and asks for them.
  // Fills in the work, but for its name, and what the checker shall hold it to.
  std::function<void(Dice& dice, Asked& asked)> make;
  // What the spawn asks for beside a reference and many attempts.
  std::function<void(const Asked& asked, Task& task)> ask;
};

const std::vector<Kind>& Kinds();
// One of them, by its weight.
const Kind& DrawKind(Dice& dice);
// Of all kinds, and of children.
std::vector<std::string> AllTypes();

// Handlers are lost with the executors that are killed, any number of times.
Option ManyAttempts();

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_KINDS_H_
