#ifndef KANTOKU_TESTS_CHAOS_SOAK_LANES_H_
#define KANTOKU_TESTS_CHAOS_SOAK_LANES_H_

#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "services/platform/mutex.h"
#include "tests/chaos/soak/faults.h"
#include "tests/chaos/soak/plan.h"

namespace kantoku::soak {

std::vector<FaultShape> Shapes(const std::vector<std::unique_ptr<Fault>>& faults);

// Carries out a plan, each lane on a thread of its own. The destructor undoes what goes on and
// skips the rest.
//
// Thread-safe.
class Lanes {
 public:
  Lanes(std::vector<Planned> plan, const std::vector<std::unique_ptr<Fault>>& faults);
  ~Lanes();
  Lanes(const Lanes&) = delete;
  Lanes& operator=(const Lanes&) = delete;

  size_t begun() const;
  // Every fault there is has come to its end at least once.
  bool EachOnce() const;
  // Names of the faults that go on.
  std::string Now() const;

 private:
  void Run(Lane lane);
  // Waits until then; false when it is all over.
  bool WaitUntil(absl::Duration time);

  const std::vector<Planned> plan_;
  const std::vector<std::unique_ptr<Fault>>& faults_;
  const absl::Duration begin_;
  mutable platform::Mutex mu_;
  platform::CondVar changed_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  size_t begun_ ABSL_GUARDED_BY(mu_) = 0;
  std::set<size_t> ended_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> now_ ABSL_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;
};

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_LANES_H_
