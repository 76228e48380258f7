#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>
#include <string>
#include <vector>

#include "tests/bench/driven_engine.h"

// What the engine itself costs: spawn, dispatch, started and finish of a task, in groups of several
// sizes, with a backlog of waiting tasks. Prints one JSON line a measurement.
namespace kantoku::inputs::bench {
namespace {

class Bench {
 public:
  Bench(size_t batch, size_t batches, size_t backlog)
      : specs_(batch, {.type = "text.wordcount"}), batches_(batches) {
    const TaskSpec waiting{.type = "nobody.does.this"};
    const std::vector<TaskSpec> more(1'000, waiting);
    for (size_t i = 0; i < backlog; i += more.size()) driven_.Spawn(more);
    const std::vector<std::string> types = {"text.wordcount", "file.sha256"};
    for (uint32_t session = 1; session <= 8; ++session) driven_.Open(session, types);
    driven_.EndGroup();
  }

  // Nanoseconds of processor time a task.
  double Run(size_t groups) {
    const std::clock_t start = std::clock();
    for (size_t i = 0; i < groups; ++i) {
      for (size_t batch = 0; batch < batches_; ++batch) driven_.Spawn(specs_);
      driven_.EndGroup();
      driven_.StartHeld();
      driven_.FinishHeld();
    }
    driven_.EndGroup();
    const double tasks = static_cast<double>(groups * batches_ * specs_.size());
    return static_cast<double>(std::clock() - start) * (1e9 / CLOCKS_PER_SEC) / tasks;
  }

 private:
  DrivenEngine driven_;
  std::vector<TaskSpec> specs_;
  const size_t batches_;
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
}  // namespace kantoku::inputs::bench

int main() { return kantoku::inputs::bench::Main(); }
