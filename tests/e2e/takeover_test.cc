// How long nobody answers for the partitions of a replica that is killed, or stopped in the middle
// of its commits.
#include <algorithm>
#include <array>
#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/replicas.h"
#include "tests/e2e/up.h"

namespace kantoku::test {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kGone = 2;
constexpr double kWithin = 5;  // Seconds.

// Until a spawn is accepted in each namespace that the others have to take over; asked of one that
// lives, all at once.
double SecondsUntilAllSpawn(const Replicas& replicas) {
  const auto begin = Clock::now();
  std::vector<double> seconds(kNamespaces.size());
  std::vector<std::thread> callers;
  callers.reserve(kNamespaces.size());
  for (size_t i = 0; i < kNamespaces.size(); ++i) {
    callers.emplace_back([&, i, client = replicas.ClientOf(0, kNamespaces[i])]() mutable {
      while (!client.Spawn(Task("nobody"), {.timeout = absl::Seconds(30)}).ok()) continue;
      seconds[i] = std::chrono::duration<double>(Clock::now() - begin).count();
    });
  }
  for (std::thread& caller : callers) caller.join();
  return *std::max_element(seconds.begin(), seconds.end());
}

// How many partitions of Inputs it has opened so far, as it says.
size_t Opened(Replicas& replicas, size_t replica) {
  const std::string said = replicas.replica(replica).process().output();
  size_t opened = 0;
  for (uint32_t i = 0; i < kNamespaces.size(); ++i) {
    opened += said.find(absl::StrCat("inputs/", i, ": open")) != std::string::npos ? 1 : 0;
  }
  return opened;
}

double Measure(int signal) {
  Replicas replicas(3);
  REQUIRE(Becomes([&] { return Opened(replicas, kGone) >= kNamespaces.size() / 3; }));
  std::atomic<bool> over = false;
  // So that it is in the middle of commits.
  std::vector<std::thread> load;
  load.reserve(kNamespaces.size());
  for (const std::string& name_space : kNamespaces) {
    load.emplace_back([&over, client = replicas.ClientOf(1, name_space)]() mutable {
      while (!over) (void)client.Spawn(Task("nobody"), {.timeout = absl::Seconds(30)});
    });
  }
  (void)SecondsUntilAllSpawn(replicas);
  replicas.replica(kGone).process().Signal(signal);
  const double seconds = SecondsUntilAllSpawn(replicas);
  over = true;
  for (std::thread& each : load) each.join();
  replicas.replica(kGone).process().Signal(SIGKILL);
  return seconds;
}

TEST_CASE("Partitions of a replica that is gone are taken over within five seconds") {
  for (const int signal : {SIGKILL, SIGSTOP}) {
    std::array<double, 3> rounds = {};
    for (double& round : rounds) round = Measure(signal);
    std::sort(rounds.begin(), rounds.end());
    std::printf("%s: %.1f s (%.1f to %.1f)\n", signal == SIGKILL ? "kill -9" : "SIGSTOP", rounds[1],
                rounds.front(), rounds.back());
    CHECK(rounds.back() <= kWithin);
  }
}

}  // namespace
}  // namespace kantoku::test
