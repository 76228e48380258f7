#include "services/all-in-one/bench/bench_command.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/all-in-one/bench/child.h"
#include "services/all-in-one/bench/guard.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/all-in-one/bench/table.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

using bench::Figures;
using bench::Floors;
using bench::Scenario;
using Json = nlohmann::ordered_json;

struct BenchOptions {
  bench::Terms terms;
  std::vector<std::string> names;  // Of scenarios; none: those without sizes that the place allows.
  int runs = 0;                    // 0: as many as the scenario wants.
  std::string floors_program;      // Prints what bench::Floors reads; empty: no floors.
  std::string suffix;              // Of the scenarios' names in what is printed.
  bool quick = false;
  bool list = false;
};

// A hundredth of everything, once: whether it works, not how fast it is.
bench::Terms Quick(bench::Terms terms) {
  for (size_t* const number :
       {&terms.tasks, &terms.singles, &terms.backlog, &terms.sessions, &terms.fanout}) {
    *number = std::max<size_t>(*number / 100, 40);
  }
  return terms;
}

std::vector<std::string> Names() {
  std::vector<std::string> names;
  for (const Scenario& scenario : bench::Scenarios()) names.push_back(scenario.name);
  return names;
}

absl::StatusOr<std::vector<const Scenario*>> Select(const BenchOptions& options) {
  const bool own_server = options.terms.place.server.empty();
  std::vector<const Scenario*> selected;
  for (const Scenario& scenario : bench::Scenarios()) {
    const bool named = std::ranges::find(options.names, scenario.name) != options.names.end();
    if (named && scenario.own_server && !own_server) {
      return absl::InvalidArgumentError(
          absl::StrCat(scenario.name, " starts servers of its own, it cannot measure --server"));
    }
    const bool database = !options.terms.place.postgres.empty();
    if (named && scenario.database && !database) {
      return absl::InvalidArgumentError(
          absl::StrCat(scenario.name, " is of servers that share a database: give --postgres"));
    }
    const bool allowed = scenario.sizes.empty() && (own_server || !scenario.own_server) &&
                         (database || !scenario.database);
    if (named || (options.names.empty() && allowed)) selected.push_back(&scenario);
  }
  return selected;
}

absl::StatusOr<std::optional<Floors>> MeasureFloors(const std::string& program) {
  if (program.empty()) return std::nullopt;
  KANTOKU_ASSIGN_OR_RETURN(const std::string output, bench::OutputOf(program));
  return bench::ParseFloors(output);
}

// What all runs have measured of each size; of one without a number if the scenario has none.
using Measured = std::vector<std::pair<std::optional<size_t>, std::vector<Figures>>>;

absl::StatusOr<Measured> Measure(const Scenario& scenario, const BenchOptions& options) {
  Measured sizes;
  sizes.reserve(std::max<size_t>(scenario.sizes.size(), 1));
  for (const size_t size : scenario.sizes) sizes.push_back({size, {}});
  if (options.quick && sizes.size() > 2) sizes.resize(2);
  if (sizes.empty()) sizes.push_back({std::nullopt, {}});
  bench::Terms terms = options.quick ? Quick(options.terms) : options.terms;
  const int runs = options.runs > 0 ? options.runs : options.quick ? 1 : scenario.runs;
  for (terms.run = 0; terms.run < runs; ++terms.run) {
    for (const size_t i : bench::OrderIn(terms.run, sizes.size())) {
      terms.size = sizes[i].first.value_or(0);
      auto figures = scenario.run(terms);
      if (!figures.ok()) {
        return absl::Status(figures.status().code(),
                            absl::StrCat(scenario.name, ": ", figures.status().message()));
      }
      sizes[i].second.push_back(*std::move(figures));
    }
  }
  return sizes;
}

Json LineOf(const Scenario& scenario, const BenchOptions& options,
            const std::optional<Floors>& floors, const Measured::value_type& measured) {
  const auto& [size, runs] = measured;
  Json line = {{"scenario", scenario.name + options.suffix}, {"runs", runs.size()}};
  if (size.has_value()) line["size"] = *size;
  line.update(bench::Summarize(runs));
  if (!floors.has_value()) return line;
  if (scenario.floor.has_value()) {
    line[scenario.floor->name] =
        line[scenario.floor->figure].get<double>() / scenario.floor->of(*floors);
  }
  line["floors"] = bench::ToJson(*floors);
  return line;
}

