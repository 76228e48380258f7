#include <catch2/catch.hpp>
#include <map>
#include <string>

#include "services/inputs/metrics.h"

namespace kantoku::inputs {
namespace {

std::map<std::string, double> Collect(const prometheus::Registry& registry) {
  std::map<std::string, double> values;
  for (const auto& family : registry.Collect()) {
    for (const auto& metric : family.metric) {
      std::string name = family.name;
      for (const auto& label : metric.label) name += " " + label.value;
      values[name] = metric.counter.value;
    }
  }
  return values;
}

TEST_CASE("Counters tell by type how long tasks have waited for what") {
  prometheus::Registry registry;
  WaitMetrics metrics(registry);
  WaitBook::TypeTotals totals;
  const auto add = [&](const std::string& type, WaitCause cause, int64_t time) {
    totals[{"default", type}].times[static_cast<size_t>(cause)] += time;
  };
  add("blur", WaitCause::kNoImplementation, 1'500);
  metrics.Tell(0, totals);
  add("blur", WaitCause::kNoImplementation, 500);
  add("blur", WaitCause::kNoCredit, 250);
  add("mail", WaitCause::kDelay, 1);
  metrics.Tell(0, totals);
  metrics.Tell(0, totals);
  const std::string prefix = "kantoku_inputs_wait_seconds_total ";
  const auto values = Collect(registry);
  CHECK(values.size() == 3);
  CHECK(values.at(prefix + "no_implementation default blur") == Approx(2));
  CHECK(values.at(prefix + "no_credit default blur") == Approx(0.25));
  CHECK(values.at(prefix + "delay default mail") == Approx(0.001));

  totals.erase({"default", "blur"});
  metrics.Tell(0, totals);
  CHECK(Collect(registry).size() == 1);
}

}  // namespace
}  // namespace kantoku::inputs
