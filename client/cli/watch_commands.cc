#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"

// Who works, and what happens.
namespace kantoku::cli {
namespace {

class ExecutorsCommand final : public Command {
 public:
  std::string name() const override { return "executors"; }
  std::string description() const override { return "Lists executors"; }
  void AddTo(CLI::App&) override {}
  ExitCode Run(const Context& context) override {
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto executors = client->ListExecutors(context.call_options());
    if (!executors.ok()) return context.Fail(executors.status());
    std::vector<std::vector<std::string>> rows;
    for (const ExecutorInfo& executor : *executors) {
      if (context.json()) {
        context.Print(ToJson(executor));
        continue;
      }
      rows.push_back({executor.session_id, executor.name,
                      executor.connected ? "connected" : "in grace",
                      absl::StrCat(executor.held, "/", executor.max_held),
                      absl::StrJoin(executor.types, ",")});
    }
    if (!context.json()) context.PrintTable({"SESSION", "NAME", "STATE", "HELD", "TYPES"}, rows);
    return ExitCode::kOk;
  }
};

class EventsCommand final : public Command {
 public:
  std::string name() const override { return "events"; }
  std::string description() const override { return "Prints what happened"; }
  void AddTo(CLI::App& app) override {
    app.add_flag("--follow,-f", follow_, "Go on with what happens, until interrupted");
    app.add_option("--after", after_, "Go on after this position");
    app.add_option("--type", types_, "Only these types; task.* matches a prefix");
    app.add_option("--task", tasks_, "Only about these tasks");
  }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(tasks_);
    if (!ids.ok()) {
      context.Fail(ids.status());
      return ExitCode::kUsage;
    }
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const EventFilter filter{.types = types_, .task_ids = *ids};
    return follow_ ? Follow(context, *client, filter) : Read(context, *client, filter);
  }

 private:
  ExitCode Read(const Context& context, Client& client, const EventFilter& filter) const {
    EventQuery query{.after = after_, .filter = filter, .limit = 1'000};
    for (;;) {
      const auto page = client.ReadEvents(query, context.call_options());
      if (!page.ok()) return context.Fail(page.status());
      PrintPage(context, *page);
      if (page->end) return ExitCode::kOk;
      query.after = page->next;
    }
  }

  ExitCode Follow(const Context& context, Client& client, const EventFilter& filter) const {
    const auto stream = client.Subscribe({.after = after_, .from_oldest = false, .filter = filter});
    for (;;) {
      const auto page = stream->Next(context.call_options().timeout);
      if (!page.ok()) return context.Fail(page.status());
      PrintPage(context, *page);
    }
  }

  static void PrintPage(const Context& context, const EventPage& page) {
    if (page.gap) context.streams().err << "kantoku: events are missing here" << std::endl;
    for (const Event& event : page.events) {
      if (context.json()) {
        context.Print(ToJson(event));
        continue;
      }
      std::string line = absl::StrCat(TimeText(event.at), "  ", event.type);
      if (!event.task_id.empty()) {
        absl::StrAppend(&line, "  ", event.task_id.ToString(), "  ", event.task_type);
      }
      for (const auto& [name, value] : event.details)
        absl::StrAppend(&line, "  ", name, "=", value);
      context.PrintLine(line);
    }
  }

  bool follow_ = false;
  std::string after_;
  std::vector<std::string> types_;
  std::vector<std::string> tasks_;
};

}  // namespace

std::unique_ptr<Command> MakeExecutorsCommand() { return std::make_unique<ExecutorsCommand>(); }
std::unique_ptr<Command> MakeEventsCommand() { return std::make_unique<EventsCommand>(); }

}  // namespace kantoku::cli
