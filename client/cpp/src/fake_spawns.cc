#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/cpp/src/fake_server.h"
#include "client/cpp/src/status_payloads.h"
#include "services/platform/ids.h"
#include "services/platform/status.h"

// How the fake takes tasks: dependencies and trees, references, results that are reused.
namespace kantoku {

std::vector<absl::StatusOr<SpawnedTask>> FakeKantoku::Server::AcceptAll(
    const std::string& namespace_name, std::vector<TaskSpec> specs) {
  const auto refuse = [](absl::StatusCode code, std::string_view reason, std::string_view why) {
    return platform::Error(code, reason, why);
  };
  std::vector<std::optional<absl::StatusOr<SpawnedTask>>> results(specs.size());
  // Whether it can be decided now; then its dependencies have ids, or it is refused.
  const auto decide = [&](size_t i) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (Dependency& dependency : specs[i].dependencies) {
      if (!dependency.index.has_value()) continue;
      const size_t index = *dependency.index;
      if (index >= specs.size() || index == i) {
        results[i] = refuse(absl::StatusCode::kInvalidArgument, "DEPENDENCY_INDEX",
                            absl::StrCat("dependencies.index: ", index, " is none"));
        return true;
      }
      if (!results[index].has_value()) return false;
      if (!results[index]->ok()) {
        results[i] = refuse(absl::StatusCode::kFailedPrecondition, "DEPENDENCY_REFUSED",
                            "dependencies: a task of the batch that it depends on is refused");
        return true;
      }
    }
    for (Dependency& dependency : specs[i].dependencies) {
      if (!dependency.index.has_value()) continue;
      dependency.task = (*results[*dependency.index])->id;
      dependency.index.reset();
    }
    results[i] = Accept(namespace_name, std::move(specs[i]));
    return true;
  };
  for (bool again = true; std::exchange(again, false);) {
    for (size_t i = 0; i < specs.size(); ++i) {
      if (!results[i].has_value() && decide(i)) again = true;
    }
  }
  std::vector<absl::StatusOr<SpawnedTask>> all;
  all.reserve(results.size());
  for (auto& result : results) {
    all.push_back(result.has_value()
                      ? *std::move(result)
                      : refuse(absl::StatusCode::kInvalidArgument, "DEPENDENCY_CYCLE",
                               "dependencies: tasks of the batch would wait for each other"));
  }
  return all;
}

absl::Status FakeKantoku::Server::CheckDependencies(const std::string& namespace_name,
                                                    const TaskSpec& spec) {
  for (const Dependency& dependency : spec.dependencies) {
    const Record* const record = Find(dependency.task);
    if (record != nullptr && record->info.namespace_name == namespace_name) continue;
    return platform::Error(
        absl::StatusCode::kFailedPrecondition, "DEPENDENCY_UNKNOWN",
        absl::StrCat("dependencies: there is no task ", dependency.task.ToString()));
  }
  return absl::OkStatus();
}

uint32_t FakeKantoku::Server::OpenOf(const Record& record) const {
  uint32_t open = 0;
  for (const Dependency& dependency : record.spec.dependencies) {
    if (!Find(dependency.task)->output.has_value()) ++open;
  }
  return open;
}

void FakeKantoku::Server::GiveUpBlocked(Answers& answers) {
  for (bool again = true; std::exchange(again, false);) {
    for (const auto& record : records_) {
      if (record->running || record->output.has_value()) continue;
      for (const Dependency& dependency : record->spec.dependencies) {
        const auto& output = Find(dependency.task)->output;
        if (!output.has_value() || output->status == OutputStatus::kSucceeded ||
            dependency.on_failure == OnFailure::kRun) {
          continue;
        }
        const bool skip = dependency.on_failure == OnFailure::kSkip;
        const TaskError error{.reason = skip ? "SKIPPED" : "DEPENDENCY_FAILED",
                              .message = absl::StrCat("depends on ", dependency.task.ToString())};
        record->info.last_error = error;
        Finish(*record,
               {.status = skip ? OutputStatus::kCancelled : OutputStatus::kFailed, .error = error},
               answers);
        again = true;
        break;
      }
    }
  }
}

