#include <algorithm>
#include <charconv>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/status.h"

// Dead tasks into new ones: what is to run is read from the store, and recorded once more.
namespace kantoku::inputs {

using platform::Error;
using platform::Transaction;

namespace {

// Dead tasks that one page may look at before it ends, and rows of them.
constexpr size_t kPageBudget = 20'000;
constexpr size_t kPageRows = 200;

// Where the next page goes on: <row>.<offset>, newest rows first.
struct DeadCursor {
  uint64_t row = UINT64_MAX;
  uint64_t offset = 0;
};

absl::StatusOr<DeadCursor> ParseDeadCursor(std::string_view token) {
  DeadCursor cursor;
  if (token.empty()) return cursor;
  const char* const end = token.data() + token.size();
  const auto row = std::from_chars(token.data(), end, cursor.row);
  if (row.ec == std::errc() && row.ptr != end && *row.ptr == '.') {
    const auto offset = std::from_chars(row.ptr + 1, end, cursor.offset);
    if (offset.ec == std::errc() && offset.ptr == end) return cursor;
  }
  return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
               "page_token: did not come from an earlier page");
}

absl::Status NotDead(const TaskView& task) {
  const bool lives = !IsFinal(task.state);
  return Error(
      absl::StatusCode::kFailedPrecondition, lives ? "TASK_LIVES" : "TASK_SUCCEEDED",
      absl::StrCat("task ", task.id.ToString(), lives ? " has not ended: " : " is not dead: ",
                   platform::ToAbsl(NameOf(task.state))));
}

}  // namespace

bool RestartCommand::Matches(const TaskView& dead) const {
  return dead.name_space == name_space && dead.owner == owner &&
         (type.empty() || dead.type == type) &&
         (reason.empty() || dead.last_failure.reason == reason) &&
         (states.empty() || std::ranges::find(states, dead.state) != states.end()) &&
         (root.empty() || dead.root == root) &&
         (context.empty() || (dead.info != nullptr && dead.info->context == context)) &&
         (!selector.has_value() || MatchesInfo(*selector, dead)) && dead.ended_at >= ended_after &&
         dead.ended_at < ended_before;
}

RestartPage::Restarted Partition::ApplyRestart(const TaskView& task, bool dry_run, size_t& room,
                                               Transaction& transaction) {
  const bool dead = IsFinal(task.state) && task.state != TaskState::kSucceeded;
  if (!dead) return {task.id, NotDead(task)};
  if (const TaskId known = engine_.RestartedAs(task.id.key()); !known.empty()) {
    return {task.id, known};
  }
  auto successor = RestartDead(task, dry_run, room, transaction);
  const bool created = successor.ok() && !dry_run;
  return {task.id, std::move(successor), created};
}

absl::StatusOr<TaskId> Partition::RestartDead(const TaskView& dead, bool dry_run, size_t& room,
                                              Transaction& transaction) {
  if (room == 0) {
    return Error(absl::StatusCode::kResourceExhausted, "ANSWER_TOO_LARGE",
                 "task_ids: the call has enough to read; ask for this task again");
  }
  const TaskKey key = dead.id.key();
  std::string record;
  KANTOKU_RETURN_IF_ERROR(store_->Read({ToKind(RecordKind::kSpec), std::span(&key, 1)},
                                       [&](TaskKey, std::string_view bytes) { record = bytes; }));
  room -= std::min(room, record.size());
  auto stored = DecodeSpec(record);
  if (!stored.ok() || stored->id != dead.id) {
    return Error(absl::StatusCode::kDataLoss, "DAMAGED_RECORD",
                 absl::StrCat("no sound record of ", dead.id.ToString()));
  }
  TaskSpec spec = engine_.SpecOfRestart(dead, std::move(stored->spec));
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
  EncodeSpec(successor, dead.parent, dead.root, body, scratch_);
  transaction.batch().Put(ToKind(RecordKind::kSpec), successor.key(), scratch_);
  return successor;
}

absl::StatusOr<RestartPage> Partition::RestartMatching(const RestartCommand& command,
                                                       Transaction& transaction) {
  KANTOKU_ASSIGN_OR_RETURN(DeadCursor cursor, ParseDeadCursor(command.page_token));
  RestartPage page;
  size_t room = kMaxRestartBytes;
  size_t looked_at = 0;
  for (size_t rows = 0; rows < kPageRows && looked_at < kPageBudget; ++rows) {
    const History::Row* const row = engine_.dead().AtOrBelow(cursor.row);
    if (row == nullptr) return page;
    const uint64_t number = row->number;
    if (number != cursor.row) cursor = {number, 0};  // What it named has been forgotten.
    KANTOKU_ASSIGN_OR_RETURN(const Row tasks, ReadRow(RecordKind::kDead, number));
    looked_at += tasks->size();
    for (; cursor.offset < tasks->size(); ++cursor.offset) {
      if (page.tasks.size() >= command.limit || room == 0) break;
      const TaskView& task = (*tasks)[cursor.offset];
      if (!command.Matches(task)) continue;
      page.tasks.push_back(ApplyRestart(task, command.dry_run, room, transaction));
    }
    if (cursor.offset < tasks->size()) break;
    cursor = {number - 1, 0};  // Rows are numbered from 1.
  }
  page.next = absl::StrCat(cursor.row, ".", cursor.offset);
  return page;
}

}  // namespace kantoku::inputs
