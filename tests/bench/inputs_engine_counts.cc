#include <valgrind/callgrind.h>

#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/selector/selector.h"
#include "services/platform/check.h"
#include "tests/bench/driven_engine.h"

// What each hot operation of the engine costs in instructions: to be run under callgrind, which is
// told what belongs to which operation and writes a dump named after it for each time that it was
// counted. Prints how many operations the dumps of a name hold. scripts/counts.py runs it.
namespace kantoku::inputs::bench {
namespace {

constexpr int kWarmUps = 2;  // Rounds after which memory has grown, and what is old is forgotten.
constexpr int kRounds = 4;
constexpr uint32_t kTasks = 1'000;  // A round.
constexpr uint32_t kBatch = 100;

using Batches = std::vector<std::vector<TaskSpec>>;

class Counter {
 public:
  // Does the round some times, and counts once nothing is new to the engine any more.
  template <typename Round>
  void Repeat(Round round) {
    for (int i = 0; i < kWarmUps + kRounds; ++i) {
      warm_ = i >= kWarmUps;
      round();
    }
  }

  // The work is so many of the operation, and nothing else.
  template <typename Work>
  void Count(const std::string& operation, size_t times, Work work) {
    if (!warm_) return work();
    CALLGRIND_ZERO_STATS;
    work();
    CALLGRIND_DUMP_STATS_AT(operation.c_str());
    times_[operation] += times;
  }

  void Print() const {
    for (const auto& [operation, times] : times_)
      std::printf("%s\t%zu\n", operation.c_str(), times);
  }

 private:
  bool warm_ = false;
  std::map<std::string, size_t> times_;
};

// Forgets as soon as it may, so that forgetting is in the counts, as it is with a server that has
// run for long.
EngineOptions Forgetful() {
  EngineOptions options;
  options.history = absl::Milliseconds(2);
  options.dead_retention = absl::Milliseconds(2);
  options.request_memory = absl::Milliseconds(2);
  return options;
}

// With executors of the types "work" and "other", which have labels as others have.
class World : public DrivenEngine {
 public:
  explicit World(const EngineOptions& options = Forgetful()) : DrivenEngine(options) {
    for (uint32_t i = 1; i <= 8; ++i) {
      const auto labels = Labels::Make({{"app", "kantoku-executor"},
                                        {"executor", "bench"},
                                        {"mem_gib", absl::StrCat(8 * i)},
                                        {"owner", std::string(kOwner)},
                                        {"zone", i % 2 == 0 ? "a" : "b"}});
      labels_.push_back(*labels);
      OpenWorker(i);
    }
    EndGroup();
  }
  ConnectionId OpenWorker(uint32_t session, std::span<const HeldDispatch> presented = {}) {
    return Open(session, types_, labels_[(session - 1) % labels_.size()], presented);
  }
  // The ids of all of them.
  std::vector<TaskId> SpawnAll(const Batches& batches) {
    std::vector<TaskId> ids;
    for (const auto& batch : batches) {
      for (const auto& item : Spawn(batch).items) ids.push_back(item.id);
    }
    return ids;
  }
  // Until nothing is left that can run.
  void RunHeld() {
    while (!held.empty()) {
      StartHeld();
      FinishHeld();
      EndGroup();
    }
  }

