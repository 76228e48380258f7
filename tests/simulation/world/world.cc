#include "tests/simulation/world/world.h"

#include <algorithm>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/mac.h"
#include "tests/simulation/world/names.h"

namespace kantoku::simulation {
namespace {

constexpr int kExecutors = 4;
constexpr int kLiars = 2;
constexpr size_t kMostLiving = 130;
constexpr size_t kRememberedActs = 40;

bool IsWaiting(TaskState state) {
  return state == TaskState::kReady || state == TaskState::kScheduled ||
         state == TaskState::kBlocked;
}

// What a restart may make of the state: it forgets what was not worth a record. Which times are due
// goes by the wall clock, which may have been set.
bool Survives(const TaskView& view, TaskState after, bool stepping) {
  switch (view.state) {
    case TaskState::kReady:
    case TaskState::kScheduled:
    case TaskState::kBlocked:
      return IsWaiting(after);
    case TaskState::kRunning:
    case TaskState::kResuming:
      return after == TaskState::kLeased;
    case TaskState::kPausing:
      return after == (stepping ? TaskState::kLeased : TaskState::kPausing);
    case TaskState::kPaused:
      return after == (view.session.empty() ? TaskState::kPaused : TaskState::kPausing);
    default:
      return after == view.state;
  }
}

bool HasSameInfo(const TaskView& a, const TaskView& b) {
  return a.info == nullptr || b.info == nullptr ? a.info == b.info : *a.info == *b.info;
}

// Whether a task is the root of a tree of which nobody else lives, no record tells.
TaskId RootOf(const TaskView& view) { return view.root == view.id ? TaskId() : view.root; }

bool Survives(const TaskView& before, const TaskView& after, const ModelTask* task) {
  return Survives(before, after.state, task != nullptr && task->stepping) &&
         after.session == before.session && after.dispatch == before.dispatch &&
         after.failed_attempts == before.failed_attempts && after.reference == before.reference &&
         after.priority == before.priority && after.type == before.type &&
         after.parent == before.parent && RootOf(after) == RootOf(before) &&
         HasSameInfo(after, before) && after.restarted_from == before.restarted_from &&
         after.restarted_as == before.restarted_as && after.last_failure == before.last_failure;
}

}  // namespace

World::World(uint64_t seed)
    : random_(seed),
      keys_(*platform::MacKeys::Make({{1, std::string(32, 'k')}})),
      scene_{random_, clock_, *keys_, verdict_, coverage_},
      model_(scene_),
      outputs_(scene_, model_),
      couriers_(scene_, model_, outputs_),
      server_(scene_, model_, couriers_),
      witness_(scene_, server_, model_),
      gateway_(scene_, server_, witness_, model_),
      handlers_(scene_, model_),
      users_(scene_, server_, witness_, model_),
      waits_(scene_, server_, model_),
      reader_(scene_, model_, outputs_) {
  for (int i = 0; i < kExecutors; ++i) {
    executors_.push_back(std::make_unique<Executor>(scene_, i, gateway_, outputs_, handlers_));
  }
  witness_.AskHandlers([this](const SessionId& session, const TaskId& task, uint32_t dispatch) {
    return Runs(session, task, dispatch);
  });
  for (int i = 0; i < kLiars; ++i) {
    liars_.push_back(std::make_unique<Liar>(scene_, i, gateway_, outputs_, model_));
  }
}

// What still waits for an answer gets one, and looks at the others for it.
World::~World() { server_.Stop(); }

std::span<const World::Act> World::Acts() {
  static constexpr std::array kActs = {
      Act{"a user spawns", 350, &World::Spawn},
      Act{"a user spawns for several", 12, &World::SpawnShares},
      Act{"a handler spawns", 40, &World::SpawnAsHandler},
      Act{"a user repeats a call", 50, &World::RepeatSpawn},
      Act{"a user controls", 130, &World::Control},
      Act{"a user restarts", 60, &World::Restart},
      Act{"a user patches info", 60, &World::Patch},
      Act{"a user pauses a type", 8, &World::Pause},
      Act{"a user routes a type", 5, &World::Route},
      Act{"an operator asks an executor to leave", 8, &World::OperatorAsks},
      Act{"an operator blocks a user", 3, &World::OperatorBlocks},
      Act{"an operator sets a limit", 30, &World::OperatorLimits},
      Act{"Inputs reads", 1400, &World::ServerReads},
      Act{"an executor hears", 1200, &World::ExecutorHears},
      Act{"an executor works", 1200, &World::ExecutorWorks},
      Act{"an executor puts", 500, &World::ExecutorPuts},
      Act{"an executor puts items", 200, &World::ExecutorPutsItems},
      Act{"an executor gets arguments", 150, &World::ExecutorGetsResults},
      Act{"somebody reads items", 40, &World::ReaderReads},
      Act{"a fence goes to Outputs", 300, &World::FenceGoes},
      Act{"an answer comes from Outputs", 300, &World::FenceAnswerComes},
      Act{"lines go to Events", 200, &World::LinesGo},
      Act{"a call of an earlier owner arrives", 5, &World::LateCallComes},
      Act{"a liar acts", 250, &World::LiarActs},
      Act{"a connection breaks", 20, &World::ConnectionBreaks},
      Act{"an executor is killed", 2, &World::ExecutorDies},
      Act{"an executor freezes", 2, &World::ExecutorFreezes},
      Act{"an executor thaws", 8, &World::ExecutorThaws},
      Act{"an executor drains", 1, &World::ExecutorDrains},
      Act{"time passes", 250, &World::TimePasses},
      Act{"somebody looks why tasks wait", 5, &World::SomebodyLooks},
      Act{"somebody sets the clock", 2, &World::SomebodySetsTheClock},
      Act{"Inputs rests", 3, &World::ServerRests},
      Act{"Inputs crashes", 3, &World::ServerCrashes},
      Act{"Inputs drains", 1, &World::ServerDrains},
      Act{"Outputs crashes", 4, &World::OutputsCrashes},
  };
  return kActs;
}

void World::Run(uint64_t steps) {
  static const uint64_t whole = [] {
    uint64_t sum = 0;
    for (const Act& act : Acts()) sum += act.weight;
    return sum;
  }();
  while (verdict_.steps() < steps && !verdict_.broken()) {
    uint64_t chosen = random_.Pick(whole);
    const Act* act = Acts().data();
    for (; chosen >= act->weight; ++act) chosen -= act->weight;
    Remember(*act);
    (this->*act->go)();
    if (clock_.Read().steady >= restart_at_) ServerRestarts();
    server_.Turn();
  }
}

void World::Remember(const Act& act) {
  last_acts_.push_back(act.name);
  if (last_acts_.size() > kRememberedActs) last_acts_.pop_front();
  trace_.Fold(random_.Next());
  trace_.Fold(static_cast<uint64_t>(absl::ToInt64Nanoseconds(clock_.Read().steady)));
  trace_.Fold(verdict_.steps());
}

Couriers::Tell World::Tell() {
  return [this](const inputs::FenceAnswer& answer) {
    const Command command =
        answer.terminal.has_value() ? Command::kFenceEnded : Command::kFenceClosed;
    witness_.Around({{.command = command,
                      .task = answer.task,
                      .dispatch = answer.dispatch,
                      .session = {},
                      .terminal = answer.terminal}},
                    [&] { server_.partition().AnswerFences({answer}); });
  };
}

void World::Spawn() {
  if (model_.living().size() < kMostLiving || random_.Chance(10)) users_.Spawn();
}

void World::SpawnShares() {
  if (model_.living().size() < kMostLiving) users_.SpawnShares();
}

void World::SpawnAsHandler() {
  if (model_.living().size() < kMostLiving) users_.SpawnAsHandler();
}

void World::Restart() {
  if (model_.living().size() < kMostLiving || random_.Chance(50)) users_.Restart();
}

void World::OperatorBlocks() {
  users_.Block(random_.Chance(40) ? liars_[random_.Pick(liars_.size())]->caller()
                                  : AnyExecutor().caller());
}

void World::OperatorAsks() {
  const auto ask = [this](const auto& who) {
    gateway_.AskToLeave(who.caller(), who.session(), who.name_space());
  };
  if (random_.Chance(40))
    return ask(*liars_[random_.Pick(liars_.size())]);  // Who does not heed it.
  ask(AnyExecutor());
}

void World::LiarActs() { liars_[random_.Pick(liars_.size())]->Act(AnyExecutor().session()); }

void World::Pass(absl::Duration time) {
  const absl::Duration until = clock_.Read().steady + time;
  for (;;) {
    absl::Duration next = until;
    for (const auto& executor : executors_) next = std::min(next, executor->NextTime());
    const absl::Duration now = clock_.Read().steady;
    // Who wants to do something now that has to wait for others does it a little later.
    next = std::clamp(next, std::min(now + absl::Milliseconds(10), until), until);
    clock_.Advance(next - now);
    for (const auto& executor : executors_) executor->OnTime();
    if (next >= until) return;
  }
}

void World::TimePasses() {
  const absl::Duration wake = server_.NextWake();
  const bool was_due = wake <= clock_.Read().steady;
  const uint64_t kind = random_.Pick(100);
  Pass(random_.UpTo(kind < 60   ? absl::Milliseconds(5)
                    : kind < 90 ? absl::Milliseconds(200)
                    : kind < 99 ? absl::Seconds(2)
                                : absl::Seconds(15)));
  if (!was_due && wake <= clock_.Read().steady) scene_.Did(Deed::kTimer);
}

// What lasts shorter than the time until he looks again is seen by looking twice.
void World::SomebodyLooks() {
  waits_.Look();
  if (random_.Chance(50)) return;
  Pass(random_.UpTo(absl::Milliseconds(300)));
  waits_.Look();
}

void World::SomebodySetsTheClock() {
  scene_.Did(Deed::kWallClockSet);
  waits_.ClockIsSet();
  model_.WallIs(clock_.Read().wall);
  clock_.SetWall(random_.UpTo(absl::Hours(1)) - absl::Minutes(30));
}

void World::ServerRests() {
  server_.Flush();
  model_.CheckHeard();
  for (const auto& [name_space, limit] : server_.Limits()) model_.CheckSlots(name_space, limit);
}

void World::ServerCrashes() {
  std::map<TaskId, TaskView> before;
  const bool compare = random_.Chance(30);
  if (compare) {
    before = server_.List();
    CheckSessions(before);
    CheckPaused(before);
    model_.CheckHeard();
  }
  for (const auto& [id, view] : before) coverage_.Count(Command::kCrash, view.state);
  restart_at_ = absl::InfiniteDuration();
  server_.Crash();
  gateway_.ServerLost();
  if (compare) return CheckRecovery(before);
  if (random_.Chance(50)) ServerRests();
}

void World::ServerDrains() {
  if (restart_at_ != absl::InfiniteDuration()) return;
  scene_.Did(Deed::kDrain);
  const absl::Duration within = random_.UpTo(absl::Seconds(5));
  server_.partition().Drain(within);
  restart_at_ = clock_.Read().steady + within;
}

void World::ServerRestarts() {
  restart_at_ = absl::InfiniteDuration();
  server_.Restart();
  gateway_.ServerLost();
}

void World::CheckRecovery(const std::map<TaskId, TaskView>& before) {
  const std::map<TaskId, TaskView> after = server_.List();
  for (const auto& [id, view] : before) {
    const auto found = after.find(id);
    if (found == after.end()) {
      scene_.Expect(model_.Find(id) == nullptr, "recovery forgets no task");
      continue;
    }
    const TaskView& now = found->second;
    if (Survives(view, now, model_.Find(id))) continue;
    scene_.Expect(false, "recovery equals the state before");
    verdict_.Explain(absl::StrCat("before: ", Describe(view), "; after: ", Describe(now)));
  }
  CheckSessions(after);
  model_.CheckHeard();
  for (const auto& [id, view] : after) {
    scene_.Expect(before.contains(id), "recovery invents no task");
  }
}

void World::CheckSessions(const std::map<TaskId, TaskView>& tasks) {
  std::map<SessionId, uint32_t> held;
  for (const auto& [id, view] : tasks) {
    if (!view.session.empty()) ++held[view.session];
  }
  for (const auto& view : server_.Sessions()) {
    scene_.Expect(view.max_held <= kMaxSessionCredit, "credit is capped");
    scene_.Expect(view.held == held[view.id], "a session shows as many tasks as it holds");
    held.erase(view.id);
  }
  scene_.Expect(held.empty(), "only sessions hold tasks");
}

void World::CheckPaused(const std::map<TaskId, TaskView>& tasks) const {
  for (const auto& [id, view] : tasks) {
    scene_.Expect(view.state != TaskState::kPaused || !Runs(view.session, id, view.dispatch),
                  "a task that is paused runs nowhere");
  }
}

bool World::Runs(const SessionId& session, const TaskId& task, uint32_t dispatch) const {
  return std::ranges::any_of(executors_, [&](const auto& executor) {
    return executor->session() == session && executor->Runs(task, dispatch);
  });
}

void World::CheckSlots() {
  if (verdict_.broken()) return;
  for (const auto& [name_space, limit] : server_.Limits()) {
    scene_.Expect(limit.running == 0 && limit.waiting == 0 && limit.tasks == 0,
                  "no slot and no place in a line outlives its task");
  }
}

void World::OutputsCrashes() {
  if (random_.Chance(60)) return outputs_.CrashInCall();
  scene_.Did(Deed::kOutputsCrash);
  outputs_.Crash();
}

void World::Finish() {
  if (verdict_.broken()) return;
  if (restart_at_ != absl::InfiniteDuration()) ServerRestarts();
  for (const auto& liar : liars_) liar->Leave();
  clock_.SetWall(absl::ZeroDuration());
  outputs_.BecomeReliable();
  for (const auto& executor : executors_) executor->BecomeDiligent();
  const auto exchange = [&] {
    gateway_.ReadAll();
    server_.Flush();
    couriers_.CarryAll(server_.partition(), Tell());
    server_.Flush();
    for (const auto& executor : executors_) {
      for (int i = 0; i < 4; ++i) executor->Hear();
      for (int i = 0; i < 2; ++i) executor->GetResults();
      executor->WorkAll();
      for (int i = 0; i < 2; ++i) executor->PutItems();
      executor->Put();
      executor->Put();
    }
  };
  for (int round = 0; round < 2'000 && !model_.living().empty() && !verdict_.broken(); ++round) {
    users_.ResumeAll();  // Whoever paused it is gone.
    exchange();
    Pass(round < 500 ? absl::Milliseconds(100) : absl::Seconds(2));
  }
  scene_.Expect(model_.living().empty(), "everything ends");
  CheckSlots();
  for (int round = 0; round < 20 && !verdict_.broken(); ++round) {
    for (const auto& executor : executors_) executor->Kill();
    gateway_.ReadAll();
    clock_.Advance(absl::Minutes(10));  // Ages may be wrong by what the wall clock was.
    server_.Flush();
    couriers_.CarryAll(server_.partition(), Tell());
    server_.Flush();
  }
  model_.CheckEmpty();
}

}  // namespace kantoku::simulation
