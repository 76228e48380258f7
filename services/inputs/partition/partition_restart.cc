#include <algorithm>
#include <charconv>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "services/inputs/partition/audit_note.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/inputs/partition/restart_order.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// Dead tasks into new ones: what is to run is read from the store, and recorded once more.
namespace kantoku::inputs {

using platform::Error;
using platform::Transaction;

namespace {

// Dead tasks that one page may look at before it ends, and rows of them.
constexpr size_t kPageBudget = 20'000;
constexpr size_t kPageRows = 200;

absl::Status NotDead(const TaskView& task) {
  const bool lives = !IsFinal(task.state);
  return Error(
      absl::StatusCode::kFailedPrecondition, lives ? "TASK_LIVES" : "TASK_SUCCEEDED",
      absl::StrCat("task ", task.id.ToString(), lives ? " has not ended: " : " is not dead: ",
                   platform::ToAbsl(NameOf(task.state))));
}

bool IsDead(const TaskView& task) {
  return IsFinal(task.state) && task.state != TaskState::kSucceeded;
}

}  // namespace

bool RestartCommand::Matches(const TaskView& dead) const {
  return dead.name_space == name_space && viewer.Sees(dead.name_space, dead.owner) &&
         (type.empty() || dead.type == type) &&
         (reason.empty() || dead.last_failure.reason == reason) &&
         (states.empty() || std::ranges::find(states, dead.state) != states.end()) &&
         (root.empty() || dead.root == root) &&
         (context.empty() || (dead.info != nullptr && dead.info->context == context)) &&
         (!selector.has_value() || MatchesInfo(*selector, dead)) && dead.ended_at >= ended_after &&
         dead.ended_at < ended_before;
}

absl::StatusOr<std::string> Partition::ReadToRestart(const TaskView& task, size_t& room) {
  std::string record;
  if (!IsDead(task) || !engine_.RestartedAs(task.id.key()).empty()) return record;
  if (room == 0) {
    return Error(absl::StatusCode::kResourceExhausted, "ANSWER_TOO_LARGE",
                 "task_ids: the call has enough to read; ask for this task again");
  }
  const TaskKey key = task.id.key();
  KANTOKU_RETURN_IF_ERROR(store_->Read({ToKind(RecordKind::kSpec), std::span(&key, 1)},
                                       [&](TaskKey, std::string_view bytes) { record = bytes; }));
  room -= std::min(room, record.size());
  return record;
}

absl::StatusOr<Partition::Picked> Partition::Pick(const TaskView& task, size_t& room) {
  const bool had_room = room > 0;  // Without, nothing is read.
  auto record = ReadToRestart(task, room);
  const absl::Status& read = record.status();
  if (!read.ok() && had_room && !absl::IsDataLoss(read)) return read;
  return Picked{task, std::move(record)};
}

std::vector<RestartPage::Restarted> Partition::RestartTogether(const std::vector<Picked>& picked,
                                                               const RestartCommand& command,
                                                               Transaction& transaction) {
  std::vector<DeadTask> dead;
  dead.reserve(picked.size());
  for (const Picked& each : picked) {
    dead.push_back({.id = each.task.id, .dependencies = {}});
    if (!each.record.ok()) continue;
    auto stored = DecodeSpec(*each.record);
    if (!stored.ok()) continue;
    // Those that were restarted before stand there by their successors, which may be among these.
    dead.back().dependencies =
        engine_.SpecOfRestart(each.task, std::move(stored->spec)).dependencies;
  }
  std::vector<RestartPage::Restarted> answers(picked.size());
  absl::flat_hash_set<TaskId> refused;
  for (const size_t i : RestartOrder(dead)) {
    answers[i] = ApplyRestart(picked[i], command, refused, transaction);
    if (!answers[i].successor.ok()) refused.insert(picked[i].task.id);
  }
  return answers;
}

RestartPage::Restarted Partition::ApplyRestart(const Picked& picked, const RestartCommand& command,
                                               const absl::flat_hash_set<TaskId>& refused,
                                               Transaction& transaction) {
  const TaskId id = picked.task.id;
  if (!IsDead(picked.task)) return {id, NotDead(picked.task)};
  if (const TaskId known = engine_.RestartedAs(id.key()); !known.empty()) return {id, known};
  if (!picked.record.ok()) return {id, picked.record.status()};
  const bool only_try = command.dry_run && !KANTOKU_PLANTED("dry run restarts");
  auto successor = RestartDead(picked, command.app, only_try, refused, transaction);
  const bool created = successor.ok() && !only_try;
  return {id, std::move(successor), created};
}

absl::StatusOr<TaskId> Partition::RestartDead(const Picked& picked, std::string_view app,
                                              bool dry_run,
                                              const absl::flat_hash_set<TaskId>& refused,
                                              Transaction& transaction) {
  const TaskView& dead = picked.task;
  if (picked.record->empty() && dead.id.made_outside()) {
    return Error(absl::StatusCode::kFailedPrecondition, "REFUSED_TASK",
                 absl::StrCat("task ", dead.id.ToString(),
                              " was refused when it came by SQL, and was not kept"));
  }
  auto stored = DecodeSpec(*picked.record);
  if (!stored.ok() || stored->id != dead.id) {
    return Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                 absl::StrCat("no sound record of ", dead.id.ToString()));
  }
  TaskSpec spec = engine_.SpecOfRestart(dead, std::move(stored->spec));
  spec.provenance.app = app;
  for (const Dependency& dependency : spec.dependencies) {
    if (!refused.contains(dependency.task)) continue;
    return Error(absl::StatusCode::kFailedPrecondition, SpawnOutcome::kDependencyRefused,
                 absl::StrCat("task ", dead.id.ToString(), ": depends on task ",
                              dependency.task.ToString(), ", which is not restarted"));
  }
  if (dry_run) {
    KANTOKU_RETURN_IF_ERROR(engine_.CheckRestart(dead, spec));
    return TaskId();
  }
  std::string body;
  EncodeSpecBody(stored->name_space, stored->owner, spec, stored->content_type, stored->payload,
                 body);
  spec.stored_bytes = static_cast<uint32_t>(body.size()) + SpecHeaderBytes(spec);
  KANTOKU_ASSIGN_OR_RETURN(const TaskId successor,
                           engine_.Restart(dead, spec, random_(), transaction.now(), effects_));
  scratch_.clear();
  const TaskId root = KANTOKU_PLANTED("restart loses its tree") ? TaskId() : dead.root;
  EncodeSpec(successor, dead.parent, root, engine_.ProvenanceOf(successor), body, scratch_);
  transaction.batch().Put(ToKind(RecordKind::kSpec), successor.key(), scratch_);
  return successor;
}

