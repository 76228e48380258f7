#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/roles.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr int kSubscribers[] = {0, 1, 10};
constexpr size_t kSides = 1 + std::size(kSubscribers);  // The first is without events.

constexpr absl::Duration kPatience = absl::Seconds(60);

// Until the subscribers have seen the ends of so many tasks, all together.
absl::Status AwaitSeen(const volatile uint64_t& seen, uint64_t ends) {
  const absl::Time until = absl::Now() + kPatience;
  while (seen < ends) {
    if (absl::Now() > until) {
      return absl::DeadlineExceededError(
          absl::StrCat("subscribers have seen ", seen, " of ", ends, " ends of tasks"));
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  return absl::OkStatus();
}

// With so many subscribers, each of which sees all events of the tasks.
absl::StatusOr<Figures> WithSubscribers(const Terms& terms, int subscribers) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  KANTOKU_ASSIGN_OR_RETURN(const auto seen, OpenCounter(warm.installation->File("seen")));
  std::optional<Child> role;
  const auto count = static_cast<uint64_t>(subscribers);
  if (subscribers > 0) {
    KANTOKU_ASSIGN_OR_RETURN(role, warm.installation->StartRole(
                                       kSubscriberRole, {"--seen", warm.installation->File("seen"),
                                                         "--count", absl::StrCat(subscribers)}));
  }
  KANTOKU_RETURN_IF_ERROR(AwaitSeen(*seen, count * kWarmTasks));
  const Meter meter(*warm.installation);
  KANTOKU_ASSIGN_OR_RETURN(
      const double rate,
      Run(warm.client, {.tasks = terms.tasks, .batch = terms.batch, .in_flight = terms.in_flight}));
  const absl::Time ended = absl::Now();
  KANTOKU_RETURN_IF_ERROR(AwaitSeen(*seen, count * (kWarmTasks + terms.tasks)));
  return Figures{{"tasks_per_second", rate},
                 {"cpu_seconds_per_million", FigureOf(meter.Read(static_cast<double>(terms.tasks)),
                                                      "cpu_seconds_per_million")},
                 {"lag_seconds", absl::ToDoubleSeconds(absl::Now() - ended)}};
}

absl::StatusOr<Figures> Measure(const Terms& terms) {
  Figures sides[kSides];
  for (const size_t side : OrderIn(terms.run, kSides)) {
    KANTOKU_ASSIGN_OR_RETURN(sides[side],
                             side == 0 ? MeasureRate(terms, {"inputs.events=false"}, EchoTask)
                                       : WithSubscribers(terms, kSubscribers[side - 1]));
  }
  const Figures& off = sides[0];
  Figures figures;
  for (const char* const name : {"tasks_per_second", "cpu_seconds_per_million"}) {
    figures.emplace_back(absl::StrCat("off_", name), FigureOf(off, name));
  }
  for (size_t side = 1; side < kSides; ++side) {
    const Figures& on = sides[side];
    const auto of_off = [&](const std::string& name) {
      return FigureOf(on, name) / FigureOf(off, name);
    };
    const std::string prefix = absl::StrCat("subscribers_", kSubscribers[side - 1], "_");
    Append(prefix, on, figures);
    figures.emplace_back(prefix + "of_off", of_off("tasks_per_second"));
    figures.emplace_back(prefix + "cpu_of_off", of_off("cpu_seconds_per_million"));
  }
  return figures;
}

}  // namespace

Scenario EventsScenario() {
  return {.name = "events",
          .about = "throughput without events, and with 0, 1 and 10 subscribers to them all",
          .runs = 7,
          .own_server = true,
          .shown = {"off_tasks_per_second", "subscribers_0_of_off", "subscribers_1_of_off",
                    "subscribers_10_of_off", "subscribers_1_cpu_of_off"},
          .run = Measure};
}

}  // namespace kantoku::bench
