#include "tests/e2e/up.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/access/target.h"
#include "services/platform/check.h"
#include "services/platform/clock.h"
#include "tests/chaos/work.h"

namespace kantoku::test {
namespace {

// What happened to a task that did not end as it should.
std::string StoryOf(Client client, const TaskId& task) {
  std::string story;
  const auto info = client.Get(task, {.timeout = kPatience});
  if (info.ok()) {
    story = absl::StrCat("it is ", std::string(ToString(info->state)), " (",
                         std::string(ToString(info->wait_cause)), ")");
  }
  const auto events =
      client.ReadEvents({.filter = {.task_ids = {task}}, .limit = 100}, {.timeout = kPatience});
  if (!events.ok()) return story;
  for (const Event& event : events->events) {
    absl::StrAppend(&story, "\n", absl::FormatTime(event.at), " ", event.type, " ", event.dispatch);
    for (const auto& [name, value] : event.details) absl::StrAppend(&story, " ", name, "=", value);
  }
  return story;
}

platform::ChannelOptions HowToReach(const Up& up, const std::string& access_file) {
  const auto target = platform::FindTarget({.server = up.address(), .access_file = access_file}, "",
                                           platform::Clock::Real());
  KANTOKU_CHECK(target.ok());
  return target->channel;
}

}  // namespace

std::vector<std::string> StoresOnPostgres(const std::string& connection, bool migrate_on_start) {
  std::vector<std::string> settings = {"server.metrics_listen=none"};
  for (const std::string component : {"inputs", "outputs", "events"}) {
    const std::string store = absl::StrCat(component, ".store.postgres");
    settings.push_back(absl::StrCat(store, ".connection=", connection));
    if (migrate_on_start) settings.push_back(absl::StrCat(store, ".migrate_on_start=true"));
  }
  return settings;
}

Up::Up(UpOptions options) : options_(std::move(options)) {
  if (options_.data.empty()) options_.data = directory_.File("data");
  Start();
}

void Up::Restart() {
  process_.reset();
  std::filesystem::remove(directory_.File("port"));
  Start();
}

void Up::Start() {
  const std::string port_file = directory_.File("port");
  std::vector<std::string> argv = options_.launcher;
  for (const std::string& word :
       {Binary("kantoku"), std::string("up"), std::string("--data"), options_.data,
        std::string("--listen"), options_.listen, std::string("--port-file"), port_file}) {
    argv.push_back(word);
  }
  if (!options_.config.empty()) argv.insert(argv.end(), {"--config", options_.config});
  for (const std::string& setting : options_.settings) {
    argv.insert(argv.end(), {"--set", setting});
  }
  auto process = ChildProcess::Start({.argv = argv});
  INFO(process.status().ToString());
  REQUIRE(process.ok());
  process_ = *std::move(process);
  const auto port = process_->AwaitFile(port_file);
  INFO(port.status().ToString());
  REQUIRE(port.ok());
  options_.listen = "127.0.0.1:" + *port;
}

Client Up::Connect() const {
  ClientOptions options;
  options.access_file = access();
  auto client = Client::Connect(address(), options);
  INFO(client.status().ToString());
  REQUIRE(client.ok());
  return *std::move(client);
}

std::shared_ptr<grpc::Channel> Up::Channel(const std::string& access_file) const {
  return *platform::MakeChannel(address(), HowToReach(*this, access_file));
}

std::shared_ptr<grpc::Channel> Up::ChannelOfNobody() const {
  return *platform::MakeChannel(address(),
                                {.tokens = nullptr, .tls = HowToReach(*this, access()).tls});
}

std::unique_ptr<ChildProcess> Up::StartHonestExecutor() const {
  auto process = ChildProcess::Start({.argv = {Binary("kantoku-chaos-executor"), "--inputs",
                                               address(), "--name", "honest", "--concurrency", "8"},
                                      .env = {{"KANTOKU_ACCESS", access()}}});
  REQUIRE(process.ok());
  return *std::move(process);
}

std::vector<TaskId> Up::Spawn(int count) const {
  std::vector<Task> tasks;
  tasks.reserve(count);
  for (int i = 0; i < count; ++i) {
    tasks.push_back(Task(kWorkType, PayloadOf(i))
                        .With(Retry({.max_attempts = 1'000,
                                     .initial_backoff = absl::Milliseconds(1),
                                     .max_backoff = absl::Milliseconds(1)})));
  }
  std::vector<TaskId> ids;
  for (const auto& spawned : Connect().SpawnBatch(std::move(tasks), {.timeout = kPatience})) {
    INFO(spawned.status().ToString());
    REQUIRE(spawned.ok());
    ids.push_back(spawned->id);
  }
  return ids;
}

void Up::CheckHonestResults(const std::vector<TaskId>& tasks) const {
  const auto outputs = Connect().AwaitAll(tasks, {.timeout = kPatience});
  REQUIRE(outputs.size() == tasks.size());
  for (size_t i = 0; i < tasks.size(); ++i) {
    if (!outputs[i].ok()) {
      FAIL(outputs[i].status().ToString() << "; " << StoryOf(Connect(), tasks[i]));
    }
    CHECK(outputs[i]->succeeded());
    CHECK(outputs[i]->data == ResultOf(PayloadOf(static_cast<int>(i))));
  }
}

bool Becomes(const std::function<bool()>& condition) {
  const absl::Duration until = platform::Clock::Real().Read().steady + kPatience;
  while (platform::Clock::Real().Read().steady < until) {
    if (condition()) return true;
  }
  return false;
}

}  // namespace kantoku::test
