#ifndef KANTOKU_TESTS_CHAOS_KILLER_H_
#define KANTOKU_TESTS_CHAOS_KILLER_H_

#include <cstddef>
#include <set>
#include <vector>

#include "tests/chaos/suite.h"

namespace kantoku::test {

// kill -9 of the programs of a suite, each at a moment when it demonstrably holds unfinished work,
// and their start anew. A frozen one finishes nothing, so what it has not done when the journals
// are read afterwards, it has not done when it is killed.
//
// Fails the test when no such moment comes. Thread-compatible.
class Killer {
 public:
  explicit Killer(Suite& suite) : suite_(suite), journals_(suite.journals()) {}

  // Tasks were accepted of which no handler has returned: Inputs has them all to do.
  void Inputs();
  // And a client has asked for more and has not heard the answer.
  void InputsInSpawn();
  // Handlers return while Outputs stands still, so their results are on the way to it; and clients
  // wait for theirs.
  void Outputs();
  // Handlers return while Events stands still, so what it is to hear of that is on the way.
  void Events();
  // Its handlers have begun and not returned.
  void Executor(size_t executor);
  // Its handlers have returned, and it has no receipt: Outputs stands still.
  void ExecutorInPut(size_t executor);
  // It waits for ends.
  void Client(size_t client);
  // It has asked for tasks and has no answer: Inputs stands still.
  void ClientInSpawn();

  size_t kills() const { return kills_; }
  // Numbers of the journals of executors that were killed.
  const std::set<int>& executors() const { return executors_; }

 private:
  size_t FreezeInputsInSpawn();
  void FreezeOutputsInWork(const std::vector<int>& processes);
  void Kill(ChildProcess& child);
  void KillService(Service service);
  void KillExecutor(size_t executor);
  void KillClient(size_t client);

  Suite& suite_;
  Journals& journals_;
  size_t kills_ = 0;
  std::set<int> executors_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_CHAOS_KILLER_H_
