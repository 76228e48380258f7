#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/database.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

// By their partition of eight.
constexpr const char* kNamespaces[Database::kPartitions] = {"e", "f", "c", "d", "a", "b", "g", "h"};
constexpr size_t kUsed = 3;  // Of these at once.

// How many servers, and where those connect who work in a namespace.
struct Side {
  const char* name;
  size_t servers;
  size_t off;  // From the server that has the namespace.
};
constexpr Side kSides[] = {{"one_", 1, 0}, {"three_", 3, 0}, {"elsewhere_", 3, 1}};

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

// As many namespaces, and as many clients and executors, whatever the servers.
absl::StatusOr<Figures> With(const Terms& terms, const Side& side) {
  Place place = terms.place;
  place.no_tls = place.no_auth = true;  // As several servers are, so that the two can be compared.
  KANTOKU_ASSIGN_OR_RETURN(
      const auto installation,
      Installation::Start(place,
                          {absl::StrCat("inputs.max_session_credit=", terms.held),
                           absl::StrCat("inputs.namespaces=", absl::StrJoin(kNamespaces, ","))},
                          side.servers));
  std::vector<Client> clients;
  for (size_t i = 0; i < kUsed; ++i) {
    const size_t owner = i % side.servers;
    size_t partition = i;
    if (side.servers > 1) {
      KANTOKU_ASSIGN_OR_RETURN(partition, installation->PartitionAt(owner));
    }
    const std::string name_space = kNamespaces[partition];
    const size_t server = (owner + side.off) % side.servers;
    KANTOKU_ASSIGN_OR_RETURN(const Client client, installation->Connect(server));
    clients.push_back(client.InNamespace(name_space));
    KANTOKU_RETURN_IF_ERROR(installation->StartExecutor(
        {"--namespace", name_space, "--held", absl::StrCat(terms.held)}, server));
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
  constexpr const char* kCompared[] = {"tasks_per_second", "cpu_seconds_per_million"};
  Figures of_each[std::size(kSides)];
  for (const size_t side : OrderIn(terms.run, std::size(kSides))) {
    KANTOKU_ASSIGN_OR_RETURN(of_each[side], With(terms, kSides[side]));
  }
  Figures figures;
  for (size_t side = 0; side < std::size(kSides); ++side) {
    Append(kSides[side].name, of_each[side], figures);
    if (side == 0) continue;
    for (const char* const name : kCompared) {
      figures.emplace_back(absl::StrCat(kSides[side].name, "of_one_", name),
                           FigureOf(of_each[side], name) / FigureOf(of_each[0], name));
    }
  }
  return figures;
}

}  // namespace

Scenario ReplicasScenario() {
  return {.name = "replicas",
          .about =
              "throughput of three namespaces: at one server; at three that share a database, each "
              "namespace at another one, with its clients and executors there, or elsewhere",
          .runs = 7,
          .own_server = true,
          .database = true,
          .shown = {"one_tasks_per_second", "three_tasks_per_second", "elsewhere_tasks_per_second",
                    "three_of_one_tasks_per_second", "elsewhere_of_one_tasks_per_second",
                    "elsewhere_of_one_cpu_seconds_per_million"},
          .run = Measure};
}

}  // namespace kantoku::bench
