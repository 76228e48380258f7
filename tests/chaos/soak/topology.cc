#include "tests/chaos/soak/topology.h"

#include <signal.h>

#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/mac.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "tests/chaos/soak/journal.h"

namespace kantoku::soak {
namespace {

constexpr absl::Duration kPatience = absl::Seconds(60);
// Of services: short, so that a restart does not wait for all that is under way.
constexpr char kDrain[] = "1s";

std::string Setting(const std::string& name, const std::string& value) {
  return absl::StrCat(name, "=", value);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Topology>> Topology::Start(const Options& options) {
  std::unique_ptr<Topology> topology(new Topology(options));
  auto keys = platform::MacKeys::LoadOrCreate(topology->File("mac.keys"));
  if (!keys.ok()) return keys.status();
  topology->MakeLines();
  if (options.postgres) {
    if (absl::Status status = topology->StartDatabase(); !status.ok()) return status;
  }
  for (const Part part : {Part::kEvents, Part::kOutputs, Part::kInputs}) topology->StartPart(part);
  for (size_t i = 0; i < kExecutors; ++i) topology->StartExecutor(i);
  if (absl::Status up = topology->AwaitUp(kPatience); !up.ok()) return up;
  return topology;
}

Topology::Topology(const Options& options)
    : options_(options), brake_(options.directory + "/brake"), proxy_(options.seed) {
  auto disk = test::SmallDisk::Make(options.disk_megabytes);
  if (disk.ok()) {
    disk_ = *std::move(disk);
  } else {
    why_no_disk_ = std::string(platform::ToStd(disk.status().message()));
    std::filesystem::create_directory(File("data"));
  }
}

Topology::~Topology() = default;

void Topology::MakeLines() {
  for (size_t i = 0; i < kUsers; ++i) {
    user_lines_[i] = {.name = absl::StrCat("user ", i),
                      .to_inputs = proxy_.AddLink(address(Part::kInputs)),
                      .to_outputs = proxy_.AddLink(address(Part::kOutputs))};
  }
  for (size_t i = 0; i < kExecutors; ++i) {
    executor_lines_[i] = {.name = absl::StrCat("executor-", i),
                          .to_inputs = proxy_.AddLink(address(Part::kInputs)),
                          .to_outputs = proxy_.AddLink(address(Part::kOutputs))};
  }
  service_links_ = {proxy_.AddLink(address(Part::kOutputs)), proxy_.AddLink(address(Part::kEvents)),
                    proxy_.AddLink(address(Part::kInputs))};
}

std::vector<std::string> Topology::Launcher() const {
  return disk_ == nullptr ? std::vector<std::string>() : disk_->launcher();
}

std::vector<std::string> Topology::Brake() const {
  return {options_.binaries + "/kantoku-chaos", "brake", File("brake")};
}

std::string Topology::DataPath(const std::string& name) const {
  return (disk_ == nullptr ? File("data") : disk_->path()) + "/" + name;
}

absl::Status Topology::StartDatabase() {
  auto database = Database::Start({.home = File("database"),
                                   .data = DataPath("database"),
                                   .through = {options_.directory, DataPath("."), DataPath("..")},
                                   .launcher = Launcher(),
                                   .brake = Brake()});
  if (!database.ok()) return database.status();
  database_ = *std::move(database);
  return absl::OkStatus();
}

void Topology::StartPart(Part part) {
  const std::string name = kPartNames[static_cast<size_t>(part)];
  Program::Options program = {
      .name = name, .output_file = File(name + ".log"), .port_file = File(name + ".port")};
  program.argv = Launcher();
  for (const std::string& word : Brake()) program.argv.push_back(word);
  for (const std::string& word :
       {options_.binaries + "/kantoku-" + name, std::string("--data"), DataPath(name),
        std::string("--listen"), address(part), std::string("--port-file"), program.port_file}) {
    program.argv.push_back(word);
  }
  if (database_ != nullptr) {
    const std::string store = name + ".store.postgres.";
    for (const std::string& setting : {Setting(store + "connection", database_->connection()),
                                       Setting(store + "migrate_on_start", "true")}) {
      program.argv.insert(program.argv.end(), {"--set", setting});
    }
  }
  for (const std::string& setting :
       {Setting("server.metrics_listen", "none"), Setting("server.mac_key_file", File("mac.keys")),
        Setting("server.drain_timeout", kDrain),
        Setting("inputs.outputs_address", proxy_.address(service_links_[0])),
        Setting("inputs.events_address", proxy_.address(service_links_[1])),
        Setting("inputs.grace", absl::FormatDuration(options_.grace)),
        Setting("inputs.ping_interval", "1s"),
        Setting("outputs.inputs_address", proxy_.address(service_links_[2])),
        Setting("log.level", "warn")}) {
    program.argv.insert(program.argv.end(), {"--set", setting});
  }
  parts_[static_cast<size_t>(part)] = std::make_unique<Program>(std::move(program));
}

void Topology::StartExecutor(size_t executor) {
  const Line& line = executor_lines_[executor];
  Program::Options program = {
      .name = line.name,
      .argv = {options_.binaries + "/kantoku-chaos", "execute", "--inputs",
               proxy_.address(line.to_inputs), "--outputs", proxy_.address(line.to_outputs),
               "--name", line.name, "--zone", ZoneOf(executor), "--journal", journal_path()},
      .output_file = File(line.name + ".log")};
  program.started = [this, name = line.name, zone = ZoneOf(executor)](pid_t pid) {
    platform::MutexLock lock(mu_);
    known_executors_[pid] = {.name = name, .zone = zone};
  };
  program.ended = [this](pid_t pid, absl::Duration at) {
    platform::MutexLock lock(mu_);
    known_executors_[pid].ended = at;
  };
  executors_[executor] = std::make_unique<Program>(std::move(program));
}

Client Topology::ConnectUser(size_t user) const {
  const Line& line = user_lines_[user];
  auto client = Client::Connect(proxy_.address(line.to_inputs),
                                {.outputs_address = proxy_.address(line.to_outputs)});
  KANTOKU_CHECK(client.ok());
  return *std::move(client);
}

Client Topology::ConnectStraight() const {
  auto client = Client::Connect(address(Part::kInputs), {.outputs_address = address(Part::kOutputs),
                                                         .events_address = address(Part::kEvents)});
  KANTOKU_CHECK(client.ok());
  return *std::move(client);
}

std::map<pid_t, Executor> Topology::executors() const {
  platform::MutexLock lock(mu_);
  return known_executors_;
}

absl::Status Topology::AwaitUp(absl::Duration limit) {
  if (database_ != nullptr) {
    if (absl::Status up = database_->server().AwaitUp(limit); !up.ok()) return up;
  }
  for (const auto& part : parts_) {
    if (absl::Status up = part->AwaitUp(limit); !up.ok()) return up;
  }
  for (const auto& executor : executors_) {
    if (absl::Status up = executor->AwaitUp(limit); !up.ok()) return up;
  }
  return absl::OkStatus();
}

int Topology::crashes() const {
  int crashes = database_ == nullptr ? 0 : database_->server().crashes();
  for (const auto& part : parts_) crashes += part->crashes();
  for (const auto& executor : executors_) crashes += executor->crashes();
  return crashes;
}

std::vector<std::string> Topology::Stop() {
  std::vector<std::string> odd;
  const auto finish = [&](Program& program) {
    const int code = program.Finish(SIGTERM, kPatience);
    if (code != 0) odd.push_back(absl::StrCat(program.name(), " ended with code ", code));
  };
  for (const auto& executor : executors_) finish(*executor);
  for (const auto& part : parts_) finish(*part);
  // By SIGINT it ends its sessions as well, if there are any.
  if (database_ != nullptr && database_->server().Finish(SIGINT, kPatience) != 0) {
    odd.emplace_back("the database did not end properly");
  }
  return odd;
}

}  // namespace kantoku::soak
