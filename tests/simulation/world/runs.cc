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

constexpr std::array kPlantedBugs = std::to_array<std::string_view>({
    "reply before commit",
    "reference lost in recovery",
    "dispatch number reused",
    "ack without receipt",
    "redelivery without fence",
    "outbox trimmed before delivery",
    "attempt counted on a return",
    "loss of a begun handler not counted",
    "more than the credit",
    "request run again after a restart",
    "cancel lost in recovery",
    "settlement not asked again after a restart",
    "what hello omits is kept",
    "handlers go on past the grace",
    "second end wins",
    "start of ONCE not waited for",
    "start of ONCE not recorded",
    "start of ONCE lost in recovery",
    "ONCE begun again in doubt",
    "priority ignored",
    "delay ignored",
    "dependency resolved twice",
    "slot leaked on cancel",
    "ordering key skipped after a crash",
    "bucket refilled by a clock jump",
    "limit of an operator lost in recovery",
    "lowered limit not heeded",
    "quota leaked by an end",
    "what has expired waits on",
    "what has begun expires",
    "total time not heeded",
    "deadlines forgotten in recovery",
    "interrupt lost in recovery",
    "paused task dispatched after recovery",
    "mark of a tree forgotten in recovery",
    "tree not heeded at dispatch",
    "child joins a tree that stops",
    "stale task token accepted",
    "sweep of a tree lost in recovery",
    "pause of a type lost in recovery",
    "pause said before its point",
    "who does not stop is not overruled",
    "waiting time lost with its cause",
    "waits before a restart forgotten",
    "pause of a type counts last as a cause",
    "backoff told as delay",
    "checkpoint of a stale dispatch handed on",
    "checkpoint forgotten in recovery",
    "checkpoint leaves before its items",
    "item stored twice",
    "items of a fenced dispatch taken",
    "result overtakes its items",
    "condition of a placement not looked at",
    "verdict on labels outlives them",
    "labels of an earlier hello kept",
    "route lost in recovery",
    "another route of a type not heeded",
    "restart lost in recovery",
    "restart loses its tree",
    "restart joins a tree that stops",
    "restart leaves the reference behind",
    "restart waits for what is dead",
    "dry run restarts",
    "filter of restarts forgets the rest of a row",
    "argument taken from another task",
    "arguments left out of a dispatch",
    "argument that is gone left out",
    "argument in the place of another",
    "patch ignores the revision",
    "patch lost in recovery",
    "patch not recorded",
    "patch drops what it does not name",
    "restart has the info of the spawn",
    "reuse ignores the owner",
    "reuse ignores the age",
    "reuse outlives the result",
    "failure kept for reuse",
    "repeat forgets whose result was reused",
    "dispatch to an executor that is to leave",
    "who is blocked keeps what he holds",
    "block lost in recovery",
    "credit brings back who is to leave",
    "weight of a fairness key ignored",
    "fairness key keeps the turn",
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

std::span<const std::string_view> PlantedBugs() { return kPlantedBugs; }

std::optional<Life> Catch(std::string_view bug, uint64_t seed) {
  platform::Plant(bug);
  std::optional<Life> caught;
  for (uint64_t i = 0; i < kCatchWorlds && !caught.has_value(); ++i) {
    Life life = Live(seed + i, kCatchSteps);
    if (life.broken.empty()) continue;
    // That breaks without the bug as well says nothing of the bug.
    platform::Plant({});
    if (Live(life.seed, life.steps).broken.empty()) caught = std::move(life);
    platform::Plant(bug);
  }
  platform::Plant({});
  return caught;
}

}  // namespace kantoku::simulation
