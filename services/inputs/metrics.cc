#include "services/inputs/metrics.h"

#include <string>

#include "absl/strings/ascii.h"
#include "kantoku/task/v1/task.pb.h"

namespace kantoku::inputs {
namespace {

// As in `kantoku why`: "no_credit".
std::string Word(size_t cause) {
  constexpr size_t kPrefix = sizeof("WAIT_CAUSE_") - 1;
  return absl::AsciiStrToLower(
      task::v1::WaitCause_Name(static_cast<task::v1::WaitCause>(cause)).substr(kPrefix));
}

}  // namespace

WaitMetrics::WaitMetrics(prometheus::Registry& registry)
    : family_(prometheus::BuildCounter()
                  .Name("kantoku_inputs_wait_seconds_total")
                  .Help("How long tasks have waited, all together, by what they waited for.")
                  .Register(registry)) {}

void WaitMetrics::Tell(uint32_t partition, const WaitBook::TypeTotals& totals) {
  platform::MutexLock lock(mutex_);
  auto& types = partitions_[partition];
  absl::erase_if(types, [&](const auto& entry) {
    if (totals.contains(entry.first)) return false;
    for (prometheus::Counter* const counter : entry.second.counters) {
      if (counter != nullptr) family_.Remove(counter);
    }
    return true;
  });
  for (const auto& [name, total] : totals) {
    Type& type = types[name];
    const CauseTimes& times = total.times;
    for (size_t cause = 0; cause < kWaitCauses; ++cause) {
      // One that went and came back in between begins anew.
      const bool anew = times[cause] < type.told[cause];
      const int64_t more = times[cause] - (anew ? 0 : type.told[cause]);
      if (more == 0) continue;
      prometheus::Counter*& counter = type.counters[cause];
      if (counter == nullptr) {
        counter = &family_.Add(
            {{"namespace", name.first}, {"type", name.second}, {"cause", Word(cause)}});
      }
      counter->Increment(static_cast<double>(more) / 1'000);
      type.told[cause] = times[cause];
    }
  }
}

}  // namespace kantoku::inputs
