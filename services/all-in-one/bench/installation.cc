#include "services/all-in-one/bench/installation.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/roles.h"
#include "services/platform/access/access_file.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(120);  // A large backlog is recovered meanwhile.

// The address of a server, which it has once calls are served.
absl::StatusOr<std::string> AwaitAddress(const std::string& port_file) {
  const absl::Time until = absl::Now() + kPatience;
  while (absl::Now() < until) {
    std::ifstream file(port_file);
    std::string port;
    if (std::getline(file, port) && !file.eof()) return "127.0.0.1:" + port;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return absl::DeadlineExceededError(
      absl::StrCat("the server did not come up within ", absl::FormatDuration(kPatience)));
}

// To the figure of that name, if there is one.
void AddTo(Figures& figures, const std::string& name, double value) {
  const auto found = std::ranges::find(figures, name, &Figures::value_type::first);
  if (found == figures.end()) {
    figures.emplace_back(name, value);
  } else {
    found->second += value;
  }
}

}  // namespace

absl::StatusOr<std::unique_ptr<Directory>> Directory::Make() {
  // Not /tmp, which is memory on many machines.
  const char* const chosen = std::getenv("TMPDIR");
  std::string path = std::string(chosen == nullptr ? "/var/tmp" : chosen) + "/kantoku-bench-XXXXXX";
  if (mkdtemp(path.data()) == nullptr) return absl::ErrnoToStatus(errno, path);
  return std::unique_ptr<Directory>(new Directory(std::move(path)));
}

Directory::~Directory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

absl::StatusOr<std::unique_ptr<Installation>> Installation::Start(const Place& place,
                                                                  std::vector<std::string> settings,
                                                                  size_t servers) {
  KANTOKU_ASSIGN_OR_RETURN(auto directory, Directory::Make());
  if (servers > 1) {
    settings.insert(settings.end(),
                    {"server.advertise=127.0.0.1:0",
                     absl::StrCat("server.mac_key_file=", directory->File("mac.keys")),
                     "server.tls.off=true", "auth.insecure_trust_everybody_on_loopback=true"});
  }
  std::unique_ptr<Installation> made(
      new Installation(place, std::move(settings), std::move(directory)));
  KANTOKU_ASSIGN_OR_RETURN(made->begun_, OpenCounter(made->File("begun")));
  if (!place.postgres.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(made->database_, Database::Make(place.postgres));
  }
  if (!place.server.empty()) {
    made->servers_.push_back({place.server, place.access, std::nullopt});
    return made;
  }
  for (size_t i = 0; i < servers; ++i) {
    KANTOKU_ASSIGN_OR_RETURN(
        Server server, made->StartServer(made->File(absl::StrCat("data-", i)), "127.0.0.1:0"));
    made->servers_.push_back(std::move(server));
  }
  if (servers > 1) KANTOKU_RETURN_IF_ERROR(made->database_->AwaitSpread(servers, kPatience));
  return made;
}

absl::StatusOr<Installation::Server> Installation::StartServer(const std::string& data,
                                                               const std::string& listen) const {
  const std::string port_file = File("port");
  std::filesystem::remove(port_file);
  std::vector<std::string> words = {"kantoku",     "up",
                                    "--data",      data,
                                    "--listen",    listen,
                                    "--port-file", port_file,
                                    "--set",       "server.metrics_listen=127.0.0.1:0",
                                    "--set",       "log.level=error"};
  std::vector<std::string> settings = settings_;
  if (place_.no_tls) settings.emplace_back("server.tls.off=true");
  if (place_.no_auth) settings.emplace_back("auth.insecure_trust_everybody_on_loopback=true");
  if (database_ != nullptr) {
    for (std::string& setting : database_->Settings()) settings.push_back(std::move(setting));
  }
  for (std::string& setting : settings) words.insert(words.end(), {"--set", std::move(setting)});
  Server server = {.access = platform::AccessFileIn(data)};
  KANTOKU_ASSIGN_OR_RETURN(server.process, Child::Start(std::move(words)));
  KANTOKU_ASSIGN_OR_RETURN(server.address, AwaitAddress(port_file));
  return server;
}

