#include <cstddef>
#include <cstdio>
#include <ctime>
#include <string>
#include <utility>
#include <vector>

#include "services/inputs/selector/labels.h"
#include "services/inputs/selector/selector.h"

// What one selector costs: to parse, to match, to explain. Prints one JSON line a measurement, in
// nanoseconds of processor time.
namespace kantoku::inputs {
namespace {

template <typename Work>
double Measure(int times, const Work& work) {
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) work();
  return static_cast<double>(std::clock() - start) * (1e9 / CLOCKS_PER_SEC) / times;
}

Labels Some(size_t count) {
  std::vector<Label> labels = {{"gpu", "true"}, {"mem_gib", "8"}, {"zone", "europe-west-3"}};
  while (labels.size() < count) {
    labels.push_back({"label-" + std::to_string(labels.size()), "something"});
  }
  return Labels::Make(std::move(labels)).value();
}

void Run(const char* name, const std::string& text, size_t labels) {
  constexpr int kTimes = 200'000;
  const Selector selector = Selector::Parse(text).value();
  const Labels set = Some(labels);
  size_t used = 0;  // So that nothing is optimized away.
  const double parse = Measure(kTimes / 10, [&] { used += Selector::Parse(text)->names().size(); });
  const double match = Measure(kTimes, [&] { used += selector.Matches(set) ? 1 : 0; });
  const double why = Measure(kTimes / 10, [&] { used += selector.WhyNot(set).size(); });
  std::printf(
      "{\"selector\":\"%s\",\"bytes\":%zu,\"labels\":%zu,\"parse_ns\":%.0f,"
      "\"match_ns\":%.1f,\"why_ns\":%.0f,\"used\":%zu}\n",
      name, text.size(), labels, parse, match, why, used);
}

}  // namespace
}  // namespace kantoku::inputs

int main() {
  using kantoku::inputs::Run;
  const std::string usual = R"(gpu == "true" && mem_gib >= 16)";
  Run("usual", usual, 3);
  Run("usual", usual, 64);
  std::string most = "mem_gib > 1";
  while (most.size() < 2'000) most += " && mem_gib > 1";
  Run("most", most, 64);
}
