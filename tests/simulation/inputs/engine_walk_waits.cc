#include <algorithm>
#include <numeric>

#include "tests/simulation/inputs/engine_walk.h"

// What tasks wait for: the engine, which keeps logs of lanes, against a model that looks at every
// task before time passes.
namespace kantoku::inputs::testing {
namespace {

int64_t Milliseconds(const platform::Now& now) { return absl::ToInt64Milliseconds(now.steady); }

int64_t& Of(CauseTimes& times, WaitCause cause) { return times[static_cast<size_t>(cause)]; }

int64_t Sum(const CauseTimes& times) {
  return std::accumulate(times.begin(), times.end(), int64_t{0});
}

}  // namespace

void EngineWalk::Pass(absl::Duration time) {
  const int64_t before = Milliseconds(now_);
  const std::vector<TaskView> living = Living();
  now_.steady += time;
  now_.wall += time;
  for (const TaskView& view : living) {
    if (view.cause == WaitCause::kNone) continue;
    Of(waits_[view.id], view.cause) += Milliseconds(now_) - before;
  }
}

void EngineWalk::CheckWaits() {
  for (const TaskView& view : Living()) {
    auto waits = engine_->WaitsOf(view.id, now_);
    Expect(waits.has_value(), "what lives has waited for something or nothing");
    const CauseTimes model = waits_[view.id];
    Expect(Sum(*waits) == Sum(model), "waits sum up to the time that was waited");
    if (options_.wait_intervals < kEnoughIntervals) continue;  // Shares of long ago are merged.
    Expect(*waits == model, "every time that was waited has the cause that held");
  }
}

// Of the time before, the engine knows what was recorded.
void EngineWalk::RecoverWaits() {
  waits_.clear();
  for (const TaskView& view : Living()) {
    auto waits = *engine_->WaitsOf(view.id, now_);
    const bool waiting = view.session.empty() && view.state != TaskState::kSettling;
    const int64_t age = std::max(int64_t{0}, absl::ToInt64Milliseconds(now_.wall - view.id.time()));
    if (waiting && !records_.states.contains(view.id.key())) {
      Expect(Of(waits, WaitCause::kRecovering) == Sum(waits) && Sum(waits) == age,
             "of what waited from the start all the time before a restart is recovering");
      if (age > 0) ++counts_["recovering"];
    }
    waits_[view.id] = waits;
  }
}

}  // namespace kantoku::inputs::testing
