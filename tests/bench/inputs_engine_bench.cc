#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <vector>

#include "services/inputs/engine/engine.h"

// What the engine itself costs: spawn, dispatch, started and finish of a task, in groups of several
// sizes, with a backlog of waiting tasks. Prints one JSON line a measurement.
namespace kantoku::inputs {
namespace {

class Bench {
 public:
  Bench(size_t batch, size_t batches, size_t backlog)
      : specs_(batch, {.type = "text.wordcount"}), batches_(batches) {
    engine_.FinishRecovery(now_, effects_);
    const TaskSpec waiting{.type = "nobody.does.this"};
    const std::vector<TaskSpec> more(1'000, waiting);
    for (size_t i = 0; i < backlog; i += more.size()) Spawn(more);
    const std::vector<std::string> types = {"text.wordcount", "file.sha256"};
    for (uint8_t i = 1; i <= 8; ++i) {
      std::array<uint8_t, 16> id{};
      id[0] = i;
      (void)engine_.OpenSession(
          {.session = platform::SessionId(platform::Uuid(id)),
           .caller = {"018f2c3a-abcd-7123-8456-00ff10203040", "kantoku-executor"},
           .name_space = "default",
           .name = "bench",
           .types = types,
           .max_held = 1'000,
           .connection = i},
          now_, effects_);
    }
    EndGroup();
  }

  // Nanoseconds of processor time a task.
  double Run(size_t groups) {
    const std::clock_t start = std::clock();
    for (size_t i = 0; i < groups; ++i) {
      for (size_t batch = 0; batch < batches_; ++batch) Spawn(specs_);
      EndGroup();
      for (const auto& held : held_) {
        (void)engine_.Started(held.connection, held.task, held.dispatch, now_, effects_);
      }
      for (const auto& held : held_) {
        engine_.Finished(held.task, held.dispatch, now_, effects_);
      }
    }
    EndGroup();
    const double tasks = static_cast<double>(groups * batches_ * specs_.size());
    return static_cast<double>(std::clock() - start) * (1e9 / CLOCKS_PER_SEC) / tasks;
  }

 private:
  struct Held {
    ConnectionId connection;
    TaskId task;
    uint32_t dispatch;
  };

  void Spawn(const std::vector<TaskSpec>& specs) {
    (void)engine_.Spawn({.name_space = "default",
                         .owner = "018f2c3a-abcd-7123-8456-00ff10203040",
                         .request = {++request_, 0},
                         .specs = specs,
                         .random = request_},
                        now_, effects_);
  }
  void EndGroup() {
    engine_.FinishGroup(now_, effects_);
    held_.clear();
    for (const auto& message : effects_.dispatches) {
      held_.push_back({message.connection, message.task, message.dispatch});
    }
    effects_.Clear();
    now_.steady += absl::Microseconds(500);
    now_.wall += absl::Microseconds(500);
  }

  platform::Now now_{absl::FromUnixSeconds(1'700'000'000), absl::Seconds(1'000)};
  Engine engine_{EngineOptions{}};
  Effects effects_;
  std::vector<TaskSpec> specs_;
  const size_t batches_;
  std::vector<Held> held_;
  uint64_t request_ = 0;
};

int Main() {
  struct Case {
    size_t batch;
    size_t batches;
    size_t backlog;
  };
  for (const auto& [batch, batches, backlog] :
       {Case{100, 5, 0}, Case{1, 1, 0}, Case{1, 100, 0}, Case{100, 5, 1'000'000}}) {
    Bench bench(batch, batches, backlog);
    const size_t groups = 200'000 / (batch * batches);
    bench.Run(groups);
    std::array<double, 7> runs;
    for (double& run : runs) run = bench.Run(groups);
    std::ranges::sort(runs);
    std::printf(R"({"specs_a_request":%zu,"requests_a_group":%zu,"backlog":%zu,)"
                R"("cpu_ns_a_task":{"median":%.0f,"best":%.0f,"worst":%.0f}})"
                "\n",
                batch, batches, backlog, runs[runs.size() / 2], runs.front(), runs.back());
  }
  return 0;
}

}  // namespace
}  // namespace kantoku::inputs

int main() { return kantoku::inputs::Main(); }
