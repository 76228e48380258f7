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
  HearOfHeld();
  const int64_t before = Milliseconds(now_);
  const std::vector<TaskView> living = Living();
  now_.steady += time;
  now_.wall += time;
  for (const TaskView& view : living) {
    if (view.cause == WaitCause::kNone) continue;
    Of(waits_[view.id], view.cause) += Milliseconds(now_) - before;
  }
}

// What was held when the engine went has waited all the time, if it turns out that its handler had
// not begun; if it had, none of it.
void EngineWalk::HearOfHeld() {
  for (auto held = unheard_.begin(); held != unheard_.end();) {
    const auto& [id, away] = *held;
    const auto waits = engine_->WaitsOf(id, now_);
    CauseTimes& model = waits_[id];
    if (waits.has_value() && *waits == model) {
      ++held;
      continue;
    }
    for (const WaitCause cause : {WaitCause::kExecutorQueue, WaitCause::kPaused}) {
      CauseTimes waited = model;
      Of(waited, WaitCause::kRecovering) += away;
      Of(waited, cause) += Milliseconds(now_) - recovered_at_;
      if (!waits.has_value() || *waits != waited) continue;
      model = waited;
      ++counts_["heard of late that it had not begun"];
      break;
    }
    held = unheard_.erase(held);
  }
}

void EngineWalk::CheckWaits() {
  HearOfHeld();
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
  unheard_.clear();
  recovered_at_ = Milliseconds(now_);
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
    if (!view.session.empty()) unheard_[view.id] = HeldFor(view);
  }
}

// How long before now it was dispatched, or a record told of it since.
int64_t EngineWalk::HeldFor(const TaskView& view) const {
  const auto state = records_.states.find(view.id.key());
  const bool marked = state != records_.states.end() && state->second.waited_until.has_value();
  absl::Time since = marked ? *state->second.waited_until : view.id.time();
  for (const auto& [number, group] : records_.groups) {
    const bool has = std::ranges::any_of(group.entries, [&](const auto& entry) {
      return entry.task == view.id.key() && entry.dispatch == view.dispatch;
    });
    if (has && group.at.has_value()) since = std::max(since, *group.at);
  }
  return absl::ToInt64Milliseconds(std::max(now_.wall - since, absl::ZeroDuration()));
}

}  // namespace kantoku::inputs::testing
