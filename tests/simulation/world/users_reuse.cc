#include <algorithm>
#include <optional>

#include "services/platform/proto_time.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/users.h"

// Tasks of effect PURE, and those that take the result of an equal one.
namespace kantoku::simulation {

void Users::MakePure(size_t place, task::v1::TaskSpec& spec) {
  spec.set_effect(task::v1::EFFECT_PURE);
  spec.set_payload(PayloadText(scene_.random.Pick(3), place));  // So that there are equal ones.
  *spec.mutable_result_retention() =
      platform::ToProto(absl::Seconds(1 + scene_.random.Pick(scene_.random.Chance(50) ? 20 : 600)));
  if (scene_.random.Chance(30)) return;
  *spec.mutable_reuse_within() =
      platform::ToProto(scene_.random.UpTo(absl::Seconds(scene_.random.Chance(60) ? 5 : 300)) +
                        absl::Milliseconds(1));
}

void Users::OnReused(const inputs::SpawnBatch& batch, size_t item, const TaskId& id,
                     absl::Duration asked_at) {
  scene_.coverage.Count(Deed::kReused);
  const inputs::TaskSpec& spec = batch.specs[item];
  scene_.Expect(spec.reuse_within_ms > 0, "who did not ask for it reuses nothing");
  const auto& slice = batch.encoded->slices[item];
  const PureResult* const result = model_.PureResultOf(id);
  scene_.Expect(result != nullptr && result->name_space == batch.name_space &&
                    result->owner == batch.owner && result->type == spec.type &&
                    result->payload == batch.encoded->Part(slice.payload, slice.payload_size),
                "the result of an equal task of the same owner is reused");
  if (result == nullptr) return;
  scene_.Expect(result->ended.has_value(), "a result is reused when its task has ended");
  // After a clock was set Inputs may know ages no better than by that.
  if (!result->ended.has_value() || scene_.clock.sets() != result->clock_sets) return;
  scene_.Expect(asked_at < *result->ended + absl::Milliseconds(spec.reuse_within_ms),
                "a result that is reused is young enough");
  scene_.Expect(asked_at < result->put_at + absl::Seconds(result->retention_s),
                "a result that is reused is still held");
}

}  // namespace kantoku::simulation
