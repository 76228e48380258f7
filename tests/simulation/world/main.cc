// The simulation as a program: `make sim`.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "services/platform/log/log.h"
#include "tests/simulation/world/runs.h"

namespace kantoku::simulation {
namespace {

double SecondsSince(std::chrono::steady_clock::time_point begun) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
}

void Report(const Life& life) {
  std::printf("broken: %s\n  %s\n  seed %llu, step %llu; what the world did last:\n%s",
              life.broken.c_str(), life.detail.c_str(), static_cast<unsigned long long>(life.seed),
              static_cast<unsigned long long>(life.broken_at), life.last_acts.c_str());
}

int Fail(const Life& life) {
  Report(life);
  std::printf("shortening…\n");
  const Life shortest = Shorten(life);
  Report(shortest);
  std::printf("replay: make sim SEED=%llu STEPS=%llu\n",
              static_cast<unsigned long long>(shortest.seed),
              static_cast<unsigned long long>(shortest.steps));
  return 1;
}

// Of each planted bug a life that it breaks, or none; on so many threads.
std::vector<std::optional<Life>> ForEachBug(
    int threads, const std::function<std::optional<Life>(std::string_view)>& find) {
  const auto bugs = PlantedBugs();
  std::vector<std::optional<Life>> found(bugs.size());
  std::atomic<size_t> next = 0;
  const auto work = [&] {
    for (size_t i = next++; i < bugs.size(); i = next++) found[i] = find(bugs[i].name);
  };
  std::vector<std::thread> running;
  running.reserve(static_cast<size_t>(threads));
  for (int i = 0; i < threads; ++i) running.emplace_back(work);
  for (std::thread& thread : running) thread.join();
  return found;
}

// How many of the planted bugs were caught.
size_t CatchAll(const Plan& plan) {
  const auto caught =
      ForEachBug(plan.threads, [&](std::string_view bug) { return Catch(bug, plan.seed); });
  size_t count = 0;
  for (size_t i = 0; i < caught.size(); ++i) {
    const std::string_view name = PlantedBugs()[i].name;
    std::printf("planted: %-42.*s ", static_cast<int>(name.size()), name.data());
    if (!caught[i].has_value()) {
      std::printf("NOT caught\n");
      continue;
    }
    ++count;
    std::printf("caught at step %llu of seed %llu: %s\n",
                static_cast<unsigned long long>(caught[i]->broken_at),
                static_cast<unsigned long long>(caught[i]->seed), caught[i]->broken.c_str());
  }
  return count;
}

// The rows of kPlantedBugs (runs.cc).
void PrintSoonest(const Plan& plan) {
  constexpr uint64_t kWorlds = 200;
  const auto soonest = ForEachBug(
      plan.threads, [&](std::string_view bug) { return CatchSoonest(bug, plan.seed, kWorlds); });
  for (size_t i = 0; i < soonest.size(); ++i) {
    const std::string_view name = PlantedBugs()[i].name;
    std::printf(
        "    {\"%.*s\", %llu},  // %llu\n", static_cast<int>(name.size()), name.data(),
        static_cast<unsigned long long>(soonest[i].has_value() ? soonest[i]->seed : 0),
        static_cast<unsigned long long>(soonest[i].has_value() ? soonest[i]->broken_at : 0));
  }
}

int Main(int argc, char** argv) {
  Plan plan;
  CLI::App app("Lives worlds of Kantoku from a seed and looks for broken promises.");
  app.add_option("--seed", plan.seed, "of the first world");
  app.add_option("--steps", plan.steps, "of all worlds together");
  app.add_option("--threads", plan.threads)->check(CLI::Range(1, 64));
  std::string only_bug;
  app.add_option("--planted", only_bug, "live with this planted bug, and nothing else");
  bool soonest = false;
  app.add_flag("--soonest", soonest, "tell of each planted bug a seed that it breaks early");
#ifdef __SANITIZE_ADDRESS__
  bool loud = true;  // Its reports would be lost.
#else
  bool loud = false;
#endif
  app.add_flag("--loud", loud, "let Inputs say what faults make it say");
  CLI11_PARSE(app, argc, argv);
  if (!loud) (void)!std::freopen("/dev/null", "w", stderr);

  NameSeedOnAbort();
  if (!only_bug.empty()) {
    const auto caught = Catch(only_bug, plan.seed);
    if (!caught.has_value()) return 1;
    Report(*caught);
    return 0;
  }
  if (soonest) {
    PrintSoonest(plan);
    return 0;
  }
  const auto begun = std::chrono::steady_clock::now();
  const Sum sum = LiveAll(plan);
  if (sum.broken.has_value()) return Fail(*sum.broken);
  const double seconds = SecondsSince(begun);
  const double worked = static_cast<double>(std::clock()) / CLOCKS_PER_SEC / plan.threads;
  std::printf("%s\n%llu steps in %llu worlds in %.1f s, %.0f steps/s; fingerprint %016llx\n\n",
              sum.coverage.ToText().c_str(), static_cast<unsigned long long>(sum.steps),
              static_cast<unsigned long long>(sum.worlds), seconds,
              static_cast<double>(sum.steps) / seconds,
              static_cast<unsigned long long>(sum.fingerprint));
  const size_t caught = CatchAll(plan);
  const double allowed = SecondsAllowed(plan, OwnPower());
  // What others take of the processors meanwhile is not ours.
  const bool in_time = std::min(seconds, worked) <= allowed;
  const bool good = caught == PlantedBugs().size() && in_time;
  std::printf("sim %s: %llu steps, 0 violations, planted bugs caught %zu/%zu",
              good ? "ok" : "failed", static_cast<unsigned long long>(sum.steps), caught,
              PlantedBugs().size());
  if (!in_time) std::printf("; took %.0f s of the %.0f s that are promised", seconds, allowed);
  std::printf("\n");
  return good ? 0 : 1;
}

}  // namespace
}  // namespace kantoku::simulation

int main(int argc, char** argv) { return kantoku::simulation::Main(argc, argv); }
