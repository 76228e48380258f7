#ifndef KANTOKU_TESTS_BENCH_DRIVEN_ENGINE_H_
#define KANTOKU_TESTS_BENCH_DRIVEN_ENGINE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/inputs/engine/engine.h"

namespace kantoku::inputs::bench {

// An engine that is driven as a partition drives one, without a store: group after group, with
// executors that hold what they are sent until they are told to do more. Time passes as it is told
// and half a millisecond a group, so that equal drives do the same. Whoever measures one step of a
// group takes it with the members.
class DrivenEngine {
 public:
  struct Held {
    ConnectionId connection;
    TaskId task;
    uint32_t dispatch;
  };
  static constexpr std::string_view kNameSpace = "default";
  static constexpr std::string_view kOwner = "018f2c3a-abcd-7123-8456-00ff10203040";

  explicit DrivenEngine(const EngineOptions& options = {});

  // Opens the session of this number, again if it is there: its new connection. It has room for a
  // thousand tasks.
  ConnectionId Open(uint32_t session, std::span<const std::string> types, const Labels& labels = {},
                    std::span<const HeldDispatch> presented = {});
  SpawnOutcome Spawn(std::span<const TaskSpec> specs);
  // What was dispatched in the group is what is held from now on.
  void EndGroup();
  // The two halves of it: what the engine does, and what becomes of the effects.
  void FinishGroup() { engine.FinishGroup(now, effects); }
  void UseEffects();
  void Pass(absl::Duration time);
  // Of everything that is held, in the open group.
  void StartHeld();
  void FinishHeld();

  platform::Now now{absl::FromUnixSeconds(1'700'000'000), absl::Seconds(1'000)};
  Engine engine;
  Effects effects;         // Of the open group.
  std::vector<Held> held;  // Since the latest group.

 private:
  uint64_t request_ = 0;
  ConnectionId connection_ = 0;
};

}  // namespace kantoku::inputs::bench

#endif  // KANTOKU_TESTS_BENCH_DRIVEN_ENGINE_H_
