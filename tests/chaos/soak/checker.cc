#include "tests/chaos/soak/checker.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "kantoku/task_info.h"
#include "tests/chaos/soak/item_check.h"
#include "tests/chaos/soak/rule_check.h"
#include "tests/chaos/soak/runs.h"

namespace kantoku::soak {
namespace {

// The reasons with which a task of effect ONCE may fail by itself.
const std::set<std::string> kOnceReasons = {"UNKNOWN_OUTCOME", "EXECUTOR_LOST"};

class Checker {
 public:
  explicit Checker(const Evidence& evidence) : evidence_(evidence) {}

  Verdict Check() {
    for (const std::string& text : evidence_.trouble) complaints_.Add(verdict_.trouble, text);
    std::vector<std::string> odd;
    runs_ = CollectRuns(evidence_, odd);
    for (const std::string& text : odd) complaints_.Add(verdict_.wrong, text);
    for (const Run& run : runs_) by_task_[run.task].push_back(&run);
    verdict_.runs = runs_.size();
    CheckNames();
    for (const Asked& asked : evidence_.asked) CheckTask(asked);
    for (const auto& [task, runs] : by_task_) {
      if (!asked_.contains(task)) complaints_.Add(verdict_.wrong, "nobody asked for ", task);
    }
    CheckRules(evidence_, by_task_, verdict_, complaints_);
    verdict_.complaints = complaints_.texts();
    return std::move(verdict_);
  }

 private:
  void CheckNames() {
    std::map<std::string, std::string> tasks;  // By name, which is their reference.
    for (const Asked& asked : evidence_.asked) {
      if (!tasks.emplace(asked.work.name, asked.task).second) {
        complaints_.Add(verdict_.duplicated, "two tasks of the name ", asked.work.name);
      }
      asked_.insert(asked.task);
    }
  }

  void CheckTask(const Asked& asked) {
    ++verdict_.tasks;
    ++verdict_.tasks_by_type[asked.type];
    const std::vector<const Run*>& runs = by_task_[asked.task];
    if (runs.size() > 1) verdict_.runs_again += runs.size() - 1;
    if (asked.once && runs.size() > 1)
      complaints_.Add(verdict_.once_twice, NameOf(asked), " ran twice");
    CheckOverlaps(asked, runs);
    CheckCheckpoints(asked, runs, verdict_, complaints_);
    const auto told = evidence_.told.find(asked.task);
    const auto output = evidence_.outputs.find(asked.task);
    if (told == evidence_.told.end() || output == evidence_.outputs.end()) {
      complaints_.Add(verdict_.lost, NameOf(asked),
                      told == evidence_.told.end() ? " has no end" : " has none in Outputs");
      return;
    }
    CheckSame(asked, told->second, output->second);
    CheckEnd(asked, told->second, runs);
    CheckLateBegins(asked, told->second, runs);
    CheckItems(evidence_, asked, told->second, runs, verdict_, complaints_);
  }

  void CheckOverlaps(const Asked& asked, const std::vector<const Run*>& runs) {
    for (const Overlap& overlap : Overlaps(runs, 1)) {
      if (overlap.stray) {
        ++verdict_.stray_overlaps;
      } else {
        complaints_.Add(verdict_.overlaps, NameOf(asked), " in ", overlap.earlier->pid,
                        " (dispatch ", overlap.earlier->dispatch, ") and in ", overlap.later->pid,
                        " (dispatch ", overlap.later->dispatch, ") at the same time");
      }
    }
  }

  // One end, wherever one asks.
  void CheckSame(const Asked& asked, const Told& told, const Told& output) {
    if (told.status != output.status || told.data != output.data ||
        told.dispatch != output.dispatch || told.reason != output.reason) {
      complaints_.Add(verdict_.duplicated, NameOf(asked), " ended as ", Text(told), " and as ",
                      Text(output));
    }
    const auto events = evidence_.finished_events.find(asked.task);
    const int count = events == evidence_.finished_events.end() ? 0 : events->second;
    if (count > 1)
      complaints_.Add(verdict_.duplicated, NameOf(asked), " has ", count, " ends in Events");
    if (count == 0) complaints_.Add(verdict_.lost, NameOf(asked), " has no end in Events");
  }

