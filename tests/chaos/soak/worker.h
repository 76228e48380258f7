#ifndef KANTOKU_TESTS_CHAOS_SOAK_WORKER_H_
#define KANTOKU_TESTS_CHAOS_SOAK_WORKER_H_

#include <string>

namespace kantoku::soak {

struct WorkerFlags {
  std::string inputs;
  std::string outputs;
  std::string name;
  std::string zone;
  std::string journal;
};

// An executor whose handlers write down when they begin and end. Runs until a signal; the code to
// exit with.
int RunWorker(const WorkerFlags& flags);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_WORKER_H_
