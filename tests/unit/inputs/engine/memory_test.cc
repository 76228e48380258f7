#include <malloc.h>

#include <cstdlib>
#include <new>

#include "tests/unit/inputs/engine/admission_world.h"
#include "tests/unit/inputs/engine/engine_world.h"

namespace {

size_t bytes_in_use = 0;  // By `new`, in this one-threaded program.

void* Count(void* memory) {
  if (memory == nullptr) throw std::bad_alloc();
  bytes_in_use += malloc_usable_size(memory);
  return memory;
}

void Uncount(void* memory) {
  if (memory != nullptr) bytes_in_use -= malloc_usable_size(memory);
  std::free(memory);
}

}  // namespace

void* operator new(size_t size) { return Count(std::malloc(size)); }
void* operator new(size_t size, const std::nothrow_t&) noexcept { return Count(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t alignment) {
  return Count(std::aligned_alloc(static_cast<size_t>(alignment), size));
}
void operator delete(void* memory) noexcept { Uncount(memory); }
void operator delete(void* memory, size_t) noexcept { Uncount(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Uncount(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Uncount(memory); }

namespace kantoku::inputs::testing {
namespace {

// An engine whose records nobody keeps: what is counted is its own.
class Bare {
 public:
  Bare() { engine.FinishRecovery(now, effects); }

  std::vector<TaskId> Spawn(const std::vector<TaskSpec>& specs,
                            const std::string& owner = "local") {
    const auto outcome = engine.Spawn(
        {.name_space = "default", .owner = owner, .request = {++request_, 0}, .specs = specs}, now,
        effects);
    REQUIRE(outcome.ok());
    std::vector<TaskId> ids;
    for (const auto& item : outcome->items) ids.push_back(item.id);
    return ids;
  }
  void EndGroup() {
    engine.FinishGroup(now, effects);
    effects = {};
    engine.FreeUnused();
  }
  ConnectionId Open(uint8_t session, uint32_t credit, const std::vector<std::string>& types,
                    const Labels& labels = {}) {
    REQUIRE(engine
                .OpenSession({.session = SessionOf(session),
                              .name_space = "default",
                              .types = types,
                              .labels = labels,
                              .max_held = credit,
                              .connection = ++connection_},
                             now, effects)
                .ok());
    return connection_;
  }
  void Pass(absl::Duration time) {
    now.wall += time;
    now.steady += time;
  }

  platform::Now now{absl::FromUnixSeconds(1'700'000'000), absl::Seconds(1'000)};
  Engine engine{EngineOptions{}};
  Effects effects;

 private:
  uint64_t request_ = 0;
  ConnectionId connection_ = 0;
};

TEST_CASE("A plain task that waits takes at most 150 bytes, all structures counted") {
  constexpr size_t kTasks = 200'000;
  const bool delayed = GENERATE(false, true);
  Bare bare;
  TaskSpec spec = Spec();
  if (delayed) spec.not_before = bare.now.wall + absl::Hours(1);
  const std::vector<TaskSpec> batch(100, spec);
  bare.Spawn(batch);
  bare.EndGroup();
  const size_t before = bytes_in_use;
  for (size_t i = 0; i < kTasks / batch.size(); ++i) {
    bare.Spawn(batch);
    bare.EndGroup();
  }
  const double each = static_cast<double>(bytes_in_use - before) / kTasks;
  CAPTURE(delayed, each);
  CHECK(each <= 150);
  CHECK(each > 80);  // Else something was not counted.
}

// Bytes for each of many keys, with what `spec_of(name)` asks for; at each two tasks wait.
template <typename SpecOf>
double BytesOfKey(SpecOf spec_of) {
  constexpr size_t kKeys = 20'000;
  Bare bare;
  const auto spawn = [&](size_t first, size_t count) {
    for (size_t i = first; i < first + count; ++i) {
      bare.Spawn(std::vector<TaskSpec>(2, spec_of("key " + std::to_string(i))));
    }
    bare.EndGroup();
  };
  spawn(0, 100);
  const size_t before = bytes_in_use;
  spawn(100, kKeys);
  return static_cast<double>(bytes_in_use - before) / kKeys;
}

TEST_CASE("A key takes what is said of it, with its tasks and without") {
  constexpr size_t kKeys = 20'000;
  Bare bare;
  const size_t before = bytes_in_use;
  for (size_t i = 0; i < kKeys; ++i) {
    REQUIRE(bare.engine
                .SetLimit("default", NameOf(KeyKind::kConcurrency, "key " + std::to_string(i)),
                          {.number = 1}, bare.now, bare.effects)
                .ok());
    bare.EndGroup();
  }
  const double alone = static_cast<double>(bytes_in_use - before) / kKeys;
  const double concurrency =
      BytesOfKey([](const std::string& name) { return Keyed(Concurrency(name, 1)); });
  const double rate = BytesOfKey([](const std::string& name) {
    return Keyed(Throttled(name, 1, {.tokens = 1, .period_ms = 86'400'000, .burst = 1}));
  });
  const double ordering = BytesOfKey([](const std::string& name) { return Keyed(Ordered(name)); });
  const double fairness = BytesOfKey([](const std::string& name) { return Keyed(Fair(name)); });
  CAPTURE(alone, concurrency, rate, ordering, fairness);
  CHECK(alone <= 250);
  // Beyond what the tasks themselves take.
  CHECK(concurrency - ordering <= 700);
  CHECK(rate - ordering <= 700);
  CHECK(fairness - ordering <= 400);
}

TEST_CASE("Nothing stays of tasks, sessions and requests that are over") {
  Bare bare;
  const auto round = [&] {
    TaskSpec referenced = Referenced("reference of a length that needs memory of its own");
    std::vector<TaskId> ids = bare.Spawn({Spec(), Spec(), Spec(), Spec("work", 3), referenced});
    const ConnectionId connection = bare.Open(1, 10, {"work"});
    bare.EndGroup();
    bare.engine.Finished(ids[0], 1, bare.now, bare.effects);
    for (const TaskId& id : ids) {
      (void)bare.engine.Progress(connection, id, 1, 0.5, "", bare.now, bare.effects);
      (void)bare.engine.Nack(connection, {id, 1, NackKind::kFailedFinally, {"REASON", "x"}},
                             bare.now, bare.effects);
      bare.engine.FenceAnswered(id, 1, TaskState::kFailed, bare.now, bare.effects);
    }
    bare.engine.CloseConnection(connection, bare.now, bare.effects);
    bare.EndGroup();
    bare.Pass(absl::Hours(24 * 8));
    bare.EndGroup();
    REQUIRE(bare.engine.pending() == 0);
    REQUIRE(bare.engine.dead().size() == 0);
  };
  for (int i = 0; i < 200; ++i) round();
  const size_t before = bytes_in_use;
  for (int i = 0; i < 2'000; ++i) round();
  CAPTURE(before, bytes_in_use);
  CHECK(bytes_in_use <= before + 10'000);
}

TEST_CASE("Types, owners and policies that nobody uses any more leave nothing") {
  Bare bare;
  int number = 0;
  const auto round = [&] {
    const std::string name = " whose name needs memory of its own " + std::to_string(number++);
    TaskSpec spec = Spec("a type" + name);
    spec.retry.initial_backoff_ms = number;
    const TaskId id = bare.Spawn({spec}, "an owner" + name).front();
    const ConnectionId connection = bare.Open(1, 10, {"another type" + name});
    bare.EndGroup();
    bare.engine.Finished(id, 0, bare.now, bare.effects);
    bare.engine.CloseConnection(connection, bare.now, bare.effects);
    bare.EndGroup();
    bare.Pass(absl::Hours(2));  // History and requests are over.
    bare.EndGroup();
  };
  for (int i = 0; i < 2'000; ++i) round();
  const size_t before = bytes_in_use;
  for (int i = 0; i < 5'000; ++i) round();
  CAPTURE(before, bytes_in_use);
  CHECK(bytes_in_use <= before + 20'000);
}

TEST_CASE("Placements and label sets that nobody uses any more leave nothing") {
  Bare bare;
  int number = 0;
  const ConnectionId resident = bare.Open(2, 10, {"work"});
  const auto round = [&] {
    const std::string value = "a value that needs memory of its own " + std::to_string(number++);
    TaskSpec spec = Spec();
    spec.placement = std::make_shared<const Placement>(
        Placement{.selector = *Selector::Parse("name == '" + value + "'"), .pins = {}});
    TaskSpec pinned = Spec();
    pinned.placement =
        std::make_shared<const Placement>(Placement{.selector = {}, .pins = {.executor = value}});
    const auto ids = bare.Spawn({spec, pinned});
    const ConnectionId connection =
        bare.Open(1, 10, {"work"}, *Labels::Make({{"name", value}, {"executor", value}}));
    bare.EndGroup();
    REQUIRE(bare.engine.Find(ids[0])->state == TaskState::kLeased);
    for (const TaskId& id : ids) bare.engine.Finished(id, 1, bare.now, bare.effects);
    bare.engine.CloseConnection(connection, bare.now, bare.effects);
    bare.EndGroup();
    bare.Pass(absl::Hours(2));  // History and requests are over.
    bare.EndGroup();
  };
  for (int i = 0; i < 2'000; ++i) round();
  const size_t before = bytes_in_use;
  for (int i = 0; i < 5'000; ++i) round();
  CAPTURE(before, bytes_in_use, resident);
  CHECK(bytes_in_use <= before + 20'000);
}

TEST_CASE("Sessions that come and go leave nothing in lanes without tasks") {
  Bare bare;
  const auto round = [&] {
    const ConnectionId connection = bare.Open(1, 10, {"idle", "also idle"});
    bare.EndGroup();
    bare.engine.CloseConnection(connection, bare.now, bare.effects);
    bare.EndGroup();
  };
  for (int i = 0; i < 200; ++i) round();
  const size_t before = bytes_in_use;
  for (int i = 0; i < 5'000; ++i) round();
  CHECK(bytes_in_use <= before + 2'000);
}

TEST_CASE("A few tasks that outlive many others do not hold on to their memory") {
  Bare bare;
  bare.Open(1, 1'000, {"work"});
  const size_t before = bytes_in_use;
  for (int i = 0; i < 500; ++i) {
    const auto ids = bare.Spawn(std::vector<TaskSpec>(500, Spec()));
    bare.EndGroup();
    for (size_t at = 1; at < ids.size(); ++at) {
      bare.engine.Finished(ids[at], 1, bare.now, bare.effects);
    }
    bare.EndGroup();
    bare.Pass(absl::Hours(2));  // History and requests are over.
    (void)bare.engine.Control({.task = ids[0]}, bare.now, bare.effects);
    bare.EndGroup();
  }
  REQUIRE(bare.engine.pending() == 500);
  CHECK((bytes_in_use - before) / 500 < 1'000);
}

}  // namespace
}  // namespace kantoku::inputs::testing
