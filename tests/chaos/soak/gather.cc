#include "tests/chaos/soak/gather.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "tests/chaos/soak/journal.h"
#include "tests/support/process.h"

namespace kantoku::soak {
namespace {

constexpr size_t kAtOnce = 1'000;

class Gatherer {
 public:
  Gatherer(Topology& topology, Evidence& evidence)
      : journal_path_(topology.journal_path()),
        client_(topology.ConnectStraight()),
        evidence_(evidence) {}

  // Tasks that handlers spawned, by what these wrote down. A handler may have been killed before it
  // could, so what runs and is unknown is asked of Inputs.
  void AddChildren() {
    std::set<std::string> known;
    for (const Asked& asked : evidence_.asked) known.insert(asked.task);
    const auto journal = ReadJournal(journal_path_);
    if (!journal.ok()) return Trouble("journal", journal.status());
    for (const Entry& entry : *journal) {
      const auto work = Decode(entry.text);
      if (entry.kind != Entry::Kind::kChild || !work || !known.insert(entry.child).second) continue;
      parents_[entry.child] = entry.task;
      AddChild(entry.child, *work);
    }
    std::vector<TaskId> strangers;
    for (const Entry& entry : *journal) {
      if (known.insert(entry.task).second) strangers.push_back(*TaskId::Parse(entry.task));
    }
    for (const auto& info : client_.GetAll(strangers, {.timeout = test::kPatience})) {
      // Others the checker complains of.
      if (info.ok() && !info->parent.empty()) {
        parents_[info->id.ToString()] = info->parent.ToString();
        AddChild(info->id.ToString(), {.name = info->reference});
      }
    }
    for (Asked& asked : evidence_.asked) asked.root = RootOf(asked.task);
  }

  // What Outputs says of every task; for children that is what is told, too.
  void AddOutputs() {
    std::vector<TaskId> ids;
    for (size_t i = 0; i < evidence_.asked.size(); ++i) {
      ids.push_back(*TaskId::Parse(evidence_.asked[i].task));
      if (ids.size() < kAtOnce && i + 1 < evidence_.asked.size()) continue;
      for (const auto& output : client_.AwaitAll(ids, {.timeout = test::kPatience})) {
        if (!output.ok()) {
          Trouble("an output", output.status());
          continue;
        }
        const Told told = ToTold(*output, Steady());
        const std::string task = output->id.ToString();
        evidence_.outputs.emplace(task, told);
        if (children_.contains(task)) evidence_.told.emplace(task, told);
      }
      ids.clear();
    }
  }

  void AddItems() {
    for (const Asked& asked : evidence_.asked) {
      if (asked.work.items > 0 && evidence_.outputs.contains(asked.task)) ReadItems(asked.task);
    }
  }

  void AddEvents() {
    EventQuery query = {.filter = {.types = {"task.finished"}}, .limit = 10'000};
    const absl::Duration until = Steady() + test::kPatience;
    while (Steady() < until) {
      const auto page = client_.ReadEvents(query, {.timeout = test::kPatience});
      if (!page.ok()) return Trouble("events", page.status());
      if (page->gap) evidence_.trouble.emplace_back("a gap in Events");
      for (const Event& event : page->events) {
        ++evidence_.finished_events[event.task_id.ToString()];
      }
      query.after = page->next;
      // What happened last may be on its way.
      if (page->end && evidence_.finished_events.size() >= evidence_.outputs.size()) return;
    }
  }

 private:
  void AddChild(const std::string& task, const Work& work) {
    children_.insert(task);
    evidence_.asked.push_back(
        {.task = task, .type = TypeOfChildren(), .work = work, .stoppable = true});
  }

  // Empty: nobody is above it.
  std::string RootOf(const std::string& task) const {
    std::string root;
    for (auto above = parents_.find(task); above != parents_.end(); above = parents_.find(root)) {
      root = above->second;
    }
    return root;
  }

  void ReadItems(const std::string& task) {
    std::vector<Read>& items = evidence_.last_reader[task];
    const auto stream = client_.Stream(*TaskId::Parse(task));
    while (true) {
      auto next = stream->Next(test::kPatience);
      if (!next.ok()) return Trouble("items of " + task, next.status());
      if (std::holds_alternative<Output>(*next)) return;
      Item& item = std::get<Item>(*next);
      items.push_back({.dispatch = item.dispatch,
                       .sequence = item.sequence,
                       .data = std::move(item.data),
                       .restarted = item.restarted});
    }
  }

  void Trouble(const std::string& what, const absl::Status& status) {
    evidence_.trouble.push_back(absl::StrCat(what, ": ", status.ToString()));
  }

  const std::string journal_path_;
  Client client_;
  Evidence& evidence_;
  std::set<std::string> children_;
  std::map<std::string, std::string> parents_;  // By child.
};

}  // namespace

Evidence Gather(Topology& topology, const Observations& observations, const Absences& absences,
                const std::function<void()>& stop_executors) {
  Evidence evidence;
  observations.Fill(evidence);
  Gatherer gatherer(topology, evidence);
  gatherer.AddChildren();
  gatherer.AddOutputs();
  gatherer.AddItems();
  gatherer.AddEvents();
  stop_executors();
  auto journal = ReadJournal(topology.journal_path());
  if (journal.ok()) evidence.journal = *std::move(journal);
  evidence.executors = topology.executors();
  evidence.absences = absences.all();
  evidence.grace = topology.grace();
  return evidence;
}

}  // namespace kantoku::soak
