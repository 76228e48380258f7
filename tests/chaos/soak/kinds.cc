#include "tests/chaos/soak/kinds.h"

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"

namespace kantoku::soak {
namespace {

// Then comes another key: however fast tasks are spawned, they end soon after the last one.
constexpr int kTasksOfRateKey = 40;

std::vector<Kind> MakeKinds() {
  std::vector<Kind> kinds;
  kinds.push_back({.type = "soak.plain", .weight = 16, .make = [](Dice& dice, Asked& asked) {
                     asked.work.milliseconds = dice.Between(1, 60);
                   }});
  kinds.push_back({.type = "soak.long", .weight = 4, .make = [](Dice& dice, Asked& asked) {
                     asked.work.milliseconds = dice.Between(500, 2'500);
                   }});
  kinds.push_back({.type = "soak.flaky", .weight = 8, .make = [](Dice& dice, Asked& asked) {
                     asked.work.milliseconds = dice.Between(1, 30);
                     asked.work.fails = dice.Between(1, 2);
                   }});
  kinds.push_back({.type = "soak.items",
                   .weight = 12,
                   .attention = Attention::kStream,
                   .make = [](Dice& dice, Asked& asked) {
                     asked.work.items = dice.Between(1, 30);
                     asked.work.milliseconds = dice.Between(5, 600);
                   }});
  kinds.push_back({.type = "soak.once",
                   .weight = 16,
                   .make =
                       [](Dice& dice, Asked& asked) {
                         asked.work.milliseconds = dice.Between(1, 200);
                         asked.once = true;
                       },
                   .ask = [](const Asked&, Task& task) { task.With(Effect(EffectClass::kOnce)); }});
  kinds.push_back({.type = "soak.tree",
                   .weight = 6,
                   .attention = Attention::kStop,
                   .make = [](Dice& dice, Asked& asked) {
                     asked.work.children = dice.Between(1, 4);
                     asked.work.milliseconds = dice.Between(20, 300);
                     asked.stoppable = true;
                   }});
  kinds.push_back({.type = "soak.points",
                   .weight = 6,
                   .attention = Attention::kPause,
                   .make = [](Dice& dice, Asked& asked) {
                     asked.work.points = dice.Between(2, 20);
                     asked.work.milliseconds = dice.Between(20, 500);
                   }});
  kinds.push_back({.type = "soak.placed",
                   .weight = 8,
                   .make =
                       [](Dice& dice, Asked& asked) {
                         asked.work.milliseconds = dice.Between(1, 60);
                         asked.zone = dice.OneIn(3) ? "north" : "south";
                       },
                   .ask =
                       [](const Asked& asked, Task& task) {
                         task.With(
                             Placement({.selector = absl::StrCat("zone == \"", asked.zone, "\"")}));
                       }});
  kinds.push_back(
      {.type = "soak.after", .weight = 8, .after = 3, .make = [](Dice& dice, Asked& asked) {
         asked.work.milliseconds = dice.Between(1, 60);
       }});
  kinds.push_back({.type = "soak.limited",
                   .weight = 6,
                   .make =
                       [](Dice& dice, Asked& asked) {
                         asked.work.milliseconds = dice.Between(1, 120);
                         asked.limit_key = absl::StrCat("narrow-", dice.Below(2));
                         asked.limit = 3;
                       },
                   .ask =
                       [](const Asked& asked, Task& task) {
                         task.With(
                             ConcurrencyKey(asked.limit_key, static_cast<uint32_t>(asked.limit)));
                       }});
  kinds.push_back({.type = "soak.rated",
                   .weight = 4,
                   .make =
                       [drawn = 0](Dice& dice, Asked& asked) mutable {
                         asked.work.milliseconds = dice.Between(1, 30);
                         asked.rate_key = absl::StrCat("metered-", drawn++ / kTasksOfRateKey);
                         asked.rate = {.tokens = 4, .period = absl::Seconds(1), .burst = 2};
                       },
                   .ask = [](const Asked& asked,
                             Task& task) { task.With(RateKey(asked.rate_key, asked.rate)); }});
  kinds.push_back(
      {.type = "soak.ordered",
       .weight = 6,
       .make =
           [](Dice& dice, Asked& asked) {
             asked.work.milliseconds = dice.Between(1, 40);
             asked.work.fails = dice.OneIn(5) ? 1 : 0;
             asked.ordering_key = absl::StrCat("line-", dice.Below(4));
           },
       .ask = [](const Asked& asked, Task& task) { task.With(OrderingKey(asked.ordering_key)); }});
  return kinds;
}

}  // namespace

const std::vector<Kind>& Kinds() {
  static const std::vector<Kind> kinds = MakeKinds();
  return kinds;
}

const Kind& DrawKind(Dice& dice) {
  int all = 0;
  for (const Kind& kind : Kinds()) all += kind.weight;
  auto drawn = static_cast<int>(dice.Below(static_cast<uint64_t>(all)));
  for (const Kind& kind : Kinds()) {
    drawn -= kind.weight;
    if (drawn < 0) return kind;
  }
  KANTOKU_CHECK(false);
  return Kinds().front();
}

std::vector<std::string> AllTypes() {
  std::vector<std::string> types = {TypeOfChildren()};
  for (const Kind& kind : Kinds()) types.push_back(kind.type);
  return types;
}

Option ManyAttempts() {
  return Retry({.max_attempts = 1'000,
                .initial_backoff = absl::Milliseconds(5),
                .max_backoff = absl::Milliseconds(200)});
}

}  // namespace kantoku::soak
