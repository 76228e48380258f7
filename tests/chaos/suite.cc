#include "tests/chaos/suite.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/auth/mac.h"
#include "services/platform/check.h"

namespace kantoku::test {
namespace {

constexpr std::array<const char*, 3> kServiceNames = {"inputs", "outputs", "events"};

std::string JournalDirectory(const TempDir& directory) {
  std::filesystem::create_directory(directory.File("journals"));
  return directory.File("journals");
}

std::unique_ptr<ChildProcess> StartChild(const ChildOptions& options) {
  auto child = ChildProcess::Start(options);
  INFO(child.status().ToString());
  REQUIRE(child.ok());
  return *std::move(child);
}

}  // namespace

Suite::Suite(const Options& options) : options_(options), journals_(JournalDirectory(directory_)) {
  KANTOKU_CHECK(platform::MacKeys::LoadOrCreate(directory_.File("mac.keys")).ok());
  for (const Service service : {Service::kEvents, Service::kOutputs, Service::kInputs}) {
    Start(service);
  }
}

std::string Suite::address(Service service) const {
  return ports_[static_cast<size_t>(service)].address();
}

void Suite::Start(Service service) {
  const auto stand_in = options_.stand_ins.find(service);
  if (stand_in == options_.stand_ins.end()) return StartOurs(service);
  StartStandIn(service, stand_in->second);
}

void Suite::StartOurs(Service service) {
  const std::string name = kServiceNames[static_cast<size_t>(service)];
  const std::string port_file = directory_.File(name + ".port");
  std::filesystem::remove(port_file);
  std::vector<std::string> argv = {Binary("kantoku-" + name),
                                   "--data",
                                   directory_.File(name),
                                   "--listen",
                                   address(service),
                                   "--port-file",
                                   port_file};
  std::vector<std::string> settings = {
      "server.metrics_listen=none",
      "server.mac_key_file=" + directory_.File("mac.keys"),
      "inputs.outputs_address=" + address(Service::kOutputs),
      "inputs.events_address=" + address(Service::kEvents),
      "outputs.inputs_address=" + address(Service::kInputs),
      "inputs.grace=" + absl::FormatDuration(options_.grace),
      "server.drain_timeout=" + absl::FormatDuration(options_.drain_timeout)};
  if (const auto more = options_.settings.find(service); more != options_.settings.end()) {
    settings.insert(settings.end(), more->second.begin(), more->second.end());
  }
  for (const std::string& setting : settings) argv.insert(argv.end(), {"--set", setting});
  auto& child = services_[static_cast<size_t>(service)];
  child.reset();
  child = StartChild({.argv = std::move(argv), .output_file = directory_.File(name + ".log")});
  const auto port = child->AwaitFile(port_file);
  INFO(port.status().ToString());
  REQUIRE(port.ok());
}

void Suite::StartStandIn(Service service, const StandIn& stand_in) {
  auto& child = services_[static_cast<size_t>(service)];
  child.reset();
  ChildOptions options = stand_in(address(service), directory_.File("mac.keys"));
  options.output_file =
      directory_.File(std::string(kServiceNames[static_cast<size_t>(service)]) + ".log");
  child = StartChild(options);
  const auto line = child->AwaitLine("serving at ");
  INFO(line.status().ToString());
  REQUIRE(line.ok());
}

void Suite::StartExecutor(size_t executor) {
  executors_.resize(std::max(executors_.size(), executor + 1));
  processes_.resize(executors_.size());
  processes_[executor] = journals_.executors();
  executors_[executor] =
      StartChild({.argv = {Binary("kantoku-chaos-executor"), "--inputs", address(Service::kInputs),
                           "--outputs", address(Service::kOutputs), "--name",
                           absl::StrCat("executor-", executor), "--concurrency",
                           absl::StrCat(options_.concurrency), "--max-held",
                           absl::StrCat(options_.max_held), "--journal", journals_.AddExecutor()},
                  .output_file = directory_.File(absl::StrCat("executor-", executor, ".log"))});
}

void Suite::StartClient(size_t client, int first, int count, int window) {
  if (client == clients_.size()) {
    clients_.emplace_back();
    client_options_.emplace_back();
    client_journals_.push_back(journals_.AddClient());
  }
  std::vector<std::string> argv = {Binary("kantoku-chaos-client"),
                                   "--inputs",
                                   address(Service::kInputs),
                                   "--outputs",
                                   address(Service::kOutputs),
                                   "--journal",
                                   client_journals_[client],
                                   "--run",
                                   "chaos",
                                   "--first",
                                   absl::StrCat(first),
                                   "--count",
                                   absl::StrCat(count),
                                   "--window",
                                   absl::StrCat(window)};
  if (options_.once) argv.push_back("--once");
  client_options_[client] = {
      .argv = std::move(argv),
      .output_file = directory_.File(absl::StrCat("client-", client, ".log"))};
  RestartClient(client);
}

void Suite::RestartClient(size_t client) { clients_[client] = StartChild(client_options_[client]); }

void Suite::FreezeWhile(ChildProcess& child, const std::function<bool()>& condition) {
  REQUIRE(journals_.Await([&] {
    child.Freeze();
    journals_.Update();
    if (condition()) return true;
    child.Thaw();
    return false;
  }));
}

Client Suite::Connect() const {
  auto client = Client::Connect(
      address(Service::kInputs),
      {.outputs_address = address(Service::kOutputs), .events_address = address(Service::kEvents)});
  KANTOKU_CHECK(client.ok());
  return *std::move(client);
}

}  // namespace kantoku::test
