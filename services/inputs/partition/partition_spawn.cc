#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "services/inputs/partition/in_inbox.h"
#include "services/inputs/partition/owed.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/status.h"

// Spawning. A batch that depends on tasks which are neither living nor in the lists is held back
// until Outputs has said how they ended; everything else goes on meanwhile.
namespace kantoku::inputs {

using platform::PartitionRunner;
using platform::Transaction;

struct Partition::Admission {
  Admission(std::shared_ptr<const SpawnBatch> asked, Done<SpawnOutcome> done, absl::Time until,
            std::optional<TaskKey> from_inbox = std::nullopt)
      : batch(std::move(asked)), answer_by(until), taken(from_inbox), owed(std::move(done)) {}

  const std::shared_ptr<const SpawnBatch> batch;
  const absl::Time answer_by;
  const std::optional<TaskKey> taken;  // From the inbox, where nobody waits for it.
  Owed<SpawnOutcome> owed;
  absl::flat_hash_map<TaskId, TaskState> ended;
  absl::flat_hash_set<TaskId> unknown;  // To Outputs, too, or not for the handler that spawns.
  // What the task of that handler depends on, and whether it is an argument; once it was read.
  std::optional<absl::flat_hash_map<TaskId, bool>> inherited;
};

void Partition::Spawn(std::shared_ptr<const SpawnBatch> batch, Done<SpawnOutcome> done,
                      absl::Time answer_by) {
  // While the store cannot write, new work is refused at once instead of piling up.
  if (const absl::Status state = health(); !state.ok()) return done(ForCaller(state));
  Admit(std::make_shared<Admission>(std::move(batch), std::move(done), answer_by));
}

// What was taken from the inbox is accepted already.
void Partition::Admit(const std::shared_ptr<Admission>& admission) {
  const bool taken = admission->taken.has_value();
  const absl::Status posted = Post(
      [this, admission](Transaction& transaction) {
        if (admission->taken.has_value()) inbox_.TakeAgain(*admission->taken);
        TryAdmit(admission, transaction);
      },
      taken ? PartitionRunner::Urgency::kUrgent : PartitionRunner::Urgency::kNormal);
  if (!posted.ok()) admission->owed.Answer(ForCaller(posted));
}

std::shared_ptr<Partition::Admission> Partition::AdmissionOfTaken(
    TaskKey key, std::shared_ptr<const SpawnBatch> batch) {
  const auto nobody = [](const absl::StatusOr<SpawnOutcome>&) {};
  return std::make_shared<Admission>(std::move(batch), nobody, absl::InfiniteFuture(), key);
}

void Partition::TryAdmit(const std::shared_ptr<Admission>& admission, Transaction& transaction) {
  auto unclear = LookAtNamed(*admission, transaction);
  if (unclear.ok() && !unclear->empty()) return AskHowEnded(admission, *std::move(unclear));
  if (admission->taken.has_value()) {
    // What could not be looked at is taken again later.
    if (!unclear.ok()) return inbox_.Leave(*admission->taken);
    return FinishTaken(*admission->taken, ApplySpawn(*admission, transaction), transaction);
  }
  absl::StatusOr<SpawnOutcome> result = unclear.ok()
                                            ? ApplySpawn(*admission, transaction)
                                            : absl::StatusOr<SpawnOutcome>(unclear.status());
  transaction.Reply([admission, result = std::move(result)](const absl::Status& status) mutable {
    admission->owed.Answer(status.ok() ? std::move(result)
                                       : absl::StatusOr<SpawnOutcome>(ForCaller(status)));
  });
}

// What waits in the inbox is neither alive nor anything that Outputs could know: before all else.
absl::StatusOr<std::vector<TaskId>> Partition::LookAtNamed(Admission& admission,
                                                           Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(const auto first, FindInInbox(*admission.batch, transaction));
  if (!first.has_value()) return LookAtDependencies(admission);
  if (admission.taken.has_value()) inbox_.PutOff(*admission.taken, first->key());
  return InInbox(*first);
}

namespace {

SpawnCommand CommandOf(const SpawnBatch& batch) {
  SpawnCommand command{.name_space = batch.name_space,
                       .owner = batch.owner,
                       .request = batch.request,
                       .content = batch.content,
                       .specs = batch.specs,
                       .app = batch.app,
                       .spawn_scope = batch.spawn_scope};
  if (batch.handler.has_value()) {
    command.handler = {.task = batch.handler->task,
                       .dispatch = batch.handler->dispatch,
                       .executor_owner = batch.handler->executor_owner};
  }
  return command;
}

bool IsSpawnedBy(const TaskView& view, const platform::ActingHandler& handler) {
  return view.parent == handler.task && !view.provenance.executor_owner.empty();
}

}  // namespace

// Those of which neither the lists nor Outputs have said anything yet.
absl::StatusOr<std::vector<TaskId>> Partition::LookAtDependencies(Admission& admission) {
  const SpawnBatch& batch = *admission.batch;
  std::vector<TaskId> unclear;
  if (!batch.has_dependencies) return unclear;
  KANTOKU_RETURN_IF_ERROR(ReadInherited(admission));
  std::vector<TaskId> ended = engine_.EndedDependencies(CommandOf(batch));
  std::erase_if(ended, [&](const TaskId& id) {
    return admission.ended.contains(id) || admission.unknown.contains(id);
  });
  const platform::Viewer owner =
      platform::Viewer(platform::Onlooker(batch.owner, {batch.name_space}));
  KANTOKU_ASSIGN_OR_RETURN(const Views views, Look(ended, std::span(&owner, 1)));
  for (size_t i = 0; i < ended.size(); ++i) {
    // Of what is not for a handler it learns nothing, not even by who is asked.
    const bool is_for_all = !batch.handler.has_value() || admission.inherited->contains(ended[i]);
    if (!is_for_all && !(views[i].ok() && IsSpawnedBy(*views[i], *batch.handler))) {
      admission.unknown.insert(ended[i]);
    } else if (views[i].ok()) {
      admission.ended.emplace(ended[i], views[i]->state);
    } else if (absl::IsNotFound(views[i].status())) {
      unclear.push_back(ended[i]);
    } else {
      return views[i].status();
    }
  }
  return unclear;
}

// What was dispatched has a durable record.
absl::Status Partition::ReadInherited(Admission& admission) {
  const auto& handler = admission.batch->handler;
  if (!handler.has_value() || admission.inherited.has_value()) return absl::OkStatus();
  admission.inherited.emplace();
  const TaskKey key = handler->task.key();
  return store_->Read({ToKind(RecordKind::kSpec), std::span(&key, 1)},
                      [&](TaskKey, std::string_view bytes) {
                        const auto record = DecodeSpec(bytes);
                        if (!record.ok() || record->id != handler->task) return;
                        for (const Dependency& dependency : record->spec.dependencies) {
                          (*admission.inherited)[dependency.task] = dependency.argument;
                        }
                      });
}

// Whoever is asked about lives no more, so its result was in Outputs before: if it is not there
// now, it is no longer kept. What ends meanwhile the next look finds.
void Partition::AskHowEnded(const std::shared_ptr<Admission>& admission,
                            std::vector<TaskId> tasks) {
  const auto taken = admission->taken;
  if (taken.has_value() && !inbox_.Ask(*taken)) return inbox_.Leave(*taken);
  EndsQuestion question{.tasks = tasks,
                        .name_space = admission->batch->name_space,
                        .owner = admission->batch->owner,
                        .answer_by = admission->answer_by};
  outputs_->AskEnds(std::move(question),
                    [this, admission, tasks = std::move(tasks)](const absl::StatusOr<Ends>& ends) {
                      if (!ends.ok()) return GiveUp(admission, ends.status());
                      for (size_t i = 0; i < tasks.size(); ++i) {
                        const auto& end = (*ends)[i];
                        if (end.has_value()) {
                          admission->ended.emplace(tasks[i], *end);
                        } else {
                          admission->unknown.insert(tasks[i]);
                        }
                      }
                      Admit(admission);
                    });
}

void Partition::GiveUp(const std::shared_ptr<Admission>& admission, const absl::Status& why) {
  if (!admission->taken.has_value()) return admission->owed.Answer(why);
  (void)PostUrgent([this, key = *admission->taken](Transaction&) { inbox_.Forget(key); });
}

absl::StatusOr<SpawnOutcome> Partition::ApplySpawn(const Admission& admission,
                                                   Transaction& transaction) {
  const std::shared_ptr<const SpawnBatch>& batch = admission.batch;
  SpawnCommand command = CommandOf(*batch);
  command.random = random_();
  command.ended = &admission.ended;
  if (admission.taken.has_value()) command.ids = std::span(&inbox_.at(*admission.taken).id, 1);
  if (command.handler.has_value() && admission.inherited.has_value()) {
    command.handler->dependencies = &*admission.inherited;
  }
  auto outcome = engine_.Spawn(command, transaction.now(), effects_);
  if (!outcome.ok() || outcome->repeated) return outcome;
  TaskKey first = 0;
  std::vector<uint32_t> created;
  created.reserve(outcome->items.size());
  for (uint32_t i = 0; i < outcome->items.size(); ++i) {
    const SpawnOutcome::Item& item = outcome->items[i];
    if (!item.created) continue;
    if (created.empty()) first = item.id.key();
    created.push_back(i);
    scratch_.clear();
    const size_t body = EncodeSpec(item.id, batch->specs[i].parent, item.root,
                                   engine_.ProvenanceOf(item.id), batch->encoded->body(i), scratch_,
                                   item.id.made_outside() ? engine_.OrderOf(item.id) : 0);
    NameDependencies(*batch, i, *outcome, body);
    transaction.batch().Put(ToKind(RecordKind::kSpec), item.id.key(), scratch_);
  }
  payloads_.Add(first, batch->encoded, std::move(created));
  if (payloads_.over_budget()) {
    // Until then the store does not have it.
    transaction.OnDurable([this, first] {
      (void)PostUrgent([this, first](Transaction&) { payloads_.Drop(first); });
    });
  }
  return outcome;
}

// What was a place in the batch has an id by now.
void Partition::NameDependencies(const SpawnBatch& batch, size_t item, const SpawnOutcome& outcome,
                                 size_t body) {
  const std::vector<Dependency>& dependencies = batch.specs[item].dependencies;
  size_t at = body + batch.encoded->slices[item].dependencies;
  for (const Dependency& dependency : dependencies) {
    if (dependency.task.empty()) {
      const std::string_view id = outcome.items[dependency.place].id.bytes();
      scratch_.replace(at, id.size(), id);
    }
    at += kDependencyBytes;
  }
}

}  // namespace kantoku::inputs
