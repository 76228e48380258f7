#ifndef KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FIGURES_H_
#define KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FIGURES_H_

#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"

namespace kantoku::bench {

// What one run has measured: names with their units, in the order in which they are to be read.
using Figures = std::vector<std::pair<std::string, double>>;

// Adds those that have been measured apart, each name with a prefix.
void Append(const std::string& prefix, const Figures& more, Figures& figures);

// The one of this name; 0 when it was not measured.
double FigureOf(const Figures& figures, const std::string& name);

// p50_us and p99_us of them; none of none.
Figures Latencies(std::vector<absl::Duration> times);

// Of names that all runs have the median, and what lay farthest from it on both sides:
// {"tasks_per_second": 93000, …, "least": {…}, "most": {…}}.
nlohmann::ordered_json Summarize(const std::vector<Figures>& runs);

}  // namespace kantoku::bench

#endif  // KANTOKU_SERVICES_ALL_IN_ONE_BENCH_FIGURES_H_
