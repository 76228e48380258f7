#include "client/cpp/src/convert_keys.h"

#include <utility>

#include "client/cpp/src/convert.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"

namespace kantoku::internal {
namespace {

namespace inputspb = ::kantoku::inputs::v1;
namespace taskpb = ::kantoku::task::v1;

absl::Status SetRate(const Rate& from, taskpb::Rate& to) {
  to.set_tokens(from.tokens);
  to.set_burst(from.burst);
  if (from.period == absl::Seconds(1)) return absl::OkStatus();  // As it is where none is told.
  return SetDuration("rate.period", from.period, *to.mutable_period());
}

Rate ToRate(const taskpb::Rate& from) {
  return {
      .tokens = from.tokens(), .period = platform::FromProto(from.period()), .burst = from.burst()};
}

// Scopes of newer servers are shown as that of the namespace.
KeyScope ToScope(taskpb::KeyScope from) {
  return from == taskpb::KEY_SCOPE_TYPE || from == taskpb::KEY_SCOPE_OWNER
             ? static_cast<KeyScope>(from)
             : KeyScope::kNamespace;
}

}  // namespace

absl::Status SetKeys(TaskKeys from, taskpb::TaskSpec& to) {
  // A text that is set, if to nothing, is allocated.
  if (from.empty() && from.weight == 0) return absl::OkStatus();
  KANTOKU_RETURN_IF_ERROR(CheckText("ordering_key", from.ordering));
  KANTOKU_RETURN_IF_ERROR(CheckText("fairness_key.name", from.fairness));
  if (!from.ordering.empty()) to.set_ordering_key(std::move(from.ordering));
  if (!from.fairness.empty() || from.weight != 0) {
    to.mutable_fairness_key()->set_name(std::move(from.fairness));
    to.mutable_fairness_key()->set_weight(from.weight);
  }
  for (TaskKeys::Concurrency& key : from.concurrency) {
    KANTOKU_RETURN_IF_ERROR(CheckText("concurrency_keys.name", key.name));
    taskpb::ConcurrencyKey& proto = *to.add_concurrency_keys();
    proto.set_name(std::move(key.name));
    proto.set_scope(static_cast<taskpb::KeyScope>(key.scope));
    proto.set_limit(key.limit);
  }
  for (TaskKeys::Throttle& key : from.rates) {
    KANTOKU_RETURN_IF_ERROR(CheckText("rate_keys.name", key.name));
    taskpb::RateKey& proto = *to.add_rate_keys();
    proto.set_name(std::move(key.name));
    proto.set_scope(static_cast<taskpb::KeyScope>(key.scope));
    proto.set_cost(key.cost);
    if (key.rate.has_value()) KANTOKU_RETURN_IF_ERROR(SetRate(*key.rate, *proto.mutable_rate()));
  }
  return absl::OkStatus();
}

TaskKeys ToKeys(const taskpb::TaskInfo& from) {
  TaskKeys keys{.ordering = from.ordering_key(),
                .fairness = from.fairness_key().name(),
                .weight = from.fairness_key().weight()};
  for (const taskpb::ConcurrencyKey& key : from.concurrency_keys()) {
    keys.concurrency.push_back({key.name(), key.limit(), ToScope(key.scope())});
  }
  for (const taskpb::RateKey& key : from.rate_keys()) {
    keys.rates.push_back({key.name(), key.cost(),
                          key.has_rate() ? std::optional(ToRate(key.rate())) : std::nullopt,
                          ToScope(key.scope())});
  }
  return keys;
}

absl::Status SetLimitName(LimitName from, inputspb::LimitName& to) {
  KANTOKU_RETURN_IF_ERROR(CheckText("name.key", from.key));
  KANTOKU_RETURN_IF_ERROR(CheckText("name.of", from.of));
  to.set_kind(static_cast<inputspb::LimitKind>(from.kind));
  to.set_key(std::move(from.key));
  to.set_scope(static_cast<taskpb::KeyScope>(from.scope));
  to.set_of(std::move(from.of));
  return absl::OkStatus();
}

absl::Status SetLimit(Limit from, inputspb::Limit& to) {
  KANTOKU_RETURN_IF_ERROR(SetLimitName(std::move(from.name), *to.mutable_name()));
  to.set_max_running(from.max_running);
  to.set_weight(from.weight);
  return from.rate.has_value() ? SetRate(*from.rate, *to.mutable_rate()) : absl::OkStatus();
}

LimitInfo ToLimitInfo(const inputspb::LimitInfo& from) {
  const inputspb::LimitName& name = from.limit().name();
  Limit limit{.name = {.kind = static_cast<LimitKind>(name.kind()),
                       .key = name.key(),
                       .scope = ToScope(name.scope()),
                       .of = name.of()},
              .max_running = from.limit().max_running(),
              .weight = from.limit().weight()};
  if (from.limit().has_rate()) limit.rate = ToRate(from.limit().rate());
  return {.limit = std::move(limit),
          .transient = from.transient(),
          .tasks = from.tasks(),
          .waiting = from.waiting(),
          .running = from.running(),
          .tokens = from.tokens()};
}

}  // namespace kantoku::internal
