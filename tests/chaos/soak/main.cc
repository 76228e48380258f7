// Real processes, faults of all sorts, and a checker that believes only what was written down
// outside Kantoku. Also the executor and the launcher that it starts.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/chaos/soak/conductor.h"
#include "tests/chaos/soak/sync_brake.h"
#include "tests/chaos/soak/worker.h"

namespace {

// kantoku-chaos brake SOCKET PROGRAM...: what follows is the program's own.
int Brake(int argc, char** argv) {
  if (argc < 4) return 2;
  const absl::Status status = kantoku::soak::RunBraked(argv[2], argv + 3);
  std::fprintf(stderr, "kantoku-chaos brake: %s\n", status.ToString().c_str());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc > 1 && std::string(argv[1]) == "brake") return Brake(argc, argv);
  kantoku::soak::ConductorOptions options;
  options.binaries = std::filesystem::read_symlink("/proc/self/exe").parent_path().string();
  int seconds = 600;
  CLI::App app("Lets everything go wrong under load, and checks what came of it.");
  app.add_option("--seconds", seconds, "How long things go wrong")->check(CLI::Range(1, 86'400));
  app.add_option("--seed", options.seed, "Of the plan of faults and of the tasks");
  app.add_option("--rate", options.tasks_per_second, "Tasks spawned in a second")
      ->check(CLI::Range(1, 10'000));
  std::string backend = "sqlite";
  app.add_option("--backend", backend, "Where services keep their records")
      ->check(CLI::IsMember({"sqlite", "postgres"}));
  app.add_option("--replicas", options.replicas, "Of each service; several share PostgreSQL")
      ->check(CLI::Range(1, 5));
  app.add_flag("--keep", options.keep, "Keeps journal and logs, also of a good run");
  kantoku::soak::WorkerFlags worker;
  CLI::App* execute = app.add_subcommand("execute", "An executor that the test starts");
  execute->add_option("--inputs", worker.inputs)->required();
  execute->add_option("--outputs", worker.outputs)->required();
  execute->add_option("--name", worker.name)->required();
  execute->add_option("--zone", worker.zone)->required();
  execute->add_option("--journal", worker.journal)->required();
  CLI11_PARSE(app, argc, argv);
  if (execute->parsed()) return kantoku::soak::RunWorker(worker);
  options.postgres = backend == "postgres";
  if (options.replicas > 1 && !options.postgres) {
    std::fprintf(stderr, "kantoku-chaos: --replicas needs --backend postgres\n");
    return 2;
  }
  options.length = absl::Seconds(seconds);
  return kantoku::soak::Conduct(options);
}
