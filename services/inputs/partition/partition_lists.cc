#include <algorithm>
#include <charconv>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/inputs/partition/partition.h"
#include "services/inputs/partition/record_codec.h"
#include "services/platform/identity/refusal.h"
#include "services/platform/status.h"

// Looking tasks up: living ones in the engine, ended ones in their rows.
namespace kantoku::inputs {

using platform::Error;

namespace {

// Tasks that one page may look at before it ends, however few of them match; of ended ones their
// rows, of which the last is looked at to its end.
constexpr size_t kPageBudget = 20'000;
constexpr size_t kPageRows = 200;

// Where a list goes on: L<key> among the living; E<history row>.<dead row>.<offset> among the
// ended, newest first, rows below or at these. D instead of E: the offset is that of the dead row.
struct Cursor {
  std::optional<TaskKey> living = 0;
  uint64_t history_row = 0;
  uint64_t dead_row = 0;
  bool in_dead_row = false;
  uint64_t offset = 0;
};

bool ReadNumber(std::string_view& text, uint64_t& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

bool ReadDot(std::string_view& text) {
  if (!text.starts_with('.')) return false;
  text.remove_prefix(1);
  return true;
}

absl::StatusOr<Cursor> ParseCursor(std::string_view token) {
  Cursor cursor;
  if (token.empty()) return cursor;
  std::string_view rest = token.substr(1);
  uint64_t key = 0;
  if (token[0] == 'L' && ReadNumber(rest, key) && rest.empty()) {
    cursor.living = key;
    return cursor;
  }
  cursor.living.reset();
  cursor.in_dead_row = token[0] == 'D';
  if ((token[0] == 'E' || token[0] == 'D') && ReadNumber(rest, cursor.history_row) &&
      ReadDot(rest) && ReadNumber(rest, cursor.dead_row) && ReadDot(rest) &&
      ReadNumber(rest, cursor.offset) && rest.empty()) {
    return cursor;
  }
  return Error(absl::StatusCode::kInvalidArgument, "BAD_PAGE_TOKEN",
               "page_token: did not come from an earlier page");
}

uint64_t NewestRow(const History& history) {
  return history.rows().empty() ? 0 : history.rows().back().number;
}

// Of the task at this position: one for each, or one for all.
const platform::Viewer& ViewerAt(std::span<const platform::Viewer> viewers, size_t position) {
  return viewers[viewers.size() == 1 ? 0 : position];
}

TaskFilter FilterOf(const ListCommand& command) {
  return {.name_space = command.name_space,
          .type = command.type,
          .states = command.states,
          .viewer = command.viewer,
          .root = command.root,
          .context = command.context,
          .selector = command.selector};
}

}  // namespace

// A row is shared rather than copied; that of the open group is only lent.
absl::StatusOr<Partition::Row> Partition::ReadRow(RecordKind kind, uint64_t number) {
  const bool succeeded = kind == RecordKind::kHistory;
  if (number > NewestRow(succeeded ? engine_.history() : engine_.dead())) {
    return Row(std::shared_ptr<void>(), succeeded ? &engine_.ended() : &engine_.died());
  }
  for (const RecentRow& row : recent_rows_) {
    if (row.kind == kind && row.number == number) return row.tasks;
  }
  absl::StatusOr<std::vector<TaskView>> tasks = std::vector<TaskView>();
  KANTOKU_RETURN_IF_ERROR(
      store_->Read({ToKind(kind), std::span(&number, 1)},
                   [&](uint64_t, std::string_view bytes) { tasks = DecodeEnded(bytes); }));
  KANTOKU_RETURN_IF_ERROR(tasks.status());
  return std::make_shared<const std::vector<TaskView>>(*std::move(tasks));
}

// Each row is read and decoded once, however many of its tasks are asked for.
absl::StatusOr<Partition::Views> Partition::Look(std::span<const TaskId> tasks,
                                                 std::span<const platform::Viewer> viewers) {
  Views views;
  views.reserve(tasks.size());
  std::map<std::pair<RecordKind, uint64_t>, std::vector<size_t>> rows;
  for (const TaskId& task : tasks) {
    const size_t position = views.size();
    views.emplace_back(Error(absl::StatusCode::kNotFound, "NO_SUCH_TASK",
                             absl::StrCat("no task ", task.ToString())));
    if (auto view = engine_.Find(task)) {
      if (ViewerAt(viewers, position).Sees(view->name_space, view->owner)) {
        views[position] = *std::move(view);
      } else {
        views[position] = platform::Hidden(views[position].status());
      }
    } else if (const auto history = engine_.FindHistory(task.key())) {
      rows[{RecordKind::kHistory, *history}].push_back(position);
    } else if (const auto dead = engine_.FindDead(task.key())) {
      rows[{RecordKind::kDead, *dead}].push_back(position);
    }
  }
  for (auto& [row, wanted] : rows) {
    const auto ended = ReadRow(row.first, row.second);
    if (ended.ok()) {
      LookInRow(**ended, tasks, viewers, wanted, views);
      for (const size_t position : wanted) AddSuccessor(views[position]);
    } else if (absl::IsDataLoss(ended.status())) {
      for (const size_t position : wanted) views[position] = ended.status();
    } else {
      return ended.status();
    }
  }
  return views;
}

// Its row does not know it: rows are written once.
void Partition::AddSuccessor(absl::StatusOr<TaskView>& view) const {
  if (view.ok()) view->restarted_as = engine_.RestartedAs(view->id.key());
}

void Partition::LookInRow(std::span<const TaskView> row, std::span<const TaskId> tasks,
                          std::span<const platform::Viewer> viewers, std::vector<size_t>& wanted,
                          Views& views) {
  std::ranges::sort(wanted, {}, [&](size_t position) { return tasks[position]; });
  for (const TaskView& view : row) {
    auto at =
        std::lower_bound(wanted.begin(), wanted.end(), view.id,
                         [&](size_t position, const TaskId& id) { return tasks[position] < id; });
    for (; at != wanted.end() && tasks[*at] == view.id; ++at) {
      if (ViewerAt(viewers, *at).Sees(view.name_space, view.owner)) {
        views[*at] = view;
      } else {
        views[*at] = platform::Hidden(views[*at].status());
      }
    }
  }
}

absl::StatusOr<TaskPage> Partition::ApplyList(const ListCommand& command) {
  const TaskFilter filter = FilterOf(command);
  if (command.sort != TaskSort::kNone) return ApplySortedList(command, filter);
  KANTOKU_ASSIGN_OR_RETURN(Cursor cursor, ParseCursor(command.page_token));
  TaskPage page;
  if (cursor.living.has_value()) {
    page.tasks = engine_.List(filter, command.limit, kPageBudget, cursor.living);
    if (cursor.living.has_value()) {
      page.next = absl::StrCat("L", *cursor.living);
      return page;
    }
    // Rows that come later are not for this list.
    cursor.history_row = NewestRow(engine_.history());
    cursor.dead_row = NewestRow(engine_.dead());
  }
  for (size_t rows = 0, looked_at = 0; rows < kPageRows && looked_at < kPageBudget; ++rows) {
    const History::Row* history = engine_.history().AtOrBelow(cursor.history_row);
    const History::Row* dead = engine_.dead().AtOrBelow(cursor.dead_row);
    if (history == nullptr && dead == nullptr) return page;
    const bool from_dead = history == nullptr || (dead != nullptr && dead->ended > history->ended);
    const uint64_t number = from_dead ? dead->number : history->number;
    KANTOKU_ASSIGN_OR_RETURN(const Row shared,
                             ReadRow(from_dead ? RecordKind::kDead : RecordKind::kHistory, number));
    const std::vector<TaskView>& tasks = *shared;
    looked_at += tasks.size();
    uint64_t& row = from_dead ? cursor.dead_row : cursor.history_row;
    // The row that the offset belongs to may have been forgotten.
    if (number != row || from_dead != cursor.in_dead_row) cursor.offset = 0;
    row = number;
    cursor.in_dead_row = from_dead;
    for (; cursor.offset < tasks.size(); ++cursor.offset) {
      if (page.tasks.size() >= command.limit) break;
      if (!filter.Matches(tasks[cursor.offset])) continue;
      page.tasks.push_back(tasks[cursor.offset]);
      page.tasks.back().restarted_as = engine_.RestartedAs(page.tasks.back().id.key());
    }
    if (cursor.offset < tasks.size()) break;
    cursor.offset = 0;
    --row;  // Rows are numbered from 1.
  }
  page.next = absl::StrCat(cursor.in_dead_row ? "D" : "E", cursor.history_row, ".", cursor.dead_row,
                           ".", cursor.offset);
  return page;
}

}  // namespace kantoku::inputs
