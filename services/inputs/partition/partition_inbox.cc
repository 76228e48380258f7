#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/in_inbox.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/spawn_refusal.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/status.h"

// Tasks that were spawned by SQL. Their records lie in the store before we know of them; each goes
// with the very batch that makes its task durable, or that follows Outputs' word on its end.
//
// A record is seen in the store until the batch that erases it is durable, and several groups may
// be under way: who takes one holds a claim on it until then.
namespace kantoku::inputs {

using platform::Transaction;

namespace {

// Of one task, those that it names and those that these name.
constexpr int kMostNested = 64;
// What Outputs is asked to end; the others stay in the inbox meanwhile.
constexpr size_t kMostRefused = 1'000;
constexpr uint32_t kRetentionOfRefused = 86'400;  // Seconds.

}  // namespace

absl::Status Partition::TakeKeys(std::span<const TaskKey> keys, Transaction& transaction) {
  absl::erase_if(claims_, [](const auto& claim) { return claim.second.expired(); });
  std::vector<TaskKey> free;
  std::ranges::copy_if(keys, std::back_inserter(free),
                       [this](TaskKey key) { return !claims_.contains(key); });
  if (free.empty()) return absl::OkStatus();
  std::vector<std::pair<TaskKey, std::string>> records;
  KANTOKU_RETURN_IF_ERROR(
      store_->Read({ToKind(RecordKind::kInbox), free},
                   [&](TaskKey key, std::string_view bytes) { records.emplace_back(key, bytes); }));
  for (const auto& [key, bytes] : records) TakeOne(key, bytes, transaction);
  return absl::OkStatus();
}

void Partition::TakeOne(TaskKey key, std::string_view bytes, Transaction& transaction) {
  if (const auto claim = claims_.find(key); claim != claims_.end() && !claim->second.expired()) {
    return;  // By one before it that names it.
  }
  const auto record = DecodeInbox(bytes);
  // Of none that kantoku.spawn has put there anything is known that could be ended.
  if (!record.ok() || record->id.key() != key) return;
  const auto claim =
      std::make_shared<const Claim>(Claim{record->id, std::string(record->name_space),
                                          std::string(record->owner), std::string(record->type)});
  claims_[key] = claim;
  if (engine_.KnowsKey(key)) {
    // A sequence of ids went back, as it may with a database that was restored.
    return RefuseClaim(claim, platform::Error(absl::StatusCode::kAlreadyExists, "ID_TAKEN",
                                              "another task was given the place of this id"));
  }
  auto batch = options_.read_inbox(*record, transaction.now().wall);
  if (!batch.ok()) return RefuseClaim(claim, batch.status());
  SpawnClaimed(*std::move(batch), claim, transaction);
}

absl::Status Partition::TakeNamed(std::span<const TaskId> tasks, Transaction& transaction) {
  std::vector<TaskKey> keys;
  for (const TaskId& task : tasks) {
    if (task.made_outside() && !engine_.KnowsKey(task.key())) keys.push_back(task.key());
  }
  if (keys.empty()) return absl::OkStatus();
  if (taking_ == kMostNested) return InInbox(tasks.front());
  ++taking_;
  const absl::Status taken = TakeKeys(keys, transaction);
  --taking_;
  return taken;
}

absl::Status Partition::TakeNamed(const SpawnBatch& batch, Transaction& transaction) {
  std::vector<TaskId> named;
  for (const TaskSpec& spec : batch.specs) {
    for (const TaskId& kin : {spec.parent, spec.root}) {
      if (kin.made_outside()) named.push_back(kin);
    }
    for (const Dependency& dependency : spec.dependencies) {
      if (dependency.task.made_outside()) named.push_back(dependency.task);
    }
  }
  return TakeNamed(named, transaction);
}

void Partition::FinishClaim(const std::shared_ptr<const Claim>& claim,
                            const absl::StatusOr<SpawnOutcome>& outcome, Transaction& transaction) {
  if (!outcome.ok()) return RefuseClaim(claim, outcome.status());
  const SpawnOutcome::Item& item = outcome->items.front();
  if (item.created) return EraseClaimed(claim, transaction);
  const absl::Status refusal = RefusalOf(item);
  if (!refusal.ok()) return RefuseClaim(claim, refusal);
  // Whoever spawned it has its id, and can get no other.
  RefuseClaim(claim, platform::Error(absl::StatusCode::kAlreadyExists, "REFERENCE_TAKEN",
                                     absl::StrCat("reference: belongs to task ", item.id.ToString(),
                                                  ", which is the same")));
}

// Its record is the durable intent: after a restart it is read and refused again.
void Partition::RefuseClaim(const std::shared_ptr<const Claim>& claim, const absl::Status& why) {
  if (refused_.size() >= kMostRefused) return;
  Failure failure{platform::ReasonOf(why), std::string(why.message())};
  refused_[claim->id.key()] = {claim, failure};
  effects_.fences.push_back({.task = claim->id,
                             .dispatch = 0,
                             .name_space = claim->name_space,
                             .owner = claim->owner,
                             .settlement = FenceMessage::Settlement{
                                 TaskState::kFailed, std::move(failure), kRetentionOfRefused}});
}

void Partition::EraseClaimed(const std::shared_ptr<const Claim>& claim, Transaction& transaction) {
  transaction.batch().Erase(ToKind(RecordKind::kInbox), claim->id.key());
  transaction.OnDurable([claim] {});
}

void Partition::BuryRefused(const FenceAnswer& answer, Transaction& transaction) {
  const auto refused = refused_.find(answer.task.key());
  if (refused == refused_.end() || refused->second.claim->id != answer.task) return;
  if (!answer.terminal.has_value()) return;
  const Claim& claim = *refused->second.claim;
  engine_.Bury({.id = claim.id,
                .name_space = claim.name_space,
                .owner = claim.owner,
                .type = claim.type,
                .state = *answer.terminal,
                .ended_at = transaction.now().wall,
                .last_failure = std::move(refused->second.why)});
  EraseClaimed(refused->second.claim, transaction);
  refused_.erase(refused);
}

std::shared_ptr<const Partition::Claim> Partition::ClaimOf(const TaskId& task) const {
  const auto found = claims_.find(task.key());
  auto claim = found == claims_.end() ? nullptr : found->second.lock();
  return claim != nullptr && claim->id == task ? claim : nullptr;
}

TaskView Partition::ViewOf(const Claim& claim) const {
  const auto refused = refused_.find(claim.id.key());
  TaskView view{.id = claim.id,
                .name_space = claim.name_space,
                .owner = claim.owner,
                .type = claim.type,
                .state = TaskState::kScheduled};
  if (refused == refused_.end()) return view;
  view.state = TaskState::kSettling;
  view.last_failure = refused->second.why;
  return view;
}

void Partition::LookAtClaims(std::span<const TaskId> tasks,
                             std::span<const platform::Viewer> viewers,
                             absl::FunctionRef<absl::StatusOr<TaskView>(const Claim&)> tell,
                             Views& views) const {
  for (size_t i = 0; i < views.size(); ++i) {
    if (!absl::IsNotFound(views[i].status())) continue;
    const auto claim = ClaimOf(tasks[i]);
    if (claim == nullptr) continue;
    const platform::Viewer& viewer = viewers[viewers.size() == 1 ? 0 : i];
    if (viewer.Sees(claim->name_space, claim->owner)) {
      views[i] = tell(*claim);
    } else {
      views[i] = platform::Hidden(views[i].status());
    }
  }
}

}  // namespace kantoku::inputs
