#include "services/all-in-one/bench/figures.h"

#include <algorithm>

namespace kantoku::bench {

void Append(const std::string& prefix, const Figures& more, Figures& figures) {
  for (const auto& [name, value] : more) figures.emplace_back(prefix + name, value);
}

Figures Latencies(std::vector<absl::Duration> times) {
  if (times.empty()) return {};
  std::ranges::sort(times);
  return {{"p50_us", absl::ToDoubleMicroseconds(times[times.size() / 2])},
          {"p99_us", absl::ToDoubleMicroseconds(times[times.size() * 99 / 100])}};
}

namespace {

const std::pair<std::string, double>* Find(const Figures& figures, const std::string& name) {
  const auto found = std::ranges::find(figures, name, &std::pair<std::string, double>::first);
  return found == figures.end() ? nullptr : &*found;
}

double Median(const std::vector<double>& sorted) {
  const size_t middle = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

}  // namespace

double FigureOf(const Figures& figures, const std::string& name) {
  const auto* const found = Find(figures, name);
  return found == nullptr ? 0 : found->second;
}

nlohmann::ordered_json Summarize(const std::vector<Figures>& runs) {
  nlohmann::ordered_json medians;
  nlohmann::ordered_json least;
  nlohmann::ordered_json most;
  for (size_t i = 0; !runs.empty() && i < runs.front().size(); ++i) {
    const std::string& name = runs.front()[i].first;
    std::vector<double> values;
    for (const Figures& run : runs) {
      if (const auto* const found = Find(run, name)) values.push_back(found->second);
    }
    if (values.size() < runs.size()) continue;
    std::ranges::sort(values);
    medians[name] = Median(values);
    least[name] = values.front();
    most[name] = values.back();
  }
  if (runs.size() > 1) {
    medians["least"] = std::move(least);
    medians["most"] = std::move(most);
  }
  return medians;
}

}  // namespace kantoku::bench
