#include "services/all-in-one/bench/table.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

namespace kantoku::bench {
namespace {

struct Column {
  const char* title;
  const char* figure;
};
constexpr Column kColumns[] = {{"tasks/s", "tasks_per_second"},
                               {"p50 us", "p50_us"},
                               {"p99 us", "p99_us"},
                               {"CPU s/million", "cpu_seconds_per_million"},
                               {"server MiB", "server_peak_rss_mib"}};

std::string Text(double value) {
  if (std::abs(value) < 10) return absl::StrFormat("%.2f", value);
  return std::abs(value) < 1'000 ? absl::StrFormat("%.1f", value) : absl::StrFormat("%.0f", value);
}

std::string Figure(const nlohmann::ordered_json& line, const std::string& name) {
  return line.contains(name) ? Text(line[name].get<double>()) : "";
}

}  // namespace

void Table::Add(const Scenario& scenario, const nlohmann::ordered_json& line) {
  std::vector<std::string> row = {line["scenario"].get<std::string>()};
  if (line.contains("size")) absl::StrAppend(&row.front(), " ", line["size"].dump());
  for (const Column& column : kColumns) row.push_back(Figure(line, column.figure));
  std::vector<std::string> shown = scenario.shown;
  if (scenario.floor.has_value()) shown.push_back(scenario.floor->name);
  std::string rest;
  for (const std::string& name : shown) {
    const std::string figure = Figure(line, name);
    if (!figure.empty()) absl::StrAppend(&rest, rest.empty() ? "" : ", ", name, " ", figure);
  }
  row.push_back(std::move(rest));
  rows_.push_back(std::move(row));
}

void Table::Print(std::ostream& out) const {
  std::vector<std::string> head = {"scenario"};
  for (const Column& column : kColumns) head.emplace_back(column.title);
  head.emplace_back("");
  std::vector<size_t> widths;
  for (size_t i = 0; i < head.size(); ++i) {
    widths.push_back(head[i].size());
    for (const auto& row : rows_) widths[i] = std::max(widths[i], row[i].size());
  }
  const auto print = [&](const std::vector<std::string>& row) {
    out << std::left << std::setw(static_cast<int>(widths[0])) << row[0] << std::right;
    for (size_t i = 1; i + 1 < row.size(); ++i) {
      out << "  " << std::setw(static_cast<int>(widths[i])) << row[i];
    }
    out << (row.back().empty() ? "" : "  ") << row.back() << "\n";
  };
  print(head);
  for (const auto& row : rows_) print(row);
  out << std::flush;
}

}  // namespace kantoku::bench