absl::StatusOr<Partition::DeadCursor> Partition::ParseDeadCursor(std::string_view token) {
  DeadCursor cursor;
  const char* at = token.data();
  const char* const end = at + token.size();
  for (uint64_t* const part : {&cursor.row, &cursor.offset, &cursor.last_row}) {
    const auto [behind, error] = std::from_chars(at, end, *part);
    const bool is_last = part == &cursor.last_row;
    if (error != std::errc() || (behind == end) != is_last || (!is_last && *behind != '.')) {
      return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
                   "page_token: did not come from an earlier page");
    }
    if (!is_last) at = behind + 1;
  }
  return cursor;
}

// Oldest end first: a task that failed because another one had comes behind that one, and finds it
// restarted. Those of a page go in the order of their spawn, as some have ended before what they
// depend on.
absl::StatusOr<RestartPage> Partition::RestartMatching(const RestartCommand& command,
                                                       Transaction& transaction) {
  RestartPage page;
  DeadCursor cursor;
  if (!command.page_token.empty()) {
    KANTOKU_ASSIGN_OR_RETURN(cursor, ParseDeadCursor(command.page_token));
  }
  const History::Row* const newest = engine_.dead().AtOrBelow(cursor.last_row);
  cursor.last_row = newest == nullptr ? 0 : newest->number;
  KANTOKU_ASSIGN_OR_RETURN(std::vector<Picked> picked, PickDead(command, cursor));
  if (cursor.row <= cursor.last_row) {
    page.next = absl::StrCat(cursor.row, ".", cursor.offset, ".", cursor.last_row);
  }
  std::ranges::sort(picked, {}, [](const Picked& each) {
    return std::pair(each.task.id.time(), each.task.id.key());
  });
  page.tasks = RestartTogether(picked, command, transaction);
  NoteRestarts(command, picked, page.tasks);
  return page;
}

void Partition::NoteRestarts(const RestartCommand& command, const std::vector<Picked>& picked,
                             const std::vector<RestartPage::Restarted>& restarted) {
  for (size_t i = 0; i < restarted.size(); ++i) {
    if (!restarted[i].created) continue;
    Note(NoteOf(command, picked[i].task, *restarted[i].successor));
  }
}

absl::StatusOr<std::vector<Partition::Picked>> Partition::PickDead(const RestartCommand& command,
                                                                   DeadCursor& cursor) {
  std::vector<Picked> picked;
  size_t room = kMaxRestartBytes;
  size_t looked_at = 0;
  for (size_t rows = 0; rows < kPageRows && looked_at < kPageBudget; ++rows) {
    const History::Row* const row = engine_.dead().AtOrAbove(cursor.row);
    const uint64_t number = row == nullptr ? cursor.last_row + 1 : row->number;
    if (number != cursor.row) cursor = {number, 0, cursor.last_row};  // What it named is forgotten.
    if (number > cursor.last_row) break;
    KANTOKU_ASSIGN_OR_RETURN(const Row tasks, ReadRow(RecordKind::kDead, number));
    looked_at += tasks->size();
    for (; cursor.offset < tasks->size(); ++cursor.offset) {
      if (picked.size() >= command.limit || room == 0) {
        if (KANTOKU_PLANTED("filter of restarts forgets the rest of a row")) ++cursor.offset;
        return picked;
      }
      const TaskView& task = (*tasks)[cursor.offset];
      if (!command.Matches(task)) continue;
      KANTOKU_ASSIGN_OR_RETURN(Picked dead, Pick(task, room));
      picked.push_back(std::move(dead));
    }
    cursor = {number + 1, 0, cursor.last_row};
  }
  return picked;
}

}  // namespace kantoku::inputs
