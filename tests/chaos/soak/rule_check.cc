#include "tests/chaos/soak/rule_check.h"

#include <algorithm>

namespace kantoku::soak {
namespace {

// What Inputs takes for the time of a dispatch may be that little before the request.
constexpr absl::Duration kClockSlack = absl::Milliseconds(50);
// An executor that is not away hears of a stop within this time of its answer, also over a line
// that is slow; one that was away is back by then.
constexpr absl::Duration kHears = absl::Seconds(4);
// Of so many trees that were stopped at least one is cancelled.
constexpr size_t kManyStops = 20;

using AskedOfKey = std::map<std::string, std::vector<const Asked*>>;

class RuleCheck {
 public:
  RuleCheck(const Evidence& evidence, const RunsByTask& runs, Verdict& verdict,
            Complaints& complaints)
      : evidence_(evidence), runs_(runs), verdict_(verdict), complaints_(complaints) {}

  void Check() {
    AskedOfKey limited;
    AskedOfKey rated;
    AskedOfKey ordered;
    for (const Asked& asked : evidence_.asked) {
      if (!asked.limit_key.empty()) limited[asked.limit_key].push_back(&asked);
      if (!asked.rate_key.empty()) rated[asked.rate_key].push_back(&asked);
      if (!asked.ordering_key.empty()) ordered[asked.ordering_key].push_back(&asked);
      CheckZone(asked);
      for (const std::string& earlier : asked.after) CheckDependency(asked, earlier);
    }
    CheckStops();
    for (const auto& [key, tasks] : limited) CheckLimit(key, tasks);
    for (const auto& [key, tasks] : rated) CheckRate(key, tasks);
    for (auto& [key, tasks] : ordered) CheckOrder(key, tasks);
  }

 private:
  const std::vector<const Run*>& RunsOf(const std::string& task) const {
    static const std::vector<const Run*> none;
    const auto found = runs_.find(task);
    return found == runs_.end() ? none : found->second;
  }

  void CheckZone(const Asked& asked) {
    if (asked.zone.empty()) return;
    for (const Run* run : RunsOf(asked.task)) {
      const auto executor = evidence_.executors.find(run->pid);
      if (executor != evidence_.executors.end() && executor->second.zone == asked.zone) continue;
      complaints_.Add(verdict_.order_violations, NameOf(asked), " was to run in zone ", asked.zone,
                      " and ran in ", run->pid);
    }
  }

  void CheckDependency(const Asked& asked, const std::string& earlier) {
    absl::Duration done = absl::InfiniteDuration();
    for (const Run* run : RunsOf(earlier)) {
      if (run->result) done = std::min(done, run->end);
    }
    for (const Run* run : RunsOf(asked.task)) {
      if (run->begin >= done) continue;
      complaints_.Add(verdict_.order_violations, NameOf(asked), " began before ", earlier,
                      ", which it waits for, had a result");
    }
  }

  void CheckStops() {
    std::map<std::string, absl::Duration> answered;  // By root: the first time.
    for (const Stop& stop : evidence_.stops) {
      if (stop.answered == absl::InfiniteDuration()) continue;
      ++verdict_.stops;
      const auto [known, added] = answered.emplace(stop.root, stop.answered);
      if (!added) known->second = std::min(known->second, stop.answered);
    }
    for (const Asked& asked : evidence_.asked) {
      const auto stop = answered.find(asked.root.empty() ? asked.task : asked.root);
      if (stop != answered.end()) CheckStopped(asked, stop->second);
    }
    if (verdict_.stops >= kManyStops && verdict_.cancelled == 0) {
      complaints_.Add(verdict_.stops_ignored, verdict_.stops,
                      " stops of trees were answered, and nothing was cancelled");
    }
  }

  // What was dispatched before may begin, and go on to a result, until its executor hears of it. A
  // run is honest while that has heard Inputs within the grace, and it hears everything in order.
  void CheckStopped(const Asked& asked, absl::Duration answered) {
    for (const Run* run : RunsOf(asked.task)) {
      const absl::Duration heard = answered + TimeToHear(run->pid, answered);
      if (run->honest() && run->begin > heard) {
        complaints_.Add(verdict_.stops_ignored, NameOf(asked), " began in ", run->pid,
                        " (dispatch ", run->dispatch, ") after the stop of its tree was answered");
      } else if (run->result && run->end > heard && run->end < run->stray) {
        complaints_.Add(verdict_.stops_ignored, NameOf(asked), " went on in ", run->pid,
                        " (dispatch ", run->dispatch, ") after the stop of its tree was answered");
      }
    }
  }

