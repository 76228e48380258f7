#ifndef KANTOKU_TESTS_CHAOS_SOAK_FAULTS_H_
#define KANTOKU_TESTS_CHAOS_SOAK_FAULTS_H_

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "services/platform/mutex.h"
#include "tests/chaos/soak/evidence.h"
#include "tests/chaos/soak/plan.h"
#include "tests/chaos/soak/topology.h"

namespace kantoku::soak {

// Who could not be heard, and when.
//
// Thread-safe.
class Absences {
 public:
  // An executor (all of them: empty), from now on.
  void Begin(const std::string& executor);
  void End(const std::string& executor);
  // Those that go on end now.
  std::vector<Absence> all() const;

 private:
  mutable platform::Mutex mu_;
  std::vector<Absence> absences_ ABSL_GUARDED_BY(mu_);
};

// The grace begins when Inputs misses an executor: after three intervals of a second
// without a word.
inline constexpr absl::Duration kPastGrace = absl::Seconds(4);
inline constexpr absl::Duration kProofLimit = absl::Seconds(20);

// Waits until `proven`, which somebody else changes.
bool AwaitProof(const std::function<bool()>& proven);

// Something that goes wrong and is mended again. Begin and End come in turn. The first time Begin
// waits until it provably has an effect, at most for kProofLimit.
//
// Thread-compatible.
class Fault {
 public:
  explicit Fault(FaultShape shape) : shape_(std::move(shape)) {}
  virtual ~Fault() = default;
  Fault(const Fault&) = delete;
  Fault& operator=(const Fault&) = delete;

  const FaultShape& shape() const { return shape_; }
  // How often it is proven to have happened: the process was there and is gone, a sync did take
  // longer, a connection broke.
  virtual size_t happened() const = 0;

  virtual void Begin() = 0;
  virtual void End() = 0;

 private:
  const FaultShape shape_;
};

// Everything that can be done to this installation. `own_network`: packets can be dropped. Both
// outlive the faults.
std::vector<std::unique_ptr<Fault>> MakeFaults(Topology& topology, Absences& absences,
                                               bool own_network);

}  // namespace kantoku::soak

#endif  // KANTOKU_TESTS_CHAOS_SOAK_FAULTS_H_
