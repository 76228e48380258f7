#include <string>
#include <utility>

#include "tests/simulation/world/names.h"
#include "tests/simulation/world/users.h"

// What operators set for the keys that tasks name, around what these take, and quotas.
namespace kantoku::simulation {

using inputs::KeyKind;
using inputs::KeyName;
using inputs::KeyScope;
using inputs::LimitsCommand;

namespace {

KeyName AnyKey(Random& random) {
  if (random.Chance(40)) return {.kind = KeyKind::kRate, .of = {}, .key = std::string(kRate)};
  KeyName name{.scope = static_cast<KeyScope>(1 + random.Pick(3)),
               .of = {},
               .key = std::string(kLimits[random.Pick(kLimits.size())])};
  if (name.scope == KeyScope::kOwner) name.of = kOwners[random.Pick(kOwners.size())];
  if (name.scope == KeyScope::kType) name.of = kTypes[random.Pick(kTypes.size())];
  return name;
}

inputs::LimitValue AnyValue(Random& random, KeyKind kind) {
  const auto number = [&] { return static_cast<uint32_t>(1 + random.Pick(4)); };
  if (kind == KeyKind::kConcurrency) return {.number = number(), .rate = {}};
  return {.rate = {.tokens = number(), .burst = number()}};
}

}  // namespace

void Users::SetLimit() {
  const std::string name_space(kNamespaces[scene_.random.Pick(kNamespaces.size())]);
  const KeyName name = AnyKey(scene_.random);
  // One at a time of a key, so that it is known what the answer is about.
  if (!limits_asked_.emplace(name_space, name).second) return;
  const auto* const known = model_.LimitOf(name_space, name);
  LimitsCommand command{.name_space = name_space, .by = {"root", "console"}};
  if (known != nullptr && !known->transient && scene_.random.Chance(40)) {
    command.remove.push_back({absl::OkStatus(), name});
  } else {
    command.set.push_back({absl::OkStatus(), name, AnyValue(scene_.random, name.kind)});
  }
  server_.partition().SetLimits(
      std::move(command), [this, name_space, name](const absl::StatusOr<LimitsCommand>& done) {
        limits_asked_.erase({name_space, name});
        if (done.ok()) OnLimit(*done);
      });
}

void Users::OnLimit(const LimitsCommand& done) {
  for (const auto& set : done.set) {
    scene_.coverage.Count(Deed::kLimitSet);
    const auto* const limit = model_.LimitOf(done.name_space, set.name);
    scene_.Expect(set.status.ok(), "a limit can be set");
    scene_.Expect(limit != nullptr && !limit->transient && limit->value == set.value,
                  "a limit is answered when it is durable");
  }
  for (const auto& removed : done.remove) {
    scene_.coverage.Count(removed.status.ok() ? Deed::kLimitRemoved : Deed::kLimitInUse);
    const auto* const limit = model_.LimitOf(done.name_space, removed.name);
    // A task may have made another one since.
    scene_.Expect(!removed.status.ok() || limit == nullptr || limit->transient,
                  "the end of a limit is answered when it is durable");
  }
}

// What has ended meanwhile may not be durable, so no more is said than that there were many.
void Users::OnOverQuota(const inputs::SpawnBatch& batch, const inputs::TaskSpec& spec) const {
  scene_.coverage.Count(Deed::kOverQuota);
  const size_t number = batch.name_space == kNamespaces[0] ? 0 : 1;
  const bool of_type = spec.type == kTypes[0];
  scene_.Expect(model_.CountLiving(batch.name_space, "") > kNamespaceQuotas[number] / 2 ||
                    (of_type && model_.CountLiving(batch.name_space, spec.type) > kTypeQuota / 2),
                "who is refused for a quota finds it used up");
}

}  // namespace kantoku::simulation
