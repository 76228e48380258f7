#include "tests/chaos/verdict.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "tests/chaos/work.h"

namespace kantoku::test {
namespace {

using Ends = std::map<std::string, ClientJournal::End>;  // By task.

// What clients were told, which is what was to be computed.
Ends CheckClients(const Journals& journals, int tasks) {
  Ends ends;
  size_t accepted = 0;
  for (const ClientJournal& client : journals.clients()) {
    CHECK(client.trouble().empty());
    accepted += client.accepted().size();
    for (const auto& [index, end] : client.ends()) {
      INFO("task " << index << " is " << end.task << ", " << end.status << ": " << end.data);
      REQUIRE(end.status == "succeeded");
      REQUIRE(end.data == ResultOf(PayloadOf(index)));
      REQUIRE(client.accepted().contains(index));
      REQUIRE(end.task == client.accepted().at(index));
      REQUIRE(ends.emplace(end.task, end).second);
    }
  }
  CHECK(accepted == static_cast<size_t>(tasks));
  CHECK(ends.size() == static_cast<size_t>(tasks));
  return ends;
}

void CheckOutputs(Client client, const Ends& ends) {
  std::vector<TaskId> ids;
  ids.reserve(ends.size());
  for (const auto& [task, end] : ends) ids.push_back(*TaskId::Parse(task));
  const auto outputs = client.AwaitAll(ids, {.timeout = kPatience});
  REQUIRE(outputs.size() == ids.size());
  for (size_t i = 0; i < ids.size(); ++i) {
    INFO(ids[i].ToString() << ": " << outputs[i].status().ToString());
    REQUIRE(outputs[i].ok());
    const ClientJournal::End& end = ends.at(ids[i].ToString());
    REQUIRE(outputs[i]->succeeded());
    REQUIRE(outputs[i]->data == end.data);
    REQUIRE(outputs[i]->dispatch == end.dispatch);
  }
}

void CheckRuns(const Journals& journals, const Ends& ends) {
  for (const auto& [task, end] : ends) {
    INFO(task << " ended by dispatch " << end.dispatch);
    REQUIRE(journals.runs().contains(task));
    const std::vector<Run>& runs = journals.runs().at(task);
    REQUIRE(std::any_of(runs.begin(), runs.end(), [&end = end](const Run& run) {
      return run.dispatch == end.dispatch && run.ended;
    }));
  }
  CHECK(journals.runs().size() == ends.size());  // And nothing else ran.
}

// Reads until every task is finished, then whatever else is there.
std::map<std::string, std::map<std::string, int>> ReadEvents(Client client, size_t tasks) {
  std::map<std::string, std::map<std::string, int>> counts;  // By type, by task.
  const auto stream = client.Subscribe({.from_oldest = true, .filter = {.types = {"task.*"}}});
  std::string after;
  const auto take = [&](const EventPage& page) {
    CHECK_FALSE(page.gap);
    for (const Event& event : page.events) {
      ++counts[event.type][event.task_id.ToString()];
      if (event.type != "task.finished") continue;
      INFO(event.task_id.ToString());
      REQUIRE(event.details.at("state") == "succeeded");
    }
    after = page.next;
  };
  while (counts["task.finished"].size() < tasks) {
    const auto page = stream->Next(kPatience);
    INFO(page.status().ToString() << " after " << counts["task.finished"].size() << " ends");
    REQUIRE(page.ok());
    take(*page);
  }
  while (true) {
    const auto page = client.ReadEvents(
        {.after = after, .filter = {.types = {"task.*"}}, .limit = 10'000}, {.timeout = kPatience});
    REQUIRE(page.ok());
    take(*page);
    if (page->end) return counts;
  }
}

void CheckEvents(const Client& client, const Ends& ends) {
  const auto counts = ReadEvents(client, ends.size());
  for (const std::string type : {"task.created", "task.finished"}) {
    CHECK(counts.at(type).size() == ends.size());
    for (const auto& [task, count] : counts.at(type)) {
      INFO(type << " of " << task);
      REQUIRE(count == 1);
      REQUIRE(ends.contains(task));
    }
  }
}

void CheckNothingIsLeft(Client client) {
  const auto living =
      client.List({.states = {TaskState::kScheduled, TaskState::kReady, TaskState::kLeased,
                              TaskState::kRunning, TaskState::kCancelling, TaskState::kSettling}},
                  {.timeout = kPatience});
  REQUIRE(living.ok());
  CHECK(living->tasks.empty());
}

}  // namespace

void CheckEachEndedOnce(Suite& suite, int tasks) {
  suite.journals().Update();
  const Ends ends = CheckClients(suite.journals(), tasks);
  CheckRuns(suite.journals(), ends);
  CheckOutputs(suite.Connect(), ends);
  CheckEvents(suite.Connect(), ends);
  CheckNothingIsLeft(suite.Connect());
}

size_t CheckOnlyTheKilledRanTwice(const Journals& journals, const std::set<int>& killed) {
  size_t twice = 0;
  for (const auto& [task, runs] : journals.runs()) {
    if (runs.size() == 1) continue;
    ++twice;
    std::map<uint32_t, int> processes;  // By dispatch.
    for (const Run& run : runs) {
      INFO("dispatch " << run.dispatch << " of " << task << " ran twice");
      REQUIRE(processes.emplace(run.dispatch, run.process).second);
    }
    processes.erase(std::prev(processes.end()));
    for (const auto& [dispatch, process] : processes) {
      INFO("dispatch " << dispatch << " of " << task << " ran again though executor " << process
                       << " lived");
      CHECK(killed.contains(process));
    }
  }
  return twice;
}

}  // namespace kantoku::test