  // The end is one that this task may have, and what ran explains it.
  void CheckEnd(const Asked& asked, const Told& told, const std::vector<const Run*>& runs) {
    switch (told.status) {
      case OutputStatus::kSucceeded:
        ++verdict_.succeeded;
        if (told.data != ResultOf(asked.work)) {
          complaints_.Add(verdict_.wrong, NameOf(asked),
                          " has the result of something else: ", told.data);
        }
        if (std::none_of(runs.begin(), runs.end(), [&](const Run* run) {
              return run->result && run->dispatch == told.dispatch;
            })) {
          complaints_.Add(verdict_.wrong, NameOf(asked), " succeeded by dispatch ", told.dispatch,
                          ", which returned no result");
        }
        return;
      case OutputStatus::kFailed:
        ++verdict_.failed;
        if (asked.once && kOnceReasons.contains(told.reason)) return;
        break;
      case OutputStatus::kCancelled:
        ++verdict_.cancelled;
        if (asked.stoppable && WasStopped(asked)) return;
        break;
    }
    complaints_.Add(verdict_.wrong, NameOf(asked), " ended as ", Text(told));
  }

  bool WasStopped(const Asked& asked) const {
    return std::any_of(evidence_.stops.begin(), evidence_.stops.end(), [&](const Stop& stop) {
      return stop.root == asked.task || stop.root == asked.root;
    });
  }

  void CheckLateBegins(const Asked& asked, const Told& told, const std::vector<const Run*>& runs) {
    for (const Run* run : runs) {
      if (run->begin <= told.at) continue;
      if (!run->honest()) {
        ++verdict_.stray_begins;
      } else {
        complaints_.Add(verdict_.late_begins, NameOf(asked), " began in ", run->pid, " (dispatch ",
                        run->dispatch, ") after its end was told");
      }
    }
  }

  const Evidence& evidence_;
  Verdict verdict_;
  Complaints complaints_;
  std::vector<Run> runs_;
  RunsByTask by_task_;
  std::set<std::string> asked_;
};

}  // namespace

Verdict Check(const Evidence& evidence) { return Checker(evidence).Check(); }

std::string Summary(const Verdict& v) {
  std::string text = absl::StrCat(v.tasks, " tasks:");
  for (const auto& [type, count] : v.tasks_by_type) absl::StrAppend(&text, " ", type, " ", count);
  absl::StrAppend(&text, "\n", v.succeeded, " succeeded, ", v.failed, " failed as ONCE allows, ",
                  v.cancelled, " cancelled; ", v.runs, " handler runs, ", v.runs_again,
                  " of them again; ", v.items, " items, ", v.items_again,
                  " of dispatches that were superseded; ", v.continued,
                  " handlers went on from a checkpoint");
  absl::StrAppend(&text,
                  "\nhandlers that were frozen or cut off past their grace: ", v.stray_overlaps,
                  " overlaps, ", v.stray_limits, " beyond a limit, ", v.stray_orders,
                  " out of order, ", v.stray_begins, " late begins");
  absl::StrAppend(&text, "\nall others: ", v.overlaps, " overlaps, ", v.order_violations,
                  " out of order, ", v.late_begins, " late begins, ", v.stops_ignored, " of ",
                  v.stops, " stops ignored, ", v.wrong, " wrong results, ", v.trouble,
                  " errors of clients");
  for (const std::string& complaint : v.complaints) absl::StrAppend(&text, "\n  ", complaint);
  absl::StrAppend(&text, "\n", v.lost, " lost, ", v.duplicated, " duplicated results, ",
                  v.limit_violations, " limit violations, ", v.once_twice,
                  " ONCE tasks began twice");
  return text;
}

}  // namespace kantoku::soak
