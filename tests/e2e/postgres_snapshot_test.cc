// What tasks cost in PostgreSQL while somebody there keeps an old snapshot, so that
// nothing that is deleted can be cleared away.
//
// KANTOKU_SNAPSHOT_SECONDS says for how long (600), KANTOKU_SNAPSHOT_BACKLOG beside how many tasks
// that wait (1,000,000).
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "services/platform/postgres/postgres_connection.h"
#include "tests/e2e/up.h"
#include "tests/support/private_postgres.h"

namespace kantoku::test {
namespace {

constexpr int kTasksPerRun = 50'000;
constexpr int kRunsBefore = 5;
constexpr size_t kSpawnedTogether = 50'000;

int FromEnvironment(const char* name, int otherwise) {
  const char* const text = std::getenv(name);
  return text != nullptr ? std::atoi(text) : otherwise;
}

// Tasks that nobody runs.
void LetWait(const Up& up, int count) {
  for (int left = count; left > 0;) {
    std::vector<Task> tasks;
    for (; tasks.size() < kSpawnedTogether && left > 0; --left) tasks.emplace_back("nobody", "x");
    for (const auto& spawned : up.Connect().SpawnBatch(std::move(tasks))) REQUIRE(spawned.ok());
  }
}

// What the server's processes have used of the processor so far; of those that have ended, too.
double CpuSecondsOf(pid_t server) {
  long ticks = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    std::ifstream file(entry.path() / "stat");
    std::string line;
    if (!std::getline(file, line)) continue;
    std::istringstream fields(line.substr(line.rfind(')') + 2));
    std::string skipped;
    pid_t parent = 0;
    fields >> skipped >> parent;
    const bool is_server = entry.path().filename() == std::to_string(server);
    if (!is_server && parent != server) continue;
    for (int field = 5; field < 14; ++field) fields >> skipped;
    long user = 0, system = 0, user_of_ended = 0, system_of_ended = 0;
    fields >> user >> system >> user_of_ended >> system_of_ended;
    ticks += user + system + user_of_ended + system_of_ended;
  }
  return static_cast<double>(ticks) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

struct Figures {
  double rate = 0;  // Tasks a second.
  double cpu = 0;   // Microseconds of the database's for each.
};

Figures Flow(const Up& up, const PrivatePostgres& postgres) {
  const double cpu_before = CpuSecondsOf(postgres.pid());
  const auto bench = ChildProcess::Start(
      {.argv = {Binary("kantoku"), "bench", "throughput", "--server", up.address(), "--access",
                up.access(), "--tasks", std::to_string(kTasksPerRun), "--runs", "1"}});
  REQUIRE(bench.ok());
  const auto exit = (*bench)->AwaitExit(absl::Minutes(5));
  INFO((*bench)->output());
  REQUIRE(exit.ok());
  REQUIRE(exit->code == 0);
  const std::string output = (*bench)->output();
  const size_t begin = output.find("{\"scenario\"");
  REQUIRE(begin != std::string::npos);
  const std::string line = output.substr(begin, output.find('\n', begin) - begin);
  const Figures figures = {.rate = nlohmann::json::parse(line)["tasks_per_second"],
                           .cpu = (CpuSecondsOf(postgres.pid()) - cpu_before) / kTasksPerRun * 1e6};
  std::cout << absl::StrFormat("%.0f tasks a second, %.1f us of the database's CPU each\n",
                               figures.rate, figures.cpu)
            << std::flush;
  return figures;
}

double MedianCpu(std::span<const Figures> runs) {
  std::vector<double> cpu;
  for (const Figures& run : runs) cpu.push_back(run.cpu);
  std::sort(cpu.begin(), cpu.end());
  return cpu[cpu.size() / 2];
}

TEST_CASE("Tasks cost as much when an old snapshot keeps everything that was deleted") {
  PrivatePostgres postgres({"shared_buffers=256MB", "max_wal_size=4GB"});
  Up up({.settings = StoresOnPostgres(postgres.connection())});
  LetWait(up, FromEnvironment("KANTOKU_SNAPSHOT_BACKLOG", 1'000'000));
  Flow(up, postgres);  // Warm.
  std::vector<Figures> before;
  while (before.size() < kRunsBefore) before.push_back(Flow(up, postgres));

  platform::PostgresConnection holder({.connection = postgres.connection()});
  REQUIRE(holder
              .Execute("SET idle_in_transaction_session_timeout = 0;"
                       "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM pg_class")
              .ok());
  std::cout << "from now on beside an old snapshot" << std::endl;
  const absl::Time until =
      absl::Now() + absl::Seconds(FromEnvironment("KANTOKU_SNAPSHOT_SECONDS", 600));
  std::vector<Figures> beside;
  while (absl::Now() < until || beside.size() < kRunsBefore) beside.push_back(Flow(up, postgres));
  up.process().Signal(SIGTERM);
  REQUIRE(up.process().AwaitExit().ok());
  const absl::Time stopped = absl::Now();
  up.Restart();
  std::cout << absl::StrFormat("started again within %.1f s\n",
                               absl::ToDoubleSeconds(absl::Now() - stopped));
  REQUIRE(holder.Execute("COMMIT").ok());  // It was held all the time.
  // What grows with time shows at the end. CPU, because it moves less than the rate with what else
  // the machine does; dead rows in the way of each other cost tens of times as much.
  const double at_last = MedianCpu(std::span(beside).last(kRunsBefore));
  CAPTURE(MedianCpu(before), at_last);
  CHECK(at_last < 2 * MedianCpu(before));
}

}  // namespace
}  // namespace kantoku::test
