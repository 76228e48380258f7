#include "kantoku/task.h"

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku {
namespace {

// An option that sets one field and cannot fail.
template <typename Change>
Option Set(Change change) {
  return Option::ForSpec([change = std::move(change)](TaskSpec& spec, absl::Time) {
    change(spec);
    return absl::OkStatus();
  });
}

}  // namespace

Option Option::ForSpec(OnSpec change) {
  Option option;
  option.on_spec_ = std::move(change);
  return option;
}

Option Option::ForPlugin(std::shared_ptr<Plugin> plugin, OnData change) {
  Option option;
  option.plugin_ = std::move(plugin);
  option.on_data_ = std::move(change);
  return option;
}

Option ContentType(const std::string& media_type) {
  return Set([=](TaskSpec& spec) { spec.content_type = media_type; });
}

Option Reference(const std::string& reference) {
  return Set([=](TaskSpec& spec) { spec.reference = reference; });
}

Option Priority(int32_t priority) {
  return Set([=](TaskSpec& spec) { spec.priority = priority; });
}

Option NotBefore(absl::Time time) {
  return Set([=](TaskSpec& spec) { spec.not_before = time; });
}

Option Delay(absl::Duration delay) {
  return Option::ForSpec([delay](TaskSpec& spec, absl::Time now) {
    if (delay < absl::ZeroDuration() || delay == absl::InfiniteDuration()) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_DELAY",
                             absl::StrCat("delay is ", absl::FormatDuration(delay)));
    }
    spec.not_before = now + delay;
    return absl::OkStatus();
  });
}

Option Timeout(absl::Duration timeout) {
  return Set([=](TaskSpec& spec) { spec.timeout = timeout; });
}

Option ExpireAt(absl::Time time) {
  return Set([=](TaskSpec& spec) { spec.expire_at = time; });
}

Option ExpireAfter(absl::Duration after) {
  return Option::ForSpec([after](TaskSpec& spec, absl::Time now) {
    if (after < absl::ZeroDuration() || after == absl::InfiniteDuration()) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_EXPIRY",
                             absl::StrCat("it is to expire after ", absl::FormatDuration(after)));
    }
    spec.expire_at = now + after;
    return absl::OkStatus();
  });
}

Option TotalTimeout(absl::Duration timeout) {
  return Set([=](TaskSpec& spec) { spec.total_timeout = timeout; });
}

Option Retry(const RetryPolicy& policy) {
  return Set([=](TaskSpec& spec) { spec.retry = policy; });
}

Option ResultRetention(absl::Duration retention) {
  return Set([=](TaskSpec& spec) { spec.result_retention = retention; });
}

Option ReuseWithin(absl::Duration age) {
  return Set([=](TaskSpec& spec) {
    spec.effect = EffectClass::kPure;
    spec.reuse_within = age;
  });
}
Option Effect(EffectClass effect) {
  return Set([=](TaskSpec& spec) { spec.effect = effect; });
}

Option Placement(const PlacementPolicy& policy) {
  return Set([=](TaskSpec& spec) { spec.placement = policy; });
}

namespace {

Option Depending(const Dependency& dependency) {
  return Option::ForSpec([dependency](TaskSpec& spec, absl::Time) {
    spec.dependencies.push_back(dependency);
    return absl::OkStatus();
  });
}

}  // namespace

Option DependsOn(TaskId task, OnFailure on_failure) {
  return Depending({.task = task, .on_failure = on_failure});
}

Option DependsOnIndex(size_t index, OnFailure on_failure) {
  return Depending({.task = {}, .index = index, .on_failure = on_failure});
}

Option Argument(TaskId task, OnFailure on_failure) {
  return Depending({.task = task, .on_failure = on_failure, .argument = true});
}

Option ArgumentIndex(size_t index, OnFailure on_failure) {
  return Depending({.task = {}, .index = index, .on_failure = on_failure, .argument = true});
}

Option ConcurrencyKey(const std::string& name, uint32_t limit, KeyScope scope) {
  return Set([=](TaskSpec& spec) { spec.keys.concurrency.push_back({name, limit, scope}); });
}

Option RateKey(const std::string& name, std::optional<Rate> rate, uint32_t cost, KeyScope scope) {
  return Set([=](TaskSpec& spec) { spec.keys.rates.push_back({name, cost, rate, scope}); });
}

Option OrderingKey(const std::string& name) {
  return Set([=](TaskSpec& spec) { spec.keys.ordering = name; });
}

Option FairnessKey(const std::string& name, uint32_t weight) {
  return Set([=](TaskSpec& spec) {
    spec.keys.fairness = name;
    spec.keys.weight = weight;
  });
}

Option Info(const std::map<std::string, std::string>& entries) {
  return Set([=](TaskSpec& spec) {
    for (const auto& [name, value] : entries) spec.info[name] = value;
  });
}

Option InContext(const std::string& context_id) {
  return Set([=](TaskSpec& spec) { spec.context_id = context_id; });
}

Option ChildOf(TaskId parent, TaskId root) {
  return Set([=](TaskSpec& spec) {
    spec.parent = parent;
    spec.root = root;
  });
}

}  // namespace kantoku
