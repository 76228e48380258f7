#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"

// What happens.
namespace kantoku::cli {
namespace {

class EventsCommand final : public Command {
 public:
  std::string name() const override { return "events"; }
  std::string description() const override {
    return "Prints what happened, oldest first, or with --follow what happens";
  }
  void AddTo(CLI::App& app) override {
    app.add_flag("--follow,-f", follow_, "Print what happens from now on, until interrupted");
    app.add_option("--after", after_, "Go on after this position, a field of --json");
    app.add_option("--type", types_, "Only these types; task.* matches a prefix")->delimiter(',');
    app.add_option("--task", tasks_, "Only about these tasks")->delimiter(',');
    app.add_option("--limit", limit_, "At most so many; 0: all")->capture_default_str();
  }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(tasks_);
    if (!ids.ok()) return context.Fail(ids.status());
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    left_ = limit_ == 0 ? UINT64_MAX : limit_;
    const EventFilter filter{.types = types_, .task_ids = *ids};
    return follow_ ? Follow(context, *client, filter) : Read(context, *client, filter);
  }

 private:
  ExitCode Read(const Context& context, Client& client, const EventFilter& filter) {
    EventQuery query{.after = after_, .filter = filter};
    while (left_ > 0) {
      query.limit = static_cast<uint32_t>(std::min<uint64_t>(left_, 1'000));
      const auto page = client.ReadEvents(query, context.call_options());
      if (!page.ok()) return context.Fail(page.status());
      PrintPage(context, *page);
      if (page->end) break;
      query.after = page->next;
    }
    return ExitCode::kOk;
  }

  ExitCode Follow(const Context& context, Client& client, const EventFilter& filter) {
    const auto stream = client.Subscribe({.after = after_, .from_oldest = false, .filter = filter});
    while (left_ > 0) {
      const auto page = stream->Next(context.call_options().timeout);
      if (!page.ok()) return context.Fail(page.status());
      PrintPage(context, *page);
    }
    return ExitCode::kOk;
  }

  void PrintPage(const Context& context, const EventPage& page) {
    if (page.gap) context.Note("kantoku: older events are no longer kept: some are missing here");
    for (const Event& event : page.events) {
      if (left_ == 0) return;
      --left_;
      if (context.json()) {
        context.Print(ToJson(event));
      } else {
        context.PrintLine(LineOf(event));
      }
    }
  }

  static std::string LineOf(const Event& event) {
    std::string line = absl::StrCat(TimeText(event.at), "  ", Padded(event.type, 22));
    if (!event.task_id.empty()) {
      absl::StrAppend(&line, "  ", event.task_id.ToString(), "  ", OneLine(event.task_type));
    }
    if (!event.session_id.empty()) absl::StrAppend(&line, "  executor=", event.session_id);
    for (const auto& [name, value] : event.details) {
      absl::StrAppend(&line, "  ", name, "=", OneLine(value));
    }
    while (line.ends_with(' ')) line.pop_back();
    return line;
  }

  bool follow_ = false;
  std::string after_;
  std::vector<std::string> types_;
  std::vector<std::string> tasks_;
  uint64_t limit_ = 0;
  uint64_t left_ = 0;
};

class VersionCommand final : public Command {
 public:
  std::string name() const override { return "version"; }
  std::string description() const override { return "Prints the version"; }
  bool needs_server() const override { return false; }
  void AddTo(CLI::App&) override {}
  ExitCode Run(const Context& context) override {
    if (context.json()) {
      context.Print({{"version", KANTOKU_VERSION}});
    } else {
      context.PrintLine("kantoku " KANTOKU_VERSION);
    }
    return ExitCode::kOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeEventsCommand() { return std::make_unique<EventsCommand>(); }
std::unique_ptr<Command> MakeVersionCommand() { return std::make_unique<VersionCommand>(); }

}  // namespace kantoku::cli
