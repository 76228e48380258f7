#include "services/all-in-one/bench/bench_command.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "kantoku/client.h"
#include "services/all-in-one/bench/floors.h"
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/program.h"
#include "services/platform/access/access_file.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kType[] = "bench.echo";

Task OneTask() { return Task(kType, std::string(100, 'x')); }

struct BenchOptions {
  std::string server;        // Empty: one of our own, in a directory that goes afterwards.
  std::string access;        // How that server is reached; empty: as for every client.
  bool no_tls = false;       // Of our own server.
  bool no_auth = false;      // The same.
  size_t tasks = 300'000;    // Of the throughput scenario.
  size_t batch = 500;        // Tasks of a spawn call.
  size_t in_flight = 4'000;  // Tasks that are spawned and not resolved yet.
  size_t singles = 2'000;    // Tasks of each latency scenario, one at a time.
};

// A copy of this program with other arguments; ends with its owner.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    std::vector<char*> argv;
    argv.reserve(arguments.size() + 1);
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    if (posix_spawn(&pid_, "/proc/self/exe", nullptr, nullptr, argv.data(), environ) != 0) pid_ = 0;
  }
  ~Child() { Stop(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // What it used; ends it.
  rusage Stop() {
    rusage usage{};
    if (pid_ == 0) return usage;
    kill(pid_, SIGTERM);
    wait4(pid_, nullptr, 0, &usage);
    pid_ = 0;
    return usage;
  }

 private:
  pid_t pid_ = 0;
};

double CpuSeconds(const rusage& usage) {
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

// The spawner keeps a number of tasks in flight; every result is seen before it counts.
class Throughput {
 public:
  Throughput(Client& client, const BenchOptions& options) : client_(client), options_(options) {}

  absl::StatusOr<double> Run() {
    const absl::Time begin = absl::Now();
    for (size_t left = options_.tasks; left > 0;) {
      const size_t count = std::min(left, options_.batch);
      {
        platform::MutexLock lock(mutex_);
        while (failure_.ok() && open_ + count > options_.in_flight) changed_.Wait(mutex_);
        if (!failure_.ok()) return failure_;
        open_ += count;
      }
      SpawnOne(count);
      left -= count;
    }
    platform::MutexLock lock(mutex_);
    while (failure_.ok() && open_ > 0) changed_.Wait(mutex_);
    if (!failure_.ok()) return failure_;
    return static_cast<double>(options_.tasks) / absl::ToDoubleSeconds(absl::Now() - begin);
  }

 private:
  void SpawnOne(size_t count) {
    const std::vector<Task> tasks(count, OneTask());
    client_.SpawnBatchAsync(
        tasks, {}, [this](const std::vector<absl::StatusOr<SpawnedTask>>& spawned) {
          for (const auto& task : spawned) {
            if (!task.ok()) {
              Resolved(task.status());
              continue;
            }
            client_.AwaitAsync(task->id, {}, [this](absl::StatusOr<Output> output) {
              const bool good = output.ok() && output->succeeded() && output->data.size() == 16;
              Resolved(good          ? absl::OkStatus()
                       : output.ok() ? absl::InternalError("a result is not what was put")
                                     : output.status());
            });
          }
        });
  }

  void Resolved(const absl::Status& status) {
    platform::MutexLock lock(mutex_);
    --open_;
    failure_.Update(status);
    if (open_ == 0 || open_ + options_.batch <= options_.in_flight || !status.ok()) {
      changed_.Signal();
    }
  }

  Client& client_;
  const BenchOptions& options_;
  platform::Mutex mutex_;
  platform::CondVar changed_;
  size_t open_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
};

// One task at a time by callbacks: where a result is seen, the next is spawned.
class CallbackSingles {
 public:
  CallbackSingles(Client& client, size_t count) : client_(client), left_(count) {}

  absl::StatusOr<Latencies> Run() {
    SpawnNext();
    ended_.WaitForNotification();
    if (!failure_.ok()) return failure_;
    return Summarize(std::move(times_));
  }

 private:
  void SpawnNext() {
    begin_ = absl::Now();
    client_.SpawnAsync(OneTask(), {}, [this](const absl::StatusOr<SpawnedTask>& spawned) {
      if (!spawned.ok()) return End(spawned.status());
      client_.AwaitAsync(spawned->id, {}, [this](const absl::StatusOr<Output>& output) {
        if (!output.ok()) return End(output.status());
        times_.push_back(absl::Now() - begin_);
        if (--left_ == 0) return End(absl::OkStatus());
        SpawnNext();
      });
    });
  }

  void End(const absl::Status& status) {
    failure_ = status;
    ended_.Notify();
  }

  Client& client_;
  size_t left_;
  absl::Time begin_;
  std::vector<absl::Duration> times_;
  absl::Status failure_;
  absl::Notification ended_;
};

// One task at a time by calls that block: each costs two switches between threads more.
absl::StatusOr<Latencies> MeasureBlockingSingles(Client& client, size_t count) {
  std::vector<absl::Duration> times;
  for (size_t i = 0; i < count; ++i) {
    const absl::Time begin = absl::Now();
    KANTOKU_ASSIGN_OR_RETURN(const SpawnedTask spawned, client.Spawn(OneTask()));
    KANTOKU_RETURN_IF_ERROR(client.Await(spawned.id).status());
    times.push_back(absl::Now() - begin);
  }
  return Summarize(std::move(times));
}

absl::StatusOr<std::string> AwaitPort(const std::string& path) {
  for (int i = 0; i < 1'000; ++i) {
    std::ifstream file(path);
    std::string port;
    if (std::getline(file, port) && !file.eof()) return "127.0.0.1:" + port;
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::DeadlineExceededError("the server did not come up within 10 s");
}

absl::Status RunBench(const BenchOptions& options, const std::string& directory) {
  std::unique_ptr<Child> server;
  std::string address = options.server;
  std::string access = options.access;
  if (address.empty()) {
    const std::string port_file = directory + "/port";
    std::vector<std::string> words = {"kantoku",     "up",
                                      "--data",      directory + "/data",
                                      "--listen",    "127.0.0.1:0",
                                      "--port-file", port_file,
                                      "--set",       "server.metrics_listen=127.0.0.1:0",
                                      "--set",       "log.level=warn"};
    if (options.no_tls) words.insert(words.end(), {"--set", "server.tls.off=true"});
    if (options.no_auth) {
      words.insert(words.end(), {"--set", "auth.insecure_trust_everybody_on_loopback=true"});
    }
    server = std::make_unique<Child>(std::move(words));
    KANTOKU_ASSIGN_OR_RETURN(address, AwaitPort(port_file));
    access = platform::AccessFileIn(directory + "/data");
  }
  std::vector<std::string> words = {"kantoku", "bench-executor", "--server", address};
  if (!access.empty()) words.insert(words.end(), {"--access", access});
  Child executor(std::move(words));
  ClientOptions client_options;
  client_options.access_file = access;
  KANTOKU_ASSIGN_OR_RETURN(Client client, Client::Connect(address, client_options));

  KANTOKU_ASSIGN_OR_RETURN(const Latencies sync, MeasureSync(directory));
  KANTOKU_ASSIGN_OR_RETURN(const double sqlite, MeasureSqlite(directory));
  KANTOKU_ASSIGN_OR_RETURN(const Latencies rpc, MeasureRpc(address, access));
  const Json floors = {{"fdatasync_p50_us", sync.p50_us},
                       {"sqlite_lifecycles_per_second", sqlite},
                       {"grpc_unary_p50_us", rpc.p50_us}};

  KANTOKU_RETURN_IF_ERROR(MeasureBlockingSingles(client, 100).status());  // Warm.
  KANTOKU_ASSIGN_OR_RETURN(const Latencies blocking,
                           MeasureBlockingSingles(client, options.singles));
  KANTOKU_ASSIGN_OR_RETURN(const Latencies singles, CallbackSingles(client, options.singles).Run());
  const auto say = [&](const std::string& scenario, const Latencies& measured) {
    std::cout << Json{{"scenario", scenario},
                      {"tasks", options.singles},
                      {"p50_us", measured.p50_us},
                      {"p99_us", measured.p99_us},
                      {"floors", floors}}
              << std::endl;
  };
  say("latency", singles);
  say("latency_blocking", blocking);

  KANTOKU_ASSIGN_OR_RETURN(const double rate, Throughput(client, options).Run());
  rusage self{};
  getrusage(RUSAGE_SELF, &self);
  Json line = {{"scenario", "throughput"},
               {"tasks", options.tasks},
               {"batch", options.batch},
               {"tasks_per_second", rate},
               {"of_sqlite_floor", rate / sqlite}};
  const auto add = [&line](const std::string& name, const rusage& usage) {
    line[name] = {{"cpu_seconds", CpuSeconds(usage)},
                  {"peak_rss_mib", static_cast<double>(usage.ru_maxrss) / 1024}};
  };
  add("spawner", self);
  add("executor", executor.Stop());
  if (server != nullptr) add("server", server->Stop());
  line["floors"] = floors;
  std::cout << line << std::endl;
  return absl::OkStatus();
}

int BenchMain(const BenchOptions& options) {
  std::string directory = std::filesystem::temp_directory_path() / "kantoku-bench-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    std::cerr << "kantoku bench: cannot make a directory: " << directory << std::endl;
    return static_cast<int>(cli::ExitCode::kFailed);
  }
  const absl::Status status = RunBench(options, directory);
  std::filesystem::remove_all(directory);
  if (status.ok()) return 0;
  std::cerr << "kantoku bench: " << status << std::endl;
  return static_cast<int>(cli::ExitCode::kFailed);
}

}  // namespace

cli::ExtraCommand MakeBenchCommand() {
  auto options = std::make_shared<BenchOptions>();
  return {.name = "bench",
          .description = "Measures a server: its own in a temporary directory, or --server",
          .set_up =
              [options](CLI::App& app) {
                app.add_option("--server", options->server, "A server that runs; empty: its own");
                app.add_option("--access", options->access, "The access file for --server");
                app.add_flag("--no-tls", options->no_tls, "Without TLS, to compare");
                app.add_flag("--no-auth", options->no_auth, "Without access tokens, to compare");
                app.add_option("--tasks", options->tasks, "Tasks of the throughput scenario")
                    ->check(CLI::Range(1, 100'000'000))
                    ->capture_default_str();
                app.add_option("--batch", options->batch, "Tasks of a spawn call")
                    ->check(CLI::Range(1, 100'000))
                    ->capture_default_str();
                app.add_option("--in-flight", options->in_flight, "Tasks under way at once")
                    ->check(CLI::Range(1, 1'000'000))
                    ->capture_default_str();
                app.add_option("--singles", options->singles, "Tasks of each latency scenario")
                    ->check(CLI::Range(1, 1'000'000))
                    ->capture_default_str();
              },
          .run = [options] { return BenchMain(*options); }};
}

cli::ExtraCommand MakeBenchExecutorCommand() {
  auto options = std::make_shared<executor::ExecutorOptions>();
  return {.name = "bench-executor",
          .description = "The executor that bench starts",
          .set_up =
              [options](CLI::App& app) {
                app.group("");  // Not for people: not in the help.
                app.add_option("--server", options->inputs_address)->required();
                app.add_option("--access", options->access_file);
              },
          .run =
              [options] {
                return executor::RunUntilSignal(
                    "kantoku bench-executor", *options, [](executor::Executor& executor) {
                      return executor.HandleInline(kType, [](executor::Context&) {
                        return executor::Result{.data = std::string(16, 'y')};
                      });
                    });
              }};
}

}  // namespace kantoku