namespace {

bool HasArguments(const TaskSpec& spec) {
  return std::ranges::any_of(spec.dependencies, &Dependency::argument);
}

absl::Status CheckReuse(const TaskSpec& spec) {
  if (!spec.reuse_within.has_value()) return absl::OkStatus();
  const auto contradicts = [&](std::string_view what) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "CONTRADICTION",
                           absl::StrCat("reuse_within: ", absl::FormatDuration(*spec.reuse_within),
                                        " ", platform::ToAbsl(what)));
  };
  if (spec.effect != EffectClass::kPure) return contradicts("goes with effect PURE alone");
  if (HasArguments(spec)) return contradicts("does not go with dependencies that are arguments");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SpawnedTask> FakeKantoku::Server::Accept(const std::string& namespace_name,
                                                        TaskSpec spec) {
  if (spec.type.empty()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_TYPE", "type is empty");
  }
  if (spec.effect == EffectClass::kOnce && spec.retry.has_value()) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "CONTRADICTION",
                           "retry: a task of effect ONCE has one attempt and no retries");
  }
  KANTOKU_RETURN_IF_ERROR(CheckReuse(spec));
  const auto reference = std::make_pair(namespace_name, spec.reference);
  if (const auto taken = by_reference_.find(reference);
      !spec.reference.empty() && taken != by_reference_.end()) {
    const TaskInfo& holder = taken->second->info;
    if (taken->second->spec == spec) {
      return SpawnedTask{.id = holder.id, .created = false, .created_at = holder.created_at};
    }
    absl::Status status =
        platform::Error(absl::StatusCode::kAlreadyExists, "REFERENCE_TAKEN",
                        absl::StrCat("reference ", spec.reference, " belongs to another task"));
    status.SetPayload(internal::kTaskIdPayload, absl::Cord(holder.id.ToString()));
    return status;
  }
  KANTOKU_RETURN_IF_ERROR(CheckDependencies(namespace_name, spec));
  if (const Record* const equal = FindReusable(namespace_name, spec)) {
    return SpawnedTask{.id = equal->info.id,
                       .created = false,
                       .reused = true,
                       .created_at = equal->info.created_at};
  }
  auto record = std::make_unique<Record>();
  const auto id = platform::TaskId::Make(now_, 0, records_.size() + 1, 0);
  record->info = {.id = id,
                  .namespace_name = namespace_name,
                  .owner = "local",
                  .type = spec.type,
                  .reference = spec.reference,
                  .priority = spec.priority,
                  .created_at = now_,
                  .placement = spec.placement,
                  .keys = spec.keys,
                  .info = spec.info,
                  .context_id = spec.context_id};
  record->due = std::max(now_, spec.not_before.value_or(now_));
  if (absl::Status joined = Join(spec, *record); !joined.ok()) return joined;
  record->spec = std::move(spec);
  by_id_[record->info.id] = record.get();
  if (!record->spec.reference.empty()) by_reference_[reference] = record.get();
  items_->Create(record->info.id);
  Say(*record, "task.created");
  records_.push_back(std::move(record));
  const TaskInfo& info = records_.back()->info;
  return SpawnedTask{.id = info.id, .created = true, .created_at = info.created_at};
}

const FakeKantoku::Server::Record* FakeKantoku::Server::FindReusable(
    const std::string& namespace_name, const TaskSpec& spec) const {
  const Record* latest = nullptr;
  if (!spec.reuse_within.has_value()) return latest;
  for (const Dependency& dependency : spec.dependencies) {
    const auto& output = Find(dependency.task)->output;
    const bool lets_run = output.has_value() && (output->status == OutputStatus::kSucceeded ||
                                                 dependency.on_failure == OnFailure::kRun);
    if (!lets_run) return latest;
  }
  for (const auto& record : records_) {
    const TaskSpec& other = record->spec;
    const bool equal = record->info.namespace_name == namespace_name &&
                       other.effect == EffectClass::kPure && !HasArguments(other) &&
                       other.type == spec.type && other.content_type == spec.content_type &&
                       other.payload == spec.payload;
    if (!equal || !record->output.has_value() ||
        record->output->status != OutputStatus::kSucceeded ||
        now_ - record->output->ended_at >= *spec.reuse_within) {
      continue;
    }
    if (latest == nullptr || record->output->ended_at >= latest->output->ended_at) {
      latest = record.get();
    }
  }
  return latest;
}

absl::Status FakeKantoku::Server::Join(const TaskSpec& spec, Record& record) {
  const auto refuse = [](absl::StatusCode code, std::string_view reason, std::string_view why) {
    return platform::Error(code, reason, why);
  };
  if (spec.parent.empty()) {
    if (spec.root.empty()) return absl::OkStatus();
    return refuse(absl::StatusCode::kInvalidArgument, "CONTRADICTION",
                  "root_id: goes with a parent_id, which is empty");
  }
  Record* const parent = Find(spec.parent);
  const bool lives = parent != nullptr && !parent->output.has_value();
  if (lives && parent->info.root.empty()) parent->info.root = parent->info.id;
  const TaskId root = lives ? parent->info.root : spec.root;
  const auto is_member = [&](const auto& other) {
    return !other->output.has_value() && other->info.root == root &&
           other->info.namespace_name == record.info.namespace_name;
  };
  if (root.empty() || std::none_of(records_.begin(), records_.end(), is_member)) {
    return refuse(absl::StatusCode::kFailedPrecondition, "PARENT_UNKNOWN",
                  "parent_id: no such task lives, and no tree of root_id either");
  }
  if (!spec.root.empty() && spec.root != root) {
    return refuse(absl::StatusCode::kInvalidArgument, "ROOT_MISMATCH",
                  "root_id: the parent belongs to another tree");
  }
  const auto mark = tree_marks_.find(root);
  const bool marked = mark != tree_marks_.end();
  if (marked && (mark->second == ControlVerb::kCancel || mark->second == ControlVerb::kInterrupt)) {
    return refuse(absl::StatusCode::kFailedPrecondition, "TREE_STOPPING",
                  "parent_id: the parent or its tree is being stopped");
  }
  record.info.parent = spec.parent;
  record.info.root = root;
  record.paused = marked && mark->second == ControlVerb::kPause;
  return absl::OkStatus();
}

}  // namespace kantoku
