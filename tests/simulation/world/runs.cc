#include "tests/simulation/world/runs.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>
#include <vector>

#include "services/platform/mutex.h"
#include "services/platform/planted.h"
#include "tests/simulation/world/world.h"

namespace kantoku::simulation {
namespace {

// Ten million steps are lived in less than three minutes.
constexpr double kSecondsPerStep = 180.0 / 10'000'000;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;
#elif defined(__has_feature)
constexpr bool kSanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool kSanitized = false;
#endif
#ifdef __OPTIMIZE__
constexpr bool kOptimized = true;
#else
constexpr bool kOptimized = false;
#endif

constexpr uint64_t kCatchWorlds = 100;
constexpr uint64_t kCatchSteps = 8'000;

// The seeds are what `kantoku-sim --soonest` tells; one that has become a bad one costs time alone.
constexpr std::array kPlantedBugs = std::to_array<PlantedBug>({
    {"reply before commit", 5},
    {"reference lost in recovery", 2},
    {"dispatch number reused", 145},
    {"ack without receipt", 64},
    {"redelivery without fence", 128},
    {"outbox trimmed before delivery", 69},
    {"attempt counted on a return", 61},
    {"loss of a begun handler not counted", 151},
    {"more than the credit", 36},
    {"request run again after a restart", 102},
    {"cancel lost in recovery", 65},
    {"settlement not asked again after a restart", 1},
    {"what hello omits is kept", 128},
    {"handlers go on past the grace", 78},
    {"second end wins", 66},
    {"start of ONCE not waited for", 17},
    {"start of ONCE not recorded", 17},
    {"start of ONCE lost in recovery", 153},
    {"ONCE begun again in doubt", 97},
    {"priority ignored", 111},
    {"delay ignored", 99},
    {"dependency resolved twice", 23},
    {"slot leaked on cancel", 54},
    {"ordering key skipped after a crash", 145},
    {"bucket refilled by a clock jump", 164},
    {"limit of an operator lost in recovery", 92},
    {"lowered limit not heeded", 42},
    {"quota leaked by an end", 71},
    {"what has expired waits on", 127},
    {"what has begun expires", 56},
    {"total time not heeded", 128},
    {"deadlines forgotten in recovery", 153},
    {"interrupt lost in recovery", 18},
    {"paused task dispatched after recovery", 174},
    {"mark of a tree forgotten in recovery", 18},
    {"tree not heeded at dispatch", 89},
    {"child joins a tree that stops", 23},
    {"stale task token accepted", 116},
    {"sweep of a tree lost in recovery", 15},
    {"pause of a type lost in recovery", 102},
    {"pause said before its point", 39},
    {"who does not stop is not overruled", 174},
    {"waiting time lost with its cause", 143},
    {"waits before a restart forgotten", 102},
    {"pause of a type counts last as a cause", 48},
    {"backoff told as delay", 181},
    {"checkpoint of a stale dispatch handed on", 124},
    {"checkpoint forgotten in recovery", 170},
    {"checkpoint leaves before its items", 177},
    {"item stored twice", 34},
    {"items of a fenced dispatch taken", 32},
    {"result overtakes its items", 117},
    {"condition of a placement not looked at", 99},
    {"verdict on labels outlives them", 74},
    {"labels of an earlier hello kept", 74},
    {"route lost in recovery", 190},
    {"another route of a type not heeded", 80},
    {"restart lost in recovery", 81},
    {"restart loses its tree", 11},
    {"restart joins a tree that stops", 107},
    {"restart leaves the reference behind", 16},
    {"restart waits for what is dead", 11},
    {"dry run restarts", 62},
    {"filter of restarts forgets the rest of a row", 68},
    {"argument taken from another task", 16},
    {"arguments left out of a dispatch", 22},
    {"argument that is gone left out", 158},
    {"argument in the place of another", 75},
    {"patch ignores the revision", 167},
    {"patch lost in recovery", 102},
    {"patch not recorded", 64},
    {"patch drops what it does not name", 8},
    {"restart has the info of the spawn", 85},
    {"reuse ignores the owner", 5},
    {"reuse ignores the age", 195},
    {"reuse outlives the result", 188},
    {"failure kept for reuse", 127},
    {"repeat forgets whose result was reused", 29},
    {"dispatch to an executor that is to leave", 147},
    {"who is blocked keeps what he holds", 133},
    {"block lost in recovery", 153},
    {"credit brings back who is to leave", 161},
    {"weight of a fairness key ignored", 104},
    {"fairness key keeps the turn", 104},
});

// Of the world that the thread lives, for when the code under it gives up.
thread_local const World* living_world = nullptr;
thread_local uint64_t living_seed = 0;

void OnAbort(int) {
  // Not safe in a handler, in general; but the process ends in any case.
  if (living_world != nullptr) {
    std::printf("aborted: seed %llu, step %llu; kantoku-sim --loud says why\n",
                static_cast<unsigned long long>(living_seed),
                static_cast<unsigned long long>(living_world->verdict().steps()));
    std::fflush(stdout);
  }
  std::_Exit(1);
}

}  // namespace

void NameSeedOnAbort() {
  std::signal(SIGABRT, OnAbort);
#ifndef __SANITIZE_ADDRESS__  // Which says more.
  std::signal(SIGSEGV, OnAbort);
#endif
}

Life Live(uint64_t seed, uint64_t steps) {
  World world(seed);
  living_world = &world;
  living_seed = seed;
  world.Run(steps);
  world.Finish();
  Life life{.seed = seed,
            .steps = std::min(steps, world.verdict().steps()),
            .coverage = world.coverage(),
            .fingerprint = world.fingerprint()};
  living_world = nullptr;
  if (!world.verdict().broken()) return life;
  life.broken = world.verdict().promise();
  life.detail = world.verdict().detail();
  life.broken_at = world.verdict().step();
  life.steps = std::min(steps, life.broken_at + 1);  // The one that broke it, too.
  for (const std::string_view act : world.last_acts()) {
    life.last_acts.append("  ").append(act) += '\n';
  }
  return life;
}

Life Shorten(const Life& broken, std::string_view bug) {
  platform::Plant(bug);
  Life shortest = broken;
  uint64_t passes = 0;  // So many steps do not break it.
  while (shortest.steps > passes + 1) {
    const uint64_t half = passes + (shortest.steps - passes) / 2;
    Life life = Live(broken.seed, half);
    if (life.broken != broken.broken) {
      passes = half;
    } else {
      shortest = std::move(life);
    }
  }
  platform::Plant({});
  return shortest;
}

Sum LiveAll(const Plan& plan) {
  Sum sum;
  platform::Mutex mutex;
  std::atomic<uint64_t> next = 0;
  std::atomic<bool> broken = false;
  const uint64_t worlds = (plan.steps + plan.steps_per_world - 1) / plan.steps_per_world;
  const auto work = [&] {
    for (uint64_t i = next++; i < worlds && !broken; i = next++) {
      const uint64_t begun = i * plan.steps_per_world;
      Life life = Live(plan.seed + i, std::min(plan.steps_per_world, plan.steps - begun));
      platform::MutexLock lock(mutex);
      sum.steps += life.steps;
      ++sum.worlds;
      sum.coverage.Add(life.coverage);
      sum.fingerprint += life.fingerprint;
      if (life.broken.empty()) continue;
      broken = true;
      if (!sum.broken.has_value()) sum.broken = std::move(life);
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(static_cast<size_t>(plan.threads));
  for (int i = 0; i < plan.threads; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  return sum;
}

Power OwnPower() {
  return {.fast = kOptimized && !kSanitized, .processors = std::thread::hardware_concurrency()};
}

double SecondsAllowed(const Plan& plan, const Power& power) {
  constexpr Plan kPromised;
  const bool judged = power.fast && power.processors >= 2 && plan.threads >= kPromised.threads &&
                      plan.steps >= kPromised.steps;
  return judged ? kSecondsPerStep * static_cast<double>(plan.steps)
                : std::numeric_limits<double>::infinity();
}

std::span<const PlantedBug> PlantedBugs() { return kPlantedBugs; }

namespace {

// That breaks without the bug as well says nothing of the bug.
bool IsSoundWithout(std::string_view bug, const Life& life) {
  platform::Plant({});
  const bool is_sound = Live(life.seed, life.steps).broken.empty();
  platform::Plant(bug);
  return is_sound;
}

}  // namespace

std::optional<Life> Catch(std::string_view bug, uint64_t seed) {
  platform::Plant(bug);
  std::optional<Life> caught;
  for (uint64_t i = 0; i < kCatchWorlds && !caught.has_value(); ++i) {
    Life life = Live(seed + i, kCatchSteps);
    if (!life.broken.empty() && IsSoundWithout(bug, life)) caught = std::move(life);
  }
  platform::Plant({});
  return caught;
}

std::optional<Life> CatchSoonest(std::string_view bug, uint64_t seed, uint64_t worlds) {
  platform::Plant(bug);
  std::optional<Life> soonest;
  for (uint64_t i = 0; i < worlds; ++i) {
    Life life = Live(seed + i, soonest.has_value() ? soonest->steps : kCatchSteps);
    if (life.broken.empty() || (soonest.has_value() && life.steps >= soonest->steps)) continue;
    if (IsSoundWithout(bug, life)) soonest = std::move(life);
  }
  platform::Plant({});
  return soonest;
}

}  // namespace kantoku::simulation
