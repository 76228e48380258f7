#ifndef KANTOKU_TESTS_SIMULATION_WORLD_SCENE_H_
#define KANTOKU_TESTS_SIMULATION_WORLD_SCENE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "services/inputs/engine/splitmix.h"
#include "services/platform/auth/mac.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "tests/simulation/world/coverage.h"

// What all parts of a simulated world share.
namespace kantoku::simulation {

// Equal seeds give equal numbers, on every machine.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(inputs::SplitMix(seed)) {}

  uint64_t Next() { return inputs::SplitMix(state_++); }
  uint64_t Pick(uint64_t below) { return Next() % below; }
  bool Chance(uint32_t percent) { return Pick(100) < percent; }
  bool OneIn(uint64_t times) { return Pick(times) == 0; }
  absl::Duration UpTo(absl::Duration longest) {
    return longest * (static_cast<double>(Next() >> 11) / (uint64_t{1} << 53));
  }

 private:
  uint64_t state_;
};

// A number for everything that was folded into it, in its order.
class Trace {
 public:
  void Fold(uint64_t value) { value_ = inputs::SplitMix(value_ ^ value); }
  void Fold(std::string_view bytes) {
    Fold(bytes.size());
    for (; !bytes.empty(); bytes.remove_prefix(std::min(bytes.size(), sizeof(uint64_t)))) {
      uint64_t word = 0;
      std::memcpy(&word, bytes.data(), std::min(bytes.size(), sizeof(word)));
      Fold(word);
    }
  }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

// Time that passes when the world says so. Nobody waits: there is one thread.
class VirtualClock final : public platform::Clock {
 public:
  platform::Now Read() const override { return now_; }
  void Wait(platform::Mutex&, platform::CondVar&, absl::Duration) override { KANTOKU_CHECK(false); }

  void Advance(absl::Duration by) {
    now_.wall += by;
    now_.steady += by;
  }
  // As an administrator can. Stays near to what it was at first: leases and the memory of Outputs
  // end by it.
  void SetWall(absl::Duration offset) {
    now_.wall += offset - wall_offset_;
    wall_offset_ = offset;
    ++sets_;
  }
  // How often that was.
  uint64_t sets() const { return sets_; }

 private:
  platform::Now now_{.wall = absl::FromUnixSeconds(1'900'000'000), .steady = absl::Hours(1)};
  absl::Duration wall_offset_ = absl::ZeroDuration();
  uint64_t sets_ = 0;
};

// The first promise that was broken. Nothing throws: what is told of it goes on until the world
// looks.
class Verdict {
 public:
  void Expect(bool holds, std::string_view promise) {
    if (holds || broken()) return;
    promise_ = promise;
    step_ = steps_;
  }
  // For people, about the promise that has just been broken.
  void Explain(std::string detail) {
    if (broken() && detail_.empty()) detail_ = std::move(detail);
  }
  bool broken() const { return !promise_.empty(); }
  const std::string& detail() const { return detail_; }
  const std::string& promise() const { return promise_; }
  uint64_t step() const { return step_; }

  // Commands that changed something and faults, so far. What is only looked at, and what is
  // refused, repeated or made up and changes nothing, is none; the coverage tells how often that
  // was.
  uint64_t steps() const { return steps_; }
  void CountStep() { ++steps_; }

 private:
  std::string promise_;
  std::string detail_;
  uint64_t step_ = 0;
  uint64_t steps_ = 0;
};

struct Scene {
  Random& random;
  VirtualClock& clock;
  const platform::MacKeys& keys;
  Verdict& verdict;
  Coverage& coverage;

  void Expect(bool holds, std::string_view promise) const { verdict.Expect(holds, promise); }
  void CountStep() const { verdict.CountStep(); }
  // A fault, or a command that changes something for sure.
  void Did(Deed deed) const {
    verdict.CountStep();
    coverage.Count(deed);
  }
};

}  // namespace kantoku::simulation

#endif  // KANTOKU_TESTS_SIMULATION_WORLD_SCENE_H_
