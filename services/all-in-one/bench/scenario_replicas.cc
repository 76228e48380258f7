#include <iterator>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// Each is in another one of eight partitions; at which server chance decides.
constexpr const char* kNamespaces[] = {"e", "f", "c"};
constexpr size_t kServers[] = {1, 3};

// Tasks of all namespaces at once, each through a client of its own.
absl::Status RunAll(std::vector<Client>& clients, const Batches& of_each) {
  std::vector<absl::Status> ended(clients.size());
  std::vector<std::thread> threads;
  threads.reserve(clients.size());
  for (size_t i = 0; i < clients.size(); ++i) {
    threads.emplace_back([&, i] { ended[i] = Run(clients[i], of_each).status(); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const absl::Status& status : ended) KANTOKU_RETURN_IF_ERROR(status);
  return absl::OkStatus();
}

// Clients and executors of the namespaces are dealt out to the servers, whichever has the tasks.
absl::StatusOr<Figures> With(const Terms& terms, size_t servers) {
  Place place = terms.place;
  place.no_tls = place.no_auth = true;  // As several servers are, so that the two can be compared.
  KANTOKU_ASSIGN_OR_RETURN(
      const auto installation,
      Installation::Start(
          place,
          {absl::StrCat("inputs.max_session_credit=", terms.held), "inputs.namespaces=e,f,c"},
          servers));
  std::vector<Client> clients;
  for (size_t i = 0; i < std::size(kNamespaces); ++i) {
    KANTOKU_ASSIGN_OR_RETURN(const Client client, installation->Connect(i % servers));
    clients.push_back(client.InNamespace(kNamespaces[i]));
    KANTOKU_RETURN_IF_ERROR(installation->StartExecutor(
        {"--namespace", kNamespaces[i], "--held", absl::StrCat(terms.held)}, i % servers));
  }
  KANTOKU_RETURN_IF_ERROR(RunAll(clients, {.tasks = kWarmTasks}));
  const Batches of_each = {.tasks = terms.tasks / clients.size(),
                           .batch = terms.batch,
                           .in_flight = terms.in_flight / clients.size()};
  const auto tasks = static_cast<double>(of_each.tasks * clients.size());
  const Meter meter(*installation);
  const absl::Time begin = absl::Now();
  KANTOKU_RETURN_IF_ERROR(RunAll(clients, of_each));
  Figures figures = {{"tasks_per_second", tasks / absl::ToDoubleSeconds(absl::Now() - begin)}};
  Append("", meter.Read(tasks), figures);
  return figures;
}

absl::StatusOr<Figures> Measure(const Terms& terms) {
  Figures sides[std::size(kServers)];
  for (const size_t side : OrderIn(terms.run, std::size(kServers))) {
    KANTOKU_ASSIGN_OR_RETURN(sides[side], With(terms, kServers[side]));
  }
  Figures figures;
  Append("one_", sides[0], figures);
  Append("three_", sides[1], figures);
  for (const char* const name : {"tasks_per_second", "cpu_seconds_per_million"}) {
    figures.emplace_back(absl::StrCat("three_of_one_", name),
                         FigureOf(sides[1], name) / FigureOf(sides[0], name));
  }
  return figures;
}

}  // namespace

Scenario ReplicasScenario() {
  return {
      .name = "replicas",
      .about = "throughput of three namespaces, at one server and at three that share a database",
      .runs = 7,
      .own_server = true,
      .database = true,
      .shown = {"one_tasks_per_second", "three_tasks_per_second", "three_of_one_tasks_per_second",
                "three_of_one_cpu_seconds_per_million"},
      .run = Measure};
}

}  // namespace kantoku::bench
