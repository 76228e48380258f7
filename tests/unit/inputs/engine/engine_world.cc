#include "tests/unit/inputs/engine/engine_world.h"

#include <algorithm>
#include <utility>

namespace kantoku::inputs::testing {

platform::Viewer As(std::string subject) {
  return platform::Viewer(platform::Onlooker(std::move(subject), {platform::kEveryNamespace}));
}

SessionId SessionOf(uint8_t number) {
  std::array<uint8_t, 16> bytes{};
  bytes[0] = number;
  return SessionId(platform::Uuid(bytes));
}

TaskSpec Spec(std::string type, int32_t priority) {
  return {.type = std::move(type), .priority = priority};
}

TaskSpec Referenced(std::string reference, uint64_t payload) {
  TaskSpec spec = Spec();
  spec.reference = std::move(reference);
  spec.hashes = std::make_shared<const SpecHashes>(SpecHashes{1, payload, 3, 4, 5, 6, 7, 8});
  return spec;
}

EngineWorld::EngineWorld(const EngineOptions& given) : options(given) {
  engine = records.Recover(options, now, effects);
}

const Effects& EngineWorld::EndGroup() {
  engine->FinishGroup(now, effects);
  records.Apply(effects);
  last = std::exchange(effects, {});
  engine->FreeUnused();
  return last;
}

void EngineWorld::Pass(absl::Duration time) {
  now.wall += time;
  now.steady += time;
}

void EngineWorld::Crash() {
  effects.Clear();
  now.steady = absl::Seconds(5);
  now.wall += absl::Seconds(1);
  engine = records.Recover(options, now, effects);
}

absl::StatusOr<SpawnOutcome> EngineWorld::Spawn(const std::vector<TaskSpec>& specs,
                                                uint64_t request, uint64_t content) {
  return SpawnAs({}, "app", specs, request, content);
}

absl::StatusOr<SpawnOutcome> EngineWorld::SpawnAs(const std::optional<SpawningHandler>& handler,
                                                  std::string_view app,
                                                  const std::vector<TaskSpec>& specs,
                                                  uint64_t request, uint64_t content) {
  if (request == 0) request = next_request_++;
  auto outcome = engine->Spawn({.name_space = "default",
                                .owner = "local",
                                .request = {request, 0},
                                .content = {content, 0},
                                .specs = specs,
                                .random = request,
                                .app = app,
                                .handler = handler},
                               now, effects);
  if (outcome.ok()) records.AddSpecs("default", "local", specs, *outcome, engine.get());
  return outcome;
}

TaskId EngineWorld::DoSpawn(const TaskSpec& spec) {
  const auto outcome = Spawn({spec});
  REQUIRE(outcome.ok());
  EndGroup();
  return outcome->items.front().id;
}

ConnectionId EngineWorld::Open(uint8_t session, uint32_t credit,
                               const std::vector<HeldDispatch>& held,
                               const std::vector<std::string>& types, const Labels& labels) {
  auto answers = engine->OpenSession({.session = SessionOf(session),
                                      .caller = {"local", "local"},
                                      .name_space = "default",
                                      .name = "executor",
                                      .types = types,
                                      .labels = labels,
                                      .held = held,
                                      .max_held = credit,
                                      .connection = ++connection},
                                     now, effects);
  REQUIRE(answers.ok());
  verdicts = *std::move(answers);
  return connection;
}

TaskId EngineWorld::DoRun(const TaskSpec& spec) {
  Open(1, 10);
  const TaskId task = DoSpawn(spec);
  REQUIRE(Reason(engine->Started(connection, task, 1, now, effects)) == "OK");
  EndGroup();
  REQUIRE(StateOf(task) == TaskState::kRunning);
  return task;
}

absl::StatusOr<TaskState> EngineWorld::Control(const TaskId& task, ControlVerb verb) {
  return engine->Control({.task = task, .verb = verb}, now, effects);
}

absl::StatusOr<TaskState> EngineWorld::ControlTree(const TaskId& root, ControlVerb verb) {
  return engine->Control({.task = root, .verb = verb, .tree = true}, now, effects);
}

void EngineWorld::SayPaused(const TaskId& task, bool paused, uint32_t number) {
  const uint32_t dispatch = View(task).dispatch;
  const auto status =
      engine->HandlerStatus(connection, {task, dispatch, number, paused}, now, effects);
  REQUIRE(Reason(status) == "OK");
}

void EngineWorld::Nack(const TaskId& task, uint32_t dispatch, NackKind kind,
                       const std::string& reason) {
  const auto status =
      engine->Nack(connection, {task, dispatch, kind, {reason, "message"}}, now, effects);
  REQUIRE(Reason(status) == "OK");
}

void EngineWorld::AnswerFence(const TaskId& task, uint32_t dispatch, std::optional<TaskState> end) {
  engine->FenceAnswered(task, dispatch, end, now, effects);
}

void EngineWorld::Redeliver(const TaskId& task, uint32_t dispatch) {
  AnswerFence(task, dispatch);
  Pass(absl::Seconds(1));
  EndGroup();
}

TaskView EngineWorld::View(const TaskId& task) const {
  const auto view = engine->Find(task);
  REQUIRE(view.has_value());
  return *view;
}

std::optional<SessionView> EngineWorld::SessionViewOf(uint8_t session) const {
  for (auto& view : engine->Sessions("default")) {
    if (view.id == SessionOf(session)) return view;
  }
  return std::nullopt;
}

size_t EngineWorld::Events(EventType type) const {
  return static_cast<size_t>(std::ranges::count(last.events, type, &EventMessage::type));
}

std::optional<TaskView> EngineWorld::Ended(const TaskId& task) const {
  for (const auto* rows : {&last.history, &last.dead}) {
    for (const auto& row : *rows) {
      if (!row.record.has_value()) continue;
      for (const TaskView& view : *row.record) {
        if (view.id == task) return view;
      }
    }
  }
  return std::nullopt;
}

}  // namespace kantoku::inputs::testing
