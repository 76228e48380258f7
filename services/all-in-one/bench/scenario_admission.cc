#include <utility>

#include "absl/strings/str_cat.h"
#include "services/all-in-one/bench/load.h"
#include "services/all-in-one/bench/scenario.h"
#include "services/platform/status.h"

namespace kantoku::bench {
namespace {

constexpr size_t kFairnessKeys = 1'000;
constexpr uint32_t kNeverReached = 1'000'000;
constexpr uint32_t kAllowed = 5'000;  // A second.
constexpr int kSeconds = 4;

Task AdmittedTask(size_t number) {
  return EchoTask(number).With(Priority(static_cast<int32_t>(number % 8)),
                               FairnessKey(absl::StrCat("user-", number % kFairnessKeys)),
                               ConcurrencyKey("all", kNeverReached),
                               RateKey("all", Rate{.tokens = kNeverReached}));
}

absl::StatusOr<Figures> Unbinding(const Terms& terms) {
  const MakeTask makers[] = {EchoTask, AdmittedTask};
  Figures sides[2];
  for (const size_t side : OrderIn(terms.run, 2)) {
    KANTOKU_ASSIGN_OR_RETURN(sides[side], MeasureRate(terms, {}, makers[side]));
  }
  const Figures& plain = sides[0];
  const Figures& admitted = sides[1];
  Figures figures = admitted;
  Append("plain_", plain, figures);
  const auto of_plain = [&](const std::string& name) {
    return FigureOf(admitted, name) / FigureOf(plain, name);
  };
  figures.emplace_back("of_plain", of_plain("tasks_per_second"));
  figures.emplace_back("cpu_of_plain", of_plain("cpu_seconds_per_million"));
  return figures;
}

absl::StatusOr<Figures> Binding(const Terms& terms) {
  KANTOKU_ASSIGN_OR_RETURN(Warm warm, WarmUp(terms));
  const Rate rate{.tokens = kAllowed};
  const size_t tasks = size_t{kAllowed} * (kSeconds + 1);  // One second's worth is the burst.
  KANTOKU_ASSIGN_OR_RETURN(
      const double achieved,
      Run(warm.client, {.tasks = tasks, .in_flight = tasks, .make = [&](size_t number) {
                          return EchoTask(number).With(RateKey("bound", rate));
                        }}));
  const double seconds = static_cast<double>(tasks) / achieved;
  const double allowed = kAllowed * (seconds + 1);
  return Figures{{"tasks_per_second", achieved},
                 {"of_allowed", static_cast<double>(tasks) / allowed}};
}

}  // namespace

std::vector<Scenario> AdmissionScenarios() {
  return {{.name = "admission",
           .about = "throughput with priorities, 1,000 fairness keys, a concurrency limit and a "
                    "rate, none of which binds, beside without",
           .runs = 7,
           .own_server = true,
           .shown = {"of_plain", "cpu_of_plain"},
           .run = Unbinding},
          {.name = "admission-binding",
           .about = "5,000 tasks a second are allowed; what comes of it",
           .shown = {"of_allowed"},
           .run = Binding}};
}

}  // namespace kantoku::bench
