#include "tests/e2e/replicas.h"

#include <catch2/catch.hpp>
#include <csignal>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "services/platform/postgres/postgres_connection.h"
#include "tests/chaos/work.h"

namespace kantoku::test {

const std::vector<std::string> kNamespaces = {"e", "f", "c", "d", "a", "b", "g", "h"};

Replicas::Replicas(int replicas) {
  std::ofstream config(ConfigFile());
  config << "inputs:\n  database_roles:\n";
  for (const std::string& name : kNamespaces) {
    config << absl::StrFormat("  - {name: sql_%s, namespace: %s}\n", name, name);
  }
  config.close();
  for (int i = 0; i < replicas; ++i) Join();
  platform::PostgresConnection administrator({.connection = postgres_.connection()});
  for (const std::string& name : kNamespaces) {
    const std::string role = "sql_" + name;
    const auto granted = administrator.Execute(
        absl::StrCat("CREATE ROLE ", role, " LOGIN; GRANT USAGE ON SCHEMA kantoku TO ", role,
                     "; GRANT EXECUTE ON FUNCTION kantoku.spawn(text, text, jsonb) TO ", role));
    INFO(granted.status().ToString());
    REQUIRE(granted.ok());
  }
}

void Replicas::Join() {
  std::vector<std::string> settings = StoresOnPostgres(postgres_.connection());
  for (const std::string& setting :
       {std::string("server.advertise=127.0.0.1:0"), std::string("server.tls.off=true"),
        absl::StrCat("server.mac_key_file=", directory_.File("mac.keys")),
        std::string("auth.insecure_trust_everybody_on_loopback=true"),
        std::string("inputs.namespaces=default,a,b,c,d,e,f,g,h")}) {
    settings.push_back(setting);
  }
  replicas_.push_back(
      std::make_unique<Up>(UpOptions{.settings = settings, .config = ConfigFile()}));
}

void Replicas::Kill(size_t replica) {
  replicas_.at(replica)->process().Signal(SIGKILL);
  REQUIRE(replicas_.at(replica)->process().AwaitExit().ok());
}

Client Replicas::ClientOf(size_t replica, const std::string& name_space) const {
  ClientOptions options;
  options.namespace_name = name_space;
  options.access_file = replicas_.at(replica)->access();
  auto client = Client::Connect(replicas_.at(replica)->address(), options);
  INFO(client.status().ToString());
  REQUIRE(client.ok());
  return *std::move(client);
}

void Replicas::StartExecutors(const std::vector<size_t>& at) {
  for (size_t i = 0; i < kNamespaces.size(); ++i) {
    const Up& replica = *replicas_.at(at[i % at.size()]);
    auto process = ChildProcess::Start(
        {.argv = {Binary("kantoku-chaos-executor"), "--inputs", replica.address(), "--namespace",
                  kNamespaces[i], "--name", kNamespaces[i], "--concurrency", "8"},
         .env = {{"KANTOKU_ACCESS", replica.access()}}});
    REQUIRE(process.ok());
    executors_.push_back(*std::move(process));
  }
}

std::vector<Batch> Replicas::Spawn(const std::vector<size_t>& at, int count) const {
  std::vector<Batch> batches;
  for (size_t i = 0; i < kNamespaces.size(); ++i) {
    Batch batch{.name_space = kNamespaces[i]};
    std::vector<Task> tasks;
    tasks.reserve(count);
    for (int task = 0; task < count; ++task) {
      tasks.push_back(Task(kWorkType, PayloadOf(task))
                          .With(Retry({.max_attempts = 1'000,
                                       .initial_backoff = absl::Milliseconds(1),
                                       .max_backoff = absl::Milliseconds(1)})));
    }
    Client client = ClientOf(at[i % at.size()], batch.name_space);
    for (const auto& spawned : client.SpawnBatch(std::move(tasks), {.timeout = kPatience})) {
      INFO(spawned.status().ToString());
      REQUIRE(spawned.ok());
      batch.tasks.push_back(spawned->id);
    }
    batches.push_back(std::move(batch));
  }
  return batches;
}

std::vector<Batch> Replicas::SpawnBySql(int count) const {
  std::vector<Batch> batches;
  for (const std::string& name : kNamespaces) {
    platform::PostgresConnection application(
        {.connection = absl::StrCat(postgres_.connection(), " user=sql_", name)});
    REQUIRE(application.Execute("BEGIN").ok());
    Batch batch{.name_space = name};
    for (int task = 0; task < count; ++task) {
      const auto spawned = application.Execute(absl::StrFormat(
          "SELECT kantoku.spawn('%s', '%s', '{\"retry\": {\"maxAttempts\": 1000}}')", kWorkType,
          PayloadOf(task)));
      INFO(spawned.status().ToString());
      REQUIRE(spawned.ok());
      const auto id = TaskId::Parse(std::string(spawned->Text(0, 0)));
      REQUIRE(id.ok());
      batch.tasks.push_back(*id);
    }
    REQUIRE(application.Execute("COMMIT").ok());
    batches.push_back(std::move(batch));
  }
  return batches;
}

void Replicas::CheckResults(const std::vector<size_t>& at,
                            const std::vector<Batch>& batches) const {
  for (size_t i = 0; i < batches.size(); ++i) {
    Client client = ClientOf(at[i % at.size()], batches[i].name_space);
    const auto outputs = client.AwaitAll(batches[i].tasks, {.timeout = kPatience});
    REQUIRE(outputs.size() == batches[i].tasks.size());
    for (size_t task = 0; task < outputs.size(); ++task) {
      INFO(batches[i].name_space << ": " << outputs[task].status().ToString());
      REQUIRE(outputs[task].ok());
      CHECK(outputs[task]->data == ResultOf(PayloadOf(static_cast<int>(task))));
    }
  }
}

}  // namespace kantoku::test