  absl::Duration TimeToHear(pid_t pid, absl::Duration answered) const {
    const auto executor = evidence_.executors.find(pid);
    if (executor == evidence_.executors.end()) return evidence_.grace + kHears;
    const bool away =
        std::any_of(evidence_.absences.begin(), evidence_.absences.end(), [&](const Absence& away) {
          const bool its = away.executor.empty() || away.executor == executor->second.name;
          return its && away.from <= answered + kHears && away.to + kHears >= answered;
        });
    return away ? evidence_.grace + kHears : kHears;
  }

  void CheckLimit(const std::string& key, const std::vector<const Asked*>& tasks) {
    std::vector<const Run*> runs;
    for (const Asked* asked : tasks) {
      runs.insert(runs.end(), RunsOf(asked->task).begin(), RunsOf(asked->task).end());
    }
    SortByBegin(runs);
    const auto limit = static_cast<size_t>(tasks.front()->limit);
    for (const Overlap& overlap : Overlaps(runs, limit)) {
      if (overlap.stray) {
        ++verdict_.stray_limits;
      } else {
        complaints_.Add(verdict_.limit_violations, "more than ", limit, " handlers of key ", key,
                        " when ", overlap.later->task, " began in ", overlap.later->pid);
      }
    }
  }

  // A dispatch takes its token at some time between the request and the begin, which may wait long
  // in an executor: so in any window it counts only if both are in it. That a handler was frozen or
  // cut off excuses nothing here.
  void CheckRate(const std::string& key, const std::vector<const Asked*>& tasks) {
    struct Taken {
      absl::Duration after;
      const Run* by;
    };
    std::vector<Taken> taken;
    for (const Asked* asked : tasks) {
      for (const Run* run : RunsOf(asked->task)) taken.push_back({asked->at, run});
    }
    std::stable_sort(taken.begin(), taken.end(),
                     [](const Taken& a, const Taken& b) { return a.by->begin < b.by->begin; });
    const Rate& rate = tasks.front()->rate;
    for (const Taken& first : taken) {
      int count = 0;
      for (const Taken& each : taken) {
        if (each.after < first.after) continue;
        const absl::Duration window = each.by->begin - first.after + kClockSlack;
        if (++count <= rate.burst + rate.tokens * absl::FDivDuration(window, rate.period)) continue;
        complaints_.Add(verdict_.limit_violations, count, " handlers of key ", key, " within ",
                        absl::FormatDuration(window), " when ", each.by->task, " began in ",
                        each.by->pid);
        return;
      }
    }
  }

  // One at a time, and none before one that was spawned earlier has ended.
  void CheckOrder(const std::string& key, std::vector<const Asked*> tasks) {
    std::sort(tasks.begin(), tasks.end(),
              [](const Asked* a, const Asked* b) { return a->order < b->order; });
    const Run* latest = nullptr;  // The one of an earlier task that went on longest.
    for (const Asked* asked : tasks) {
      const std::vector<const Run*>& runs = RunsOf(asked->task);
      for (const Run* run : runs) CheckAfter(key, latest, *run);
      for (const Run* run : runs) {
        if (!run->honest()) continue;
        if (latest == nullptr || run->honest_end() > latest->honest_end()) latest = run;
      }
      for (const Run* run : runs) {
        if (run->end > last_end_[key]) last_end_[key] = run->end;
      }
    }
  }

  // `earlier`: the honest run of earlier tasks that went on longest; null: there is none.
  void CheckAfter(const std::string& key, const Run* earlier, const Run& run) {
    if (earlier == nullptr || run.begin >= earlier->honest_end()) {
      if (run.begin < last_end_[key]) ++verdict_.stray_orders;
      return;
    }
    if (!run.honest()) {
      ++verdict_.stray_orders;
      return;
    }
    complaints_.Add(verdict_.order_violations, run.task, " of ordering key ", key, " began before ",
                    earlier->task, " had ended");
  }

  static void SortByBegin(std::vector<const Run*>& runs) {
    std::stable_sort(runs.begin(), runs.end(),
                     [](const Run* a, const Run* b) { return a->begin < b->begin; });
  }

  const Evidence& evidence_;
  const RunsByTask& runs_;
  Verdict& verdict_;
  Complaints& complaints_;
  std::map<std::string, absl::Duration> last_end_;  // By ordering key; of tasks looked at so far.
};

}  // namespace

void CheckRules(const Evidence& evidence, const RunsByTask& runs, Verdict& verdict,
                Complaints& complaints) {
  RuleCheck(evidence, runs, verdict, complaints).Check();
}

}  // namespace kantoku::soak
