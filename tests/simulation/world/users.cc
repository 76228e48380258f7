#include "tests/simulation/world/users.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/spec_reader.h"
#include "services/platform/check.h"
#include "services/platform/proto_time.h"
#include "services/platform/status.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/places.h"

namespace kantoku::simulation {
namespace {

constexpr size_t kMostSubmissions = 40;
constexpr uint64_t kShared = 12;

void NameKeys(Random& random, task::v1::TaskSpec& spec) {
  if (random.Chance(30)) {
    spec.set_ordering_key(std::string(kOrderings[random.Pick(kOrderings.size())]));
  }
  if (random.Chance(30)) {
    const uint64_t share = random.Pick(kShares.size());
    spec.mutable_fairness_key()->set_name(std::string(kShares[share]));
    spec.mutable_fairness_key()->set_weight(kShareWeights[share]);
  }
  for (uint32_t i = 0; i < kLimits.size(); ++i) {
    if (!random.Chance(30)) continue;
    task::v1::ConcurrencyKey& key = *spec.add_concurrency_keys();
    key.set_name(std::string(kLimits[i]));
    key.set_scope(static_cast<task::v1::KeyScope>(1 + random.Pick(3)));
    key.set_limit(i + 1);
  }
  if (!random.Chance(30)) return;
  task::v1::RateKey& key = *spec.add_rate_keys();
  key.set_name(std::string(kRate));
  key.set_cost(static_cast<uint32_t>(1 + random.Pick(kRateBurst)));
  key.mutable_rate()->set_tokens(kRateTokens);
  key.mutable_rate()->set_burst(kRateBurst);
  *key.mutable_rate()->mutable_period() = platform::ToProto(absl::Seconds(kRateSeconds));
}

void SetDeadlines(Random& random, absl::Time wall, task::v1::TaskSpec& spec) {
  if (random.Chance(10)) {
    const absl::Time first =
        spec.has_not_before() ? std::max(wall, platform::FromProto(spec.not_before())) : wall;
    *spec.mutable_expire_at() = platform::ToProto(first + random.UpTo(absl::Seconds(20)));
  }
  if (random.Chance(10)) {
    *spec.mutable_total_timeout() =
        platform::ToProto(absl::Seconds(1) + random.UpTo(absl::Seconds(60)));
  }
}

void FillSpec(Random& random, absl::Time wall, uint64_t number, std::string_view name_space,
              task::v1::TaskSpec& spec) {
  spec.set_type(std::string(kTypes[random.Pick(kTypes.size())]));
  const size_t place = random.Chance(15) ? random.Pick(kPlaces) : 0;
  spec.set_payload(PayloadText(number, place));
  if (place != 0) SetPlacement(place, name_space, *spec.mutable_placement());
  spec.set_priority(static_cast<int32_t>(random.Pick(3)));
  if (random.Chance(20)) spec.set_reference(absl::StrCat("reference ", random.Pick(8)));
  if (random.Chance(20)) {
    *spec.mutable_not_before() =
        platform::ToProto(wall + random.UpTo(absl::Seconds(20)) - absl::Seconds(5));
  }
  SetDeadlines(random, wall, spec);
  *spec.mutable_timeout() =
      platform::ToProto(absl::Seconds(random.Chance(50) ? 60 : 1 + random.Pick(20)));
  *spec.mutable_result_retention() = platform::ToProto(absl::Minutes(2));
  if (random.Chance(25)) NameKeys(random, spec);
  if (random.Chance(20)) return spec.set_effect(task::v1::EFFECT_ONCE);
  if (random.Chance(30)) spec.set_effect(task::v1::EFFECT_PURE);
  spec.mutable_retry()->set_max_attempts(static_cast<uint32_t>(1 + random.Pick(4)));
  *spec.mutable_retry()->mutable_initial_backoff() =
      platform::ToProto(absl::Milliseconds(100 + random.Pick(1'000)));
}

}  // namespace

void Users::Spawn() {
  ++calls_;
  platform::Received<inputs::v1::SpawnRequest> received;
  inputs::v1::SpawnRequest& request = received.message;
  request.set_namespace_(std::string(kNamespaces[scene_.random.Pick(kNamespaces.size())]));
  request.set_request_id(absl::StrCat("call ", calls_));
  const platform::Identity caller =
      platform::Administrator(std::string(kOwners[scene_.random.Pick(kOwners.size())]), "app");
  const uint64_t count = 1 + scene_.random.Pick(4);
  for (uint64_t i = 0; i < count; ++i) {
    task::v1::TaskSpec& spec = *request.add_specs();
    FillSpec(scene_.random, scene_.clock.Read().wall, calls_ * 10 + i, request.namespace_(), spec);
    if (spec.effect() == task::v1::EFFECT_PURE) MakePure(PlaceOf(spec.payload()), spec);
    if (scene_.random.Chance(30)) Describe(spec);
    if (scene_.random.Chance(25)) Depend(request.namespace_(), caller.subject, i, spec);
    if (scene_.random.Chance(35)) FillKin(request.namespace_(), caller.subject, spec);
  }
  Send(received, caller);
}

void Users::SpawnShares() {
  ++calls_;
  platform::Received<inputs::v1::SpawnRequest> received;
  inputs::v1::SpawnRequest& request = received.message;
  request.set_namespace_(std::string(kNamespaces[scene_.random.Pick(kNamespaces.size())]));
  request.set_request_id(absl::StrCat("call ", calls_));
  const platform::Identity caller =
      platform::Administrator(std::string(kOwners[scene_.random.Pick(kOwners.size())]), "app");
  const std::string type(kTypes[scene_.random.Pick(kTypes.size())]);
  for (uint64_t i = 0; i < kShared; ++i) {
    task::v1::TaskSpec& spec = *request.add_specs();
    spec.set_type(type);
    spec.set_payload(PayloadText(calls_ * 100 + i, 0));
    *spec.mutable_timeout() = platform::ToProto(absl::Seconds(20));
    *spec.mutable_result_retention() = platform::ToProto(absl::Minutes(2));
    // Those without a key take turns, too.
    const uint64_t share = scene_.random.Pick(kShares.size() + 1);
    if (share == kShares.size()) continue;
    spec.mutable_fairness_key()->set_name(std::string(kShares[share]));
    spec.mutable_fairness_key()->set_weight(kShareWeights[share]);
  }
  Send(received, caller);
}

void Users::Send(const platform::Received<inputs::v1::SpawnRequest>& received,
                 const platform::Identity& caller) {
  auto checked = inputs::ReadSpawn(received, caller, {}, scene_.clock.Read().wall);
  KANTOKU_CHECK(checked.ok());
  const auto submission =
      std::make_shared<Submission>(Submission{.batch = checked->batch, .ids = {}});
  submissions_.push_back(submission);
  if (submissions_.size() > kMostSubmissions) submissions_.pop_front();
  scene_.coverage.Count(Deed::kSpawn);
  Submit(submission);
}

void Users::Depend(std::string_view name_space, std::string_view owner, uint64_t place,
                   task::v1::TaskSpec& spec) {
  const auto add = [&]() -> task::v1::Dependency& {
    task::v1::Dependency& dependency = *spec.add_dependencies();
    dependency.set_on_failure(static_cast<task::v1::OnFailure>(1 + scene_.random.Pick(3)));
    dependency.set_argument(scene_.random.Chance(60));
    return dependency;
  };
  if (place > 0 && scene_.random.Chance(50)) {
    add().set_index(static_cast<uint32_t>(scene_.random.Pick(place)));
  }
  // Twice the same task would be refused.
  for (const size_t nth : {size_t{0}, size_t{1}}) {
    const size_t half = model_.recent().size() / 2;
    if (half == 0 || scene_.random.Chance(40)) continue;
    const TaskId id = model_.recent()[nth * half + scene_.random.Pick(half)];
    const ModelTask* const task = model_.Find(id);
    if (task == nullptr || task->name_space != name_space || task->owner != owner) continue;
    add().set_task_id(std::string(id.bytes()));
  }
  // Equal are tasks by payload alone.
  if (std::ranges::any_of(spec.dependencies(), &task::v1::Dependency::argument)) {
    spec.clear_reuse_within();
  }
}

void Users::Repeat() {
  if (submissions_.empty()) return;
  const Shared submission = submissions_[scene_.random.Pick(submissions_.size())];
  if (scene_.random.Chance(80)) {
    scene_.coverage.Count(Deed::kSpawnAgain);
    return Submit(submission);
  }
  scene_.coverage.Count(Deed::kSpawnOtherContent);
  auto batch = std::make_shared<inputs::SpawnBatch>(*submission->batch);
  batch->content.low = scene_.random.Next();
  Submit(std::make_shared<Submission>(
      Submission{.batch = std::move(batch), .ids = {}, .other_content = true}));
}

void Users::Submit(const Shared& submission) {
  // Whether the request is known is sure when what is durable is all there is.
  const auto asked = std::make_shared<Asked>();
  server_.Mark([this, asked, request = submission->batch->request] {
    asked->at = scene_.clock.Read().steady;
    if (!server_.runner().committing()) asked->known = model_.FindRequest(request);
  });
  server_.partition().Spawn(
      submission->batch,
      [this, submission, asked](const absl::StatusOr<inputs::SpawnOutcome>& outcome) {
        OnAnswer(submission, *asked, outcome);
      });
}

void Users::OnAnswer(const Shared& submission, const Asked& asked,
                     const absl::StatusOr<inputs::SpawnOutcome>& outcome) {
  const std::optional<uint64_t>& known = asked.known;
  if (!outcome.ok()) {
    const std::string reason = platform::ReasonOf(outcome.status());
    scene_.Expect(reason != "PENDING_LIMIT" || !known.has_value() || submission->other_content,
                  "a known request is answered, whatever the load");
    if (absl::IsUnavailable(outcome.status())) scene_.coverage.Count(Deed::kSpawnUnanswered);
    if (reason == "STALE_TASK_TOKEN") scene_.coverage.Count(Deed::kStaleToken);
    return;
  }
  scene_.Expect(!known.has_value() || !submission->other_content,
                "a request id is not used for another batch");
  scene_.Expect(!known.has_value() || outcome->repeated, "a known request is not run again");
  if (submission->other_content) return;
  std::vector<TaskId> ids;
  for (const auto& item : outcome->items) {
    ids.push_back(item.id);
    if (item.reused && !outcome->repeated) {
      OnReused(*submission->batch, ids.size() - 1, item.id, asked.at);
    }
    if (!outcome->repeated && inputs::QuotaBook::IsRefusal(item.refusal)) {
      OnOverQuota(*submission->batch, submission->batch->specs[ids.size() - 1]);
    }
    if (item.refusal == inputs::SpawnOutcome::kTreeStopping)
      scene_.coverage.Count(Deed::kChildRefused);
    if (outcome->repeated || !item.created) continue;
    scene_.Expect(model_.Find(item.id) != nullptr, "a spawn is answered when it is durable");
    if (!item.root.empty()) scene_.coverage.Count(Deed::kChildSpawned);
    if (submission->batch->handler.has_value()) scene_.coverage.Count(Deed::kSpawnedByHandler);
  }
  scene_.Expect(!known.has_value() || known != submission->record || submission->ids == ids,
                "a repeated request gets the same ids");
  submission->ids = std::move(ids);
  submission->record = model_.FindRequest(submission->batch->request).value_or(0);
}

}  // namespace kantoku::simulation
