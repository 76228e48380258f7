// What this machine can do at best, as one JSON object: `kantoku bench --floors` puts it beside
// each scenario. `--postgres`: lifecycles where KANTOKU_POSTGRES says, as libpq takes
// it, instead of through SQLite.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/bench/floors/floors.h"

namespace kantoku::floors {

Latencies Summarize(std::vector<absl::Duration> times) {
  if (times.empty()) return {};
  std::ranges::sort(times);
  return {absl::ToDoubleMicroseconds(times[times.size() / 2]),
          absl::ToDoubleMicroseconds(times[times.size() * 99 / 100])};
}

namespace {

absl::StatusOr<nlohmann::ordered_json> Measure(const std::string& directory,
                                               const std::string& postgres) {
  const auto fdatasync = Fdatasync(directory);
  if (!fdatasync.ok()) return fdatasync.status();
  const auto lifecycles =
      postgres.empty() ? SqliteLifecycles(directory) : PostgresLifecycles(postgres);
  if (!lifecycles.ok()) return lifecycles.status();
  const auto grpc = MeasureGrpc();
  if (!grpc.ok()) return grpc.status();
  return nlohmann::ordered_json{{"fdatasync_p50_us", fdatasync->p50_us},
                                {"store_lifecycles_per_second", *lifecycles},
                                {"grpc_ping_pong_p50_us", grpc->ping_pong.p50_us},
                                {"grpc_echoes_per_second", grpc->echoes_per_second}};
}

int Main(const std::string& postgres) {
  // Not /tmp, which is memory on many machines.
  const char* const chosen = std::getenv("TMPDIR");
  std::string directory =
      std::string(chosen == nullptr ? "/var/tmp" : chosen) + "/kantoku-floors-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) return 1;
  const auto measured = Measure(directory, postgres);
  std::filesystem::remove_all(directory);
  if (!measured.ok()) {
    std::cerr << "kantoku-floors: " << measured.status() << std::endl;
    return 1;
  }
  std::cout << *measured << std::endl;
  return 0;
}

}  // namespace
}  // namespace kantoku::floors

int main(int argc, char** argv) {
  if (argc == 3 && std::string_view(argv[1]) == "--serve-echoes") {
    return kantoku::floors::ServeEchoes(std::atoi(argv[2]));
  }
  const bool postgres = argc == 2 && std::string_view(argv[1]) == "--postgres";
  const char* const connection = postgres ? std::getenv("KANTOKU_POSTGRES") : "";
  if (connection == nullptr) {
    std::cerr << "kantoku-floors: KANTOKU_POSTGRES is not set" << std::endl;
    return 2;
  }
  return kantoku::floors::Main(connection);
}