absl::StatusOr<absl::Duration> Installation::KillAndRestart() {
  Server& server = servers_.front();
  server.process->Kill();
  const absl::Time begin = absl::Now();
  KANTOKU_ASSIGN_OR_RETURN(server, StartServer(File("data-0"), server.address));
  return absl::Now() - begin;
}

absl::Status Installation::AwaitRest() const {
  constexpr absl::Duration kLook = absl::Milliseconds(200);
  const absl::Time until = absl::Now() + kPatience;
  absl::Duration before = UsageOf(server_pid()).cpu;
  while (absl::Now() < until) {
    absl::SleepFor(kLook);
    const absl::Duration now = UsageOf(server_pid()).cpu;
    if (now - before < kLook / 10) return absl::OkStatus();
    before = now;
  }
  return absl::DeadlineExceededError("the server does not come to rest");
}

absl::Status Installation::StartExecutor(std::vector<std::string> more, size_t server) {
  more.insert(more.end(), {"--begun", File("begun")});
  KANTOKU_ASSIGN_OR_RETURN(Child executor, StartRole(kExecutorRole, std::move(more), server));
  executors_.push_back(std::move(executor));
  return absl::OkStatus();
}

absl::StatusOr<Child> Installation::StartRole(const std::string& role,
                                              std::vector<std::string> more, size_t server) const {
  const Server& chosen = servers_.at(server);
  std::vector<std::string> words = {"kantoku", role, "--server", chosen.address};
  if (!chosen.access.empty()) words.insert(words.end(), {"--access", chosen.access});
  words.insert(words.end(), more.begin(), more.end());
  return Child::Start(std::move(words));
}

absl::StatusOr<Client> Installation::Connect(size_t server) const {
  ClientOptions options;
  options.access_file = servers_.at(server).access;
  return Client::Connect(servers_.at(server).address, std::move(options));
}

absl::StatusOr<size_t> Installation::PartitionAt(size_t server) const {
  KANTOKU_ASSIGN_OR_RETURN(const std::vector<std::string> owners, database_->Owners());
  const auto found = std::ranges::find(owners, servers_.at(server).address);
  if (found != owners.end()) return static_cast<size_t>(found - owners.begin());
  return absl::NotFoundError(absl::StrCat("no partition is at ", servers_.at(server).address));
}

Meter::Meter(const Installation& installation)
    : has_server_(installation.servers_.front().process.has_value()),
      database_(installation.database_ == nullptr ? 0 : installation.database_->server_pid()) {
  processes_.push_back({"spawner", 0, {}});
  for (const Installation::Server& server : installation.servers_) {
    if (has_server_) processes_.push_back({"server", server.process->pid(), {}});
  }
  for (const Child& executor : installation.executors_) {
    processes_.push_back({"executor", executor.pid(), {}});
  }
  for (Process& process : processes_) process.cpu_before = UsageOf(process.pid).cpu;
  if (database_ != 0) database_cpu_before_ = CpuOfFamily(database_);
}

Figures Meter::Read(double tasks) const {
  double all = 0;
  Figures of_each;
  for (const Process& process : processes_) {
    const Usage usage = UsageOf(process.pid);
    const double cpu = absl::ToDoubleSeconds(usage.cpu - process.cpu_before) / tasks * 1e6;
    all += cpu;
    AddTo(of_each, process.name + "_cpu_seconds_per_million", cpu);
    // This one goes on from run to run.
    if (process.pid != 0) AddTo(of_each, process.name + "_peak_rss_mib", usage.peak_rss_mib);
  }
  if (database_ != 0) {
    const absl::Duration used = CpuOfFamily(database_) - database_cpu_before_;
    const double cpu = absl::ToDoubleSeconds(used) / tasks * 1e6;
    all += cpu;
    of_each.emplace_back("database_cpu_seconds_per_million", cpu);
  }
  Figures figures;
  // Of a server that runs already nobody knows.
  if (has_server_) figures.emplace_back("cpu_seconds_per_million", all);
  Append("", of_each, figures);
  return figures;
}

}  // namespace kantoku::bench
