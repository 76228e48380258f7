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
  for (const Part part : {Part::kEvents, Part::kOutputs, Part::kInputs}) {
    for (size_t i = 0; i < options.replicas; ++i) topology->StartPart(part, i);
  }
  for (size_t i = 0; i < kExecutors; ++i) topology->StartExecutor(i);
  if (absl::Status up = topology->AwaitUp(kPatience); !up.ok()) return up;
  return topology;
}

Topology::Topology(const Options& options)
    : options_(options), brake_(options.directory + "/brake"), proxy_(options.seed) {
  for (auto& ports : ports_) ports = std::vector<test::ReservedPort>(options.replicas);
  auto disk = test::SmallDisk::Make(options.disk_megabytes);
  if (disk.ok()) {
    disk_ = *std::move(disk);
  } else {
    why_no_disk_ = std::string(platform::ToStd(disk.status().message()));
    std::filesystem::create_directory(File("data"));
  }
}

Topology::~Topology() = default;

// Everybody speaks to one replica, whoever has the partition; those who are alike to different
// ones.
void Topology::MakeLines() {
  const auto link = [this](Part part, size_t caller) {
    return proxy_.AddLink(address(part, caller));
  };
  for (size_t i = 0; i < kUsers; ++i) {
    user_lines_[i] = {.name = absl::StrCat("user ", i),
                      .to_inputs = link(Part::kInputs, i),
                      .to_outputs = link(Part::kOutputs, i)};
  }
  for (size_t i = 0; i < kExecutors; ++i) {
    executor_lines_[i] = {.name = absl::StrCat("executor-", i),
                          .to_inputs = link(Part::kInputs, i),
                          .to_outputs = link(Part::kOutputs, i)};
  }
  for (size_t i = 0; i < options_.replicas; ++i) {
    service_links_.push_back({.inputs_to_outputs = link(Part::kOutputs, i + 1),
                              .inputs_to_events = link(Part::kEvents, i + 1),
                              .outputs_to_inputs = link(Part::kInputs, i + 1)});
  }
}

std::vector<size_t> Topology::service_links() const {
  std::vector<size_t> links;
  for (const ServiceLinks& each : service_links_) {
    links.insert(links.end(),
                 {each.inputs_to_outputs, each.inputs_to_events, each.outputs_to_inputs});
  }
  return links;
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

void Topology::StartPart(Part part, size_t replica) {
  const std::string service = kPartNames[static_cast<size_t>(part)];
  const std::string name = options_.replicas == 1 ? service : absl::StrCat(service, "-", replica);
  Program::Options program = {
      .name = name, .output_file = File(name + ".log"), .port_file = File(name + ".port")};
  program.argv = Launcher();
  for (const std::string& word : Brake()) program.argv.push_back(word);
  for (const std::string& word : {options_.binaries + "/kantoku-" + service, std::string("--data"),
                                  DataPath(name), std::string("--listen"), address(part, replica),
                                  std::string("--port-file"), program.port_file}) {
    program.argv.push_back(word);
  }
  if (database_ != nullptr) {
    const std::string store = service + ".store.postgres.";
    for (const std::string& setting : {Setting(store + "connection", database_->connection()),
                                       Setting(store + "migrate_on_start", "true")}) {
      program.argv.insert(program.argv.end(), {"--set", setting});
    }
  }
  const ServiceLinks& links = service_links_[replica];
  for (const std::string& setting :
       {Setting("server.metrics_listen", "none"), Setting("server.mac_key_file", File("mac.keys")),
        Setting("server.drain_timeout", kDrain),
        Setting("server.advertise", options_.replicas == 1 ? "" : address(part, replica)),
        Setting("inputs.outputs_address", proxy_.address(links.inputs_to_outputs)),
        Setting("inputs.events_address", proxy_.address(links.inputs_to_events)),
        Setting("inputs.grace", absl::FormatDuration(options_.grace)),
        Setting("inputs.ping_interval", "1s"),
        Setting("outputs.inputs_address", proxy_.address(links.outputs_to_inputs)),
        Setting("log.level", "warn")}) {
    program.argv.insert(program.argv.end(), {"--set", setting});
  }
  parts_[static_cast<size_t>(part)].push_back(std::make_unique<Program>(std::move(program)));
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
  auto client = Client::Connect(
      address(Part::kInputs, 0),
      {.outputs_address = address(Part::kOutputs, 0), .events_address = address(Part::kEvents, 0)});
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
  for (const auto& replicas : parts_) {
    for (const auto& part : replicas) {
      if (absl::Status up = part->AwaitUp(limit); !up.ok()) return up;
    }
  }
  for (const auto& executor : executors_) {
    if (absl::Status up = executor->AwaitUp(limit); !up.ok()) return up;
  }
  return absl::OkStatus();
}

int Topology::crashes() const {
  int crashes = database_ == nullptr ? 0 : database_->server().crashes();
  for (const auto& replicas : parts_) {
    for (const auto& part : replicas) crashes += part->crashes();
  }
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
  for (const auto& replicas : parts_) {
    for (const auto& part : replicas) finish(*part);
  }
  // By SIGINT it ends its sessions as well, if there are any.
  if (database_ != nullptr && database_->server().Finish(SIGINT, kPatience) != 0) {
    odd.emplace_back("the database did not end properly");
  }
  return odd;
}

}  // namespace kantoku::soak
