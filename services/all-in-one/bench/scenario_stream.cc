#include <utility>
#include <variant>

#include "absl/strings/numbers.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr uint64_t kPaced = 2'000;
constexpr uint64_t kPauseMicroseconds = 1'000;

struct Read {
  std::vector<absl::Duration> hops;  // From an item's making to its reader.
  double items_per_second = 0;
};

absl::StatusOr<Read> ReadAll(Client& client, const Generator& generator) {
  KANTOKU_ASSIGN_OR_RETURN(const SpawnedTask task,
                           client.Spawn(Task(kStreamType, generator.ToPayload())));
  const auto stream = client.Stream(task.id);
  Read read;
  absl::Time begin;
  for (;;) {
    KANTOKU_ASSIGN_OR_RETURN(const auto next, stream->Next());
    const auto* const item = std::get_if<Item>(&next);
    if (item == nullptr) break;
    uint64_t stamp = 0;
    if (!absl::SimpleAtoi(item->data, &stamp)) return absl::InternalError("no item of ours");
    if (read.hops.empty()) begin = absl::Now();
    read.hops.push_back(absl::Nanoseconds(StampNow() - stamp));
  }
  if (read.hops.size() != generator.items) return absl::InternalError("items are missing");
  read.items_per_second =
      static_cast<double>(generator.items) / absl::ToDoubleSeconds(absl::Now() - begin);
  return read;
}

absl::StatusOr<Figures> Measure(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  const Meter meter(*warm.installation);
  KANTOKU_ASSIGN_OR_RETURN(const Read fast, ReadAll(warm.client, {.items = terms.tasks}));
  Figures figures = {{"items_per_second", fast.items_per_second}};
  figures.emplace_back(
      "cpu_seconds_per_million_items",
      FigureOf(meter.Read(static_cast<double>(terms.tasks)), "cpu_seconds_per_million"));
  KANTOKU_ASSIGN_OR_RETURN(Read paced,
                           ReadAll(warm.client, {.items = kPaced, .pause_us = kPauseMicroseconds}));
  Append("hop_", Latencies(std::move(paced.hops)), figures);
  return figures;
}

}  // namespace

Scenario StreamScenario() {
  return {.name = "stream",
          .about = "items of one generator, as fast as they go; then one a millisecond",
          .shown = {"items_per_second", "hop_p50_us", "hop_p99_us"},
          .run = Measure};
}

}  // namespace kantoku::bench
