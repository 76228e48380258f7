#include "tests/bench/driven_engine.h"

#include <array>
#include <cstring>
#include <utility>

#include "services/platform/check.h"

namespace kantoku::inputs::bench {

DrivenEngine::DrivenEngine(const EngineOptions& options) : engine(options) {
  engine.FinishRecovery(now, effects);
}

ConnectionId DrivenEngine::Open(uint32_t session, std::span<const std::string> types,
                                const Labels& labels, std::span<const HeldDispatch> presented) {
  std::array<uint8_t, 16> id{};
  std::memcpy(id.data(), &session, sizeof(session));
  const auto opened = engine.OpenSession({.session = SessionId(platform::Uuid(id)),
                                          .caller = {std::string(kOwner), "kantoku-executor"},
                                          .name_space = kNameSpace,
                                          .name = "bench",
                                          .types = types,
                                          .labels = labels,
                                          .held = presented,
                                          .max_held = 1'000,
                                          .connection = ++connection_},
                                         now, effects);
  KANTOKU_CHECK(opened.ok());
  return connection_;
}

SpawnOutcome DrivenEngine::Spawn(std::span<const TaskSpec> specs) {
  ++request_;
  auto outcome = engine.Spawn({.name_space = kNameSpace,
                               .owner = kOwner,
                               .request = {request_, 0},
                               .specs = specs,
                               .random = request_,
                               .app = "console"},
                              now, effects);
  KANTOKU_CHECK(outcome.ok());
  return *std::move(outcome);
}

void DrivenEngine::EndGroup() {
  FinishGroup();
  UseEffects();
}

void DrivenEngine::UseEffects() {
  held.clear();
  for (const DispatchMessage& message : effects.dispatches) {
    held.push_back({message.connection, message.task, message.dispatch});
  }
  effects.Clear();
  engine.FreeUnused();
  Pass(absl::Microseconds(500));
}

void DrivenEngine::Pass(absl::Duration time) {
  now.steady += time;
  now.wall += time;
}

void DrivenEngine::StartHeld() {
  for (const Held& each : held) {
    const auto status = engine.Started(each.connection, each.task, each.dispatch, now, effects);
    KANTOKU_CHECK(status.ok());
  }
}

void DrivenEngine::FinishHeld() {
  for (const Held& each : held) engine.Finished(each.task, each.dispatch, now, effects);
}

}  // namespace kantoku::inputs::bench