 private:
  const std::vector<std::string> types_ = {"work", "other"};
  std::vector<Labels> labels_;
};

// `make(i)` is the i-th task of a round.
template <typename Make>
Batches MakeBatches(Make make) {
  Batches batches(kTasks / kBatch);
  for (uint32_t i = 0; i < kTasks; ++i) batches[i / kBatch].push_back(make(i));
  return batches;
}

TaskSpec SpecOf(std::string type) { return {.type = std::move(type)}; }
TaskSpec PlainSpec(uint32_t /*number*/) { return SpecOf("work"); }
TaskSpec UnwantedSpec(uint32_t /*number*/) { return SpecOf("nobody.does.this"); }

// The shared limits bind when so many tasks are more than `allowed`.
TaskSpec KeyedSpec(uint32_t number, uint32_t allowed) {
  TaskSpec spec = SpecOf("work");
  spec.priority = static_cast<int32_t>(number % 8);
  spec.keys = std::make_shared<const TaskKeys>(TaskKeys{
      .ordering = {},
      .fairness = absl::StrCat("user-", number),
      .concurrency = {{.name = "all", .limit = allowed}},
      .rates = {{.name = "all", .rate = {.tokens = 1'000'000'000, .burst = 1'000'000'000}}}});
  return spec;
}

// Eight selectors, each of which several executors match.
TaskSpec PlacedSpec(uint32_t number) {
  const std::string text = absl::StrCat(R"(zone == "a" && mem_gib >= )", 8 + number % 8);
  TaskSpec spec = SpecOf("work");
  spec.placement =
      std::make_shared<const Placement>(Placement{.selector = Selector::Parse(text).value()});
  return spec;
}

// From spawn to end, of tasks that there are executors for; `kind` tells them from others.
void CountLives(Counter& counter, const std::string& kind, const Batches& batches) {
  World world;
  counter.Repeat([&] {
    counter.Count("spawn in a batch of 100" + kind, kTasks, [&] {
      for (const auto& batch : batches) world.Spawn(batch);
    });
    counter.Count("dispatch" + kind, kTasks, [&] { world.FinishGroup(); });
    world.UseEffects();
    KANTOKU_CHECK(world.held.size() == kTasks);
    counter.Count("start" + kind, kTasks, [&] { world.StartHeld(); });
    counter.Count("finish" + kind, kTasks, [&] {
      world.FinishHeld();
      world.FinishGroup();
    });
    world.UseEffects();
    KANTOKU_CHECK(world.engine.pending() == 0);
  });
}

void CountSpawnAlone(Counter& counter) {
  World world;
  const std::vector<TaskSpec> spec = {SpecOf("work")};
  counter.Repeat([&] {
    counter.Count("spawn alone", kTasks, [&] {
      for (uint32_t i = 0; i < kTasks; ++i) world.Spawn(spec);
    });
    world.EndGroup();
    world.RunHeld();
  });
}

// Half of the tasks wait for the other half, each for one in its batch; meanwhile who would run
// them takes none.
void CountDependencies(Counter& counter) {
  World world;
  const std::vector<std::string> type = {"after"};
  const ConnectionId after = world.Open(100, type);
  const Batches batches = MakeBatches([](uint32_t i) {
    TaskSpec spec = SpecOf(i % 2 == 0 ? "work" : "after");
    if (i % 2 == 1) spec.dependencies = {{.task = {}, .place = i % kBatch - 1}};
    return spec;
  });
  counter.Repeat([&] {
    world.engine.SetCredit(after, 0);
    counter.Count("spawn in a batch of 100, half with a dependency", kTasks, [&] {
      for (const auto& batch : batches) world.Spawn(batch);
    });
    world.EndGroup();
    KANTOKU_CHECK(world.held.size() == kTasks / 2);
    world.StartHeld();
    counter.Count("finish what another task waits for", kTasks / 2, [&] {
      world.FinishHeld();
      world.FinishGroup();
    });
    world.engine.SetCredit(after, kTasks);
    world.EndGroup();
    KANTOKU_CHECK(world.held.size() == kTasks / 2);
    world.RunHeld();
  });
}

// All delays are over at once.
void CountDelays(Counter& counter) {
  World world;
  const std::vector<std::string> type = {"later"};
  const ConnectionId later = world.Open(100, type);
  counter.Repeat([&] {
    world.engine.SetCredit(later, 0);
    const Batches batches = MakeBatches([&](uint32_t i) {
      TaskSpec spec = SpecOf("later");
      spec.not_before = world.now.wall + absl::Milliseconds(1'000 + i * 7'919 % kTasks);
      return spec;
    });
    counter.Count("spawn in a batch of 100 with a delay", kTasks, [&] {
      for (const auto& batch : batches) world.Spawn(batch);
    });
    world.EndGroup();
    world.Pass(absl::Seconds(3));
    counter.Count("end of a delay", kTasks, [&] { world.FinishGroup(); });
    world.engine.SetCredit(later, kTasks);
    world.EndGroup();
    KANTOKU_CHECK(world.held.size() == kTasks);
    world.RunHeld();
  });
}

// Of children that wait, below a root that runs.
void CountTree(Counter& counter) {
  World world;
  counter.Repeat([&] {
    const TaskId root = world.Spawn(std::vector<TaskSpec>{SpecOf("work")}).items[0].id;
    world.EndGroup();
    const std::vector<DrivenEngine::Held> holder = world.held;
    const Batches batches = MakeBatches([&](uint32_t i) {
      TaskSpec spec = UnwantedSpec(i);
      spec.parent = root;
      return spec;
    });
    std::vector<TaskId> children;
    counter.Count("spawn in a batch of 100 into a tree", kTasks,
                  [&] { children = world.SpawnAll(batches); });
    world.EndGroup();
    counter.Count("cancel in a tree", kTasks, [&] {
      const auto asked = world.engine.Control(
          {.task = root, .verb = ControlVerb::kCancel, .tree = true}, world.now, world.effects);
      KANTOKU_CHECK(asked.ok());
      world.FinishGroup();
    });
    KANTOKU_CHECK(world.effects.fences.size() == kTasks);
    world.UseEffects();
    counter.Count("end as cancelled in a tree", kTasks, [&] {
      for (const TaskId& child : children) {
        world.engine.FenceAnswered(child, 0, TaskState::kCancelled, world.now, world.effects);
      }
      world.FinishGroup();
    });
    world.engine.Finished(root, holder[0].dispatch, world.now, world.effects);
    world.EndGroup();
    KANTOKU_CHECK(world.engine.pending() == 0);
  });
}

void CountFailures(Counter& counter) {
  World world;
  const Batches batches = MakeBatches(PlainSpec);
  counter.Repeat([&] {
    world.SpawnAll(batches);
    world.EndGroup();
    world.StartHeld();
    const std::vector<DrivenEngine::Held> failing = world.held;
    counter.Count("fail an attempt", kTasks, [&] {
      for (const auto& [connection, task, dispatch] : failing) {
        const auto heard = world.engine.Nack(
            connection, {task, dispatch, NackKind::kFailed, {"HANDLER_FAILED", "no"}}, world.now,
            world.effects);
        KANTOKU_CHECK(heard.ok());
      }
      world.FinishGroup();
    });
    world.UseEffects();
    counter.Count("answer a fence", kTasks, [&] {
      for (const auto& [connection, task, dispatch] : failing) {
        world.engine.FenceAnswered(task, dispatch, std::nullopt, world.now, world.effects);
      }
      world.FinishGroup();
    });
    world.Pass(absl::Seconds(2));
    counter.Count("end of a backoff, and dispatch", kTasks, [&] { world.FinishGroup(); });
    world.UseEffects();
    KANTOKU_CHECK(world.held.size() == kTasks);
    world.RunHeld();
  });
}

// What executors say of a thousand tasks that they hold, and are told.
void CountHolding(Counter& counter) {
  EngineOptions options = Forgetful();
  options.renew_interval = absl::Seconds(10);
  World world(options);
  world.SpawnAll(MakeBatches(PlainSpec));
  world.EndGroup();
  world.StartHeld();
  const std::vector<DrivenEngine::Held> holding = world.held;
  world.EndGroup();
  counter.Repeat([&] {
    counter.Count("report progress", kTasks, [&] {
      for (const auto& [connection, task, dispatch] : holding) {
        const auto heard = world.engine.Progress(connection, task, dispatch, 0.5,
                                                 "half of it is done", world.now, world.effects);
        KANTOKU_CHECK(heard.ok());
      }
      world.FinishGroup();
    });
    KANTOKU_CHECK(world.effects.events.size() == kTasks);
    world.UseEffects();
    world.Pass(absl::Seconds(10));
    counter.Count("renew a lease", kTasks, [&] { world.FinishGroup(); });
    KANTOKU_CHECK(world.effects.renewals.size() == kTasks);
    world.UseEffects();
  });
}

// Of executors that hold nothing.
void CountSessions(Counter& counter) {
  constexpr uint32_t kSessions = 200;
  World world;
  std::vector<ConnectionId> connections;
  connections.reserve(kSessions);
  counter.Repeat([&] {
    connections.clear();
    counter.Count("open a session", kSessions, [&] {
      for (uint32_t i = 0; i < kSessions; ++i) connections.push_back(world.OpenWorker(1'000 + i));
      world.FinishGroup();
    });
    world.UseEffects();
    counter.Count("close a session", kSessions, [&] {
      for (const ConnectionId connection : connections) {
        world.engine.CloseConnection(connection, world.now, world.effects);
      }
      world.FinishGroup();
    });
    world.UseEffects();
  });
}

void CountReturns(Counter& counter) {
  World world;
  std::map<ConnectionId, std::vector<HeldDispatch>> presented;
  world.SpawnAll(MakeBatches(PlainSpec));
  world.EndGroup();
  world.StartHeld();
  for (const auto& [connection, task, dispatch] : world.held) {
    presented[connection].push_back({.task = task, .dispatch = dispatch, .started = true});
  }
  world.EndGroup();
  counter.Repeat([&] {
    counter.Count("come back with a task", kTasks, [&] {
      uint32_t session = 0;
      for (const auto& [connection, tasks] : presented) world.OpenWorker(++session, tasks);
      world.FinishGroup();
    });
    world.UseEffects();
  });
  KANTOKU_CHECK(world.engine.pending() == kTasks);
}

// As GetTasks does.
void CountAsking(Counter& counter, const std::string& kind, WaitCause cause,
                 const Batches& batches) {
  World world;
  const std::vector<TaskId> tasks = world.SpawnAll(batches);
  world.EndGroup();
  KANTOKU_CHECK(world.engine.Find(tasks.back())->cause == cause);
  counter.Repeat([&] {
    counter.Count("ask why a task waits" + kind, kTasks, [&] {
      for (const TaskId& task : tasks) {
        const auto view = world.engine.Find(task);
        const auto waits = world.engine.WaitsOf(task, world.now);
        KANTOKU_CHECK(view.has_value() && waits.has_value());
      }
    });
    world.EndGroup();
  });
}

// Sessions with a connection each, and a long queue, of which nothing is due.
void CountGroups(Counter& counter) {
  World world;
  const Batches batches = MakeBatches(UnwantedSpec);
  for (int i = 0; i < 10; ++i) world.SpawnAll(batches);
  world.EndGroup();
  counter.Repeat([&] {
    counter.Count("group without work", kTasks, [&] {
      for (uint32_t i = 0; i < kTasks; ++i) {
        world.FinishGroup();
        world.engine.FreeUnused();
        (void)world.engine.NextWake(world.now);
      }
    });
  });
}

// Of records as they have been read and decoded. Tasks that are held were dispatched to one
// session, in groups of a hundred.
void CountRecovery(Counter& counter, const std::string& operation, bool held,
                   const TaskSpec& spec) {
  const platform::Now now{absl::FromUnixSeconds(1'700'000'000), absl::Seconds(1'000)};
  constexpr uint64_t kRecovered = 5 * kTasks;
  const SessionRecord session{.id = SessionId(platform::Uuid({1})),
                              .caller = {std::string(DrivenEngine::kOwner), "kantoku-executor"},
                              .name_space = std::string(DrivenEngine::kNameSpace)};
  counter.Repeat([&] {
    Engine engine((EngineOptions()));
    Effects effects;
    const uint32_t slot = engine.SlotOf(DrivenEngine::kNameSpace);
    std::vector<TaskId> ids;
    std::vector<DispatchGroupRecord> groups(kRecovered / kBatch);
    for (uint64_t i = 0; i < kRecovered; ++i) {
      ids.push_back(TaskId::Make(now.wall, slot, i, i * i));
      groups[i / kBatch].entries.push_back({.task = ids[i].key(), .dispatch = 1, .session = 1});
    }
    counter.Count(operation, kRecovered, [&] {
      engine.RecoverHighWater(slot, kRecovered);
      if (held) engine.RecoverSession(1, session);
      for (const TaskId& id : ids) {
        engine.RecoverTask(id, DrivenEngine::kNameSpace, DrivenEngine::kOwner, spec);
      }
      for (size_t i = 0; held && i < groups.size(); ++i) engine.RecoverGroup(i + 1, groups[i]);
      engine.FinishRecovery(now, effects);
    });
    const TaskState state = held ? TaskState::kLeased : TaskState::kReady;
    KANTOKU_CHECK(engine.Find(ids.back())->state == state);
  });
}

int Main() {
  const auto keyed = [](uint32_t allowed) {
    return MakeBatches([allowed](uint32_t number) { return KeyedSpec(number, allowed); });
  };
  Counter counter;
  CountLives(counter, "", MakeBatches(PlainSpec));
  CountLives(counter, " with keys", keyed(1'000'000));
  CountLives(counter, " with a selector", MakeBatches(PlacedSpec));
  CountSpawnAlone(counter);
  CountDependencies(counter);
  CountDelays(counter);
  CountTree(counter);
  CountFailures(counter);
  CountHolding(counter);
  CountSessions(counter);
  CountReturns(counter);
  CountAsking(counter, "", WaitCause::kNoImplementation, MakeBatches(UnwantedSpec));
  CountAsking(counter, " for a key", WaitCause::kConcurrencyKey, keyed(1));
  CountGroups(counter);
  CountRecovery(counter, "recover a waiting task", /*held=*/false, SpecOf("work"));
  CountRecovery(counter, "recover a held task", /*held=*/true, SpecOf("work"));
  CountRecovery(counter, "recover a task with keys", /*held=*/false, KeyedSpec(1, 1'000'000));
  counter.Print();
  return 0;
}

}  // namespace
}  // namespace kantoku::inputs::bench

int main() { return kantoku::inputs::bench::Main(); }
