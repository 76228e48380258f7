#include "tests/chaos/soak/runs.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace kantoku::soak {
namespace {

// What an executor needs to be back after an absence: its pause before the next try, a hello.
constexpr absl::Duration kReturn = absl::Milliseconds(2'200);

// When a run of this executor that goes on from `begin` to `end` became a stray one.
absl::Duration StrayFrom(const std::vector<Absence>& absences, absl::Duration limit,
                         absl::Duration begin, absl::Duration end) {
  for (const Absence& absence : absences) {
    if (absence.to - absence.from < limit) continue;
    if (begin > absence.to + kReturn || end < absence.from + limit) continue;
    return std::max(begin, absence.from + limit);
  }
  return absl::InfiniteDuration();
}

using RunKey = std::tuple<std::string, uint32_t, pid_t>;

class Collector {
 public:
  Collector(const Evidence& evidence, std::vector<std::string>& trouble)
      : evidence_(evidence), trouble_(trouble) {}

  std::vector<Run> Collect() {
    for (const Entry& entry : evidence_.journal) {
      if (entry.kind == Entry::Kind::kStart) Start(entry);
      if (entry.kind == Entry::Kind::kEnd) End(entry);
      if (entry.kind == Entry::Kind::kLeft) Left(entry);
    }
    for (Run& run : runs_) Finish(run);
    std::stable_sort(runs_.begin(), runs_.end(),
                     [](const Run& a, const Run& b) { return a.begin < b.begin; });
    return std::move(runs_);
  }

 private:
  void Start(const Entry& entry) {
    const auto [known, added] =
        open_.emplace(RunKey(entry.task, entry.dispatch, entry.pid), runs_.size());
    if (!added) Trouble("a dispatch begins twice in a process", entry);
    known->second = runs_.size();
    runs_.push_back(
        {.task = entry.task, .dispatch = entry.dispatch, .pid = entry.pid, .begin = entry.at});
    if (!entry.text.empty()) runs_.back().from = Checkpoint(entry);
  }

  void Left(const Entry& entry) {
    const auto found = open_.find(RunKey(entry.task, entry.dispatch, entry.pid));
    if (found == open_.end() || runs_[found->second].returned) {
      return Trouble("a handler leaves something that has not begun", entry);
    }
    runs_[found->second].left = Checkpoint(entry);
  }

  uint64_t Checkpoint(const Entry& entry) {
    uint64_t items = 0;
    if (!absl::SimpleAtoi(entry.text, &items) || items == 0) Trouble("no checkpoint", entry);
    return items;
  }

  void End(const Entry& entry) {
    const auto found = open_.find(RunKey(entry.task, entry.dispatch, entry.pid));
    if (found == open_.end() || runs_[found->second].returned) {
      return Trouble("a handler ends that has not begun", entry);
    }
    Run& run = runs_[found->second];
    run.returned = true;
    run.end = entry.at;
    run.result = entry.text == "result";
  }

  void Finish(Run& run) {
    const auto executor = evidence_.executors.find(run.pid);
    if (executor == evidence_.executors.end()) {
      trouble_.push_back(absl::StrCat("task ", run.task, " was run by a stranger, ", run.pid));
      return;
    }
    run.end = std::min(run.end, executor->second.ended);
    run.stray =
        StrayFrom(AbsencesOf(executor->second.name), Limit(evidence_.grace), run.begin, run.end);
  }

  const std::vector<Absence>& AbsencesOf(const std::string& name) {
    const auto [found, added] = absences_.try_emplace(name);
    if (!added) return found->second;
    std::vector<Absence> own;
    for (const Absence& absence : evidence_.absences) {
      if (absence.executor.empty() || absence.executor == name) own.push_back(absence);
    }
    found->second = Merge(std::move(own), kReturn);
    return found->second;
  }

  void Trouble(const std::string& what, const Entry& entry) {
    trouble_.push_back(absl::StrCat(what, ": ", ToLine(entry)));
  }

  const Evidence& evidence_;
  std::vector<std::string>& trouble_;
  std::vector<Run> runs_;
  std::map<RunKey, size_t> open_;
  std::map<std::string, std::vector<Absence>> absences_;  // By the executor's name; merged.
};

}  // namespace

absl::Duration Limit(absl::Duration grace) { return grace * 0.9; }

std::vector<Absence> Merge(std::vector<Absence> absences, absl::Duration gap) {
  std::sort(absences.begin(), absences.end(),
            [](const Absence& a, const Absence& b) { return a.from < b.from; });
  std::vector<Absence> merged;
  for (Absence& absence : absences) {
    if (!merged.empty() && absence.from <= merged.back().to + gap) {
      merged.back().to = std::max(merged.back().to, absence.to);
    } else {
      merged.push_back(std::move(absence));
    }
  }
  return merged;
}

std::vector<Run> CollectRuns(const Evidence& evidence, std::vector<std::string>& trouble) {
  return Collector(evidence, trouble).Collect();
}

std::vector<Overlap> Overlaps(const std::vector<const Run*>& runs, size_t limit) {
  std::vector<Overlap> overlaps;
  std::vector<const Run*> going;  // Those that go on when the next one begins.
  for (const Run* run : runs) {
    std::erase_if(going, [&](const Run* other) { return other->end <= run->begin; });
    going.push_back(run);
    if (going.size() <= limit) continue;
    size_t honest = 0;
    for (const Run* other : going) honest += other->honest_end() > run->begin ? 1 : 0;
    overlaps.push_back({.earlier = going.front(), .later = run, .stray = honest <= limit});
  }
  return overlaps;
}

}  // namespace kantoku::soak