absl::Status RunBench(const BenchOptions& options) {
  KANTOKU_ASSIGN_OR_RETURN(const auto selected, Select(options));
  KANTOKU_ASSIGN_OR_RETURN(const auto floors, MeasureFloors(options.floors_program));
  bench::Table table;
  for (const Scenario* const scenario : selected) {
    KANTOKU_ASSIGN_OR_RETURN(const Measured all, Measure(*scenario, options));
    for (const auto& measured : all) {
      const Json line = LineOf(*scenario, options, floors, measured);
      std::cout << line << std::endl;
      table.Add(*scenario, line);
    }
  }
  table.Print(std::cerr);
  return absl::OkStatus();
}

// What the program ends with, and what is wrong in one line.
int Tell(const absl::Status& status) {
  if (status.ok()) return 0;
  std::cerr << "kantoku bench: " << status.message() << std::endl;
  return static_cast<int>(absl::IsInvalidArgument(status) ? cli::ExitCode::kUsage
                                                          : cli::ExitCode::kFailed);
}

int BenchMain(const BenchOptions& options) {
  if (options.list) {
    for (const Scenario& scenario : bench::Scenarios()) {
      std::cout << scenario.name << "\t" << scenario.about << std::endl;
    }
    return 0;
  }
  const absl::StatusOr<int> code = bench::RunGuarded([&] { return Tell(RunBench(options)); });
  return code.ok() ? *code : Tell(code.status());
}

void AddTo(CLI::App& app, BenchOptions& options) {
  bench::Terms& terms = options.terms;
  app.add_option("scenario", options.names, "Those to run; none: all that have no sizes")
      ->check(CLI::IsMember(Names()));
  app.add_flag("--list", options.list, "Tells which scenarios there are");
  app.add_flag("--quick", options.quick,
               "A hundredth of everything, once, and the first two sizes");
  app.add_option("--runs", options.runs, "Runs of each scenario; the median is told")
      ->check(CLI::Range(1, 1'000));
  app.add_option("--floors", options.floors_program,
                 "A program that tells what the machine can do at best");
  app.add_option("--suffix", options.suffix, "Of the scenarios' names in the figures");
  app.add_option("--server", terms.place.server, "A server that runs; empty: one for each run");
  app.add_option("--access", terms.place.access, "The access file for --server");
  app.add_flag("--no-tls", terms.place.no_tls, "Without TLS, to compare");
  app.add_flag("--no-auth", terms.place.no_auth, "Without access tokens, to compare");
  app.add_option(
         "--postgres", terms.place.postgres,
         "A PostgreSQL database for the servers' records, as libpq takes it; it gets schemas "
         "of our own, which go again unless it is interrupted")
      ->excludes("--server");
  const auto number = [&app](const char* name, size_t& value, size_t most, const char* about) {
    app.add_option(name, value, about)->check(CLI::Range(size_t{1}, most))->capture_default_str();
  };
  number("--tasks", terms.tasks, 100'000'000, "Tasks of a run that measures a rate");
  number("--batch", terms.batch, 100'000, "Tasks of a spawn call");
  number("--in-flight", terms.in_flight, 1'000'000, "Tasks under way at once");
  number("--held", terms.held, 100'000, "Tasks that the executor may hold");
  number("--singles", terms.singles, 1'000'000, "Tasks of a run that measures latency");
  number("--backlog", terms.backlog, 1'000'000'000, "Tasks of the backlog");
  number("--sessions", terms.sessions, 100'000, "Executors of the sessions");
  number("--fanout", terms.fanout, 10'000'000, "Children of the tree");
}

}  // namespace

cli::ExtraCommand MakeBenchCommand() {
  auto options = std::make_shared<BenchOptions>();
  return {.name = "bench",
          .description = "Measures servers of its own in temporary directories, or --server",
          .set_up = [options](CLI::App& app) { AddTo(app, *options); },
          .run = [options] { return BenchMain(*options); }};
}

}  // namespace kantoku
