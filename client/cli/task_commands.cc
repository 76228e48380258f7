#include <CLI/CLI.hpp>
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "services/platform/status.h"

namespace kantoku::cli {
namespace {

std::string StateText(const TaskInfo& info) {
  if (info.wait_cause == WaitCause::kNone) return std::string(ToString(info.state));
  return absl::StrCat(std::string(ToString(info.state)), ", waits for ",
                      std::string(WaitText(info.wait_cause)));
}

// All that is known, a field a line.
void PrintDetails(const Context& context, const TaskInfo& info) {
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) context.PrintLine(Padded(name, 11) + value);
  };
  line("task", info.id.ToString());
  line("type", OneLine(info.type));
  line("state", StateText(info));
  line("because", OneLine(info.wait_detail));
  line("placement", info.placement.has_value() ? PlacementText(*info.placement) : "");
  line("error", info.last_error.has_value() ? ErrorText(*info.last_error) : "");
  line("progress",
       info.progress.has_value() ? absl::StrFormat("%.0f%%", *info.progress * 100) : "");
  line("attempts", info.failed_attempts == 0 ? "" : absl::StrCat(info.failed_attempts, " failed"));
  line("executor", info.session_id);
  line("reference", OneLine(info.reference));
  line("priority", info.priority == 0 ? "" : absl::StrCat(info.priority));
  line("namespace", OneLine(info.namespace_name));
  line("owner", OneLine(info.owner));
  line("created", absl::StrCat(TimeText(info.created_at), ", ",
                               AgeText(context.now() - info.created_at), " ago"));
  if (!info.ended_at.has_value()) return;
  line("ended", absl::StrCat(TimeText(*info.ended_at), ", after ",
                             TookText(*info.ended_at - info.created_at)));
}

void PrintTable(const Context& context, const std::vector<TaskInfo>& tasks) {
  std::vector<std::vector<std::string>> rows;
  for (const TaskInfo& info : tasks) {
    const std::string cause(WaitText(info.wait_cause));
    rows.push_back({info.id.ToString(), OneLine(info.type), std::string(ToString(info.state)),
                    cause.empty() ? "-" : cause, absl::StrCat(info.failed_attempts),
                    AgeText(context.now() - info.created_at),
                    info.ended_at.has_value() ? TookText(*info.ended_at - info.created_at) : "-"});
  }
  context.PrintTable({"TASK", "TYPE", "STATE", "WAITS FOR", "FAILED", "AGE", "TOOK"}, rows);
}

// What commands about given tasks share.
class IdsCommand : public Command {
 public:
  void AddTo(CLI::App& app) override { app.add_option("ids", texts_, "The tasks")->required(); }
  ExitCode Run(const Context& context) final {
    const auto ids = ParseIds(texts_);
    if (!ids.ok()) return context.Fail(ids.status());
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    return RunFor(context, *client, *ids);
  }

 protected:
  virtual ExitCode RunFor(const Context& context, Client& client,
                          const std::vector<TaskId>& ids) = 0;

 private:
  std::vector<std::string> texts_;
};

class GetCommand final : public IdsCommand {
 public:
  std::string name() const override { return "get"; }
  std::string description() const override {
    return "Shows all that is known of tasks, but for their results (see await)";
  }

 private:
  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    ExitCode code = ExitCode::kOk;
    bool first = true;
    for (const auto& info : client.GetAll(ids, context.call_options())) {
      if (!info.ok()) {
        Merge(code, context.Fail(info.status()));
      } else if (context.json()) {
        context.Print(ToJson(*info));
      } else {
        if (!std::exchange(first, false)) context.PrintLine("");
        PrintDetails(context, *info);
      }
    }
    return code;
  }
};

class CancelCommand final : public IdsCommand {
 public:
  std::string name() const override { return "cancel"; }
  std::string description() const override {
    return "Asks tasks to stop: one that waits ends, one that runs when its executor confirms";
  }

 private:
  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    ExitCode code = ExitCode::kOk;
    const auto states = client.CancelAll(ids, context.call_options());
    for (size_t i = 0; i < states.size(); ++i) {
      if (!states[i].ok()) {
        Merge(code, context.Fail(states[i].status()));
        continue;
      }
      const std::string state(ToString(*states[i]));
      if (context.json()) {
        context.Print({{"task_id", ids[i].ToString()}, {"state", state}});
      } else {
        context.PrintLine(absl::StrCat(ids[i].ToString(), "  ", state));
      }
    }
    return code;
  }
};

class ListCommand final : public Command {
 public:
  std::string name() const override { return "list"; }
  std::string description() const override {
    return "Lists tasks: living ones in the order of their spawn, then ended ones, newest first";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("--type", query_.type, "Only this type");
    app.add_option("--state", states_, "Only these states, such as ready,running or failed")
        ->delimiter(',');
    app.add_option("--limit", limit_, "At most so many; 0: all")->capture_default_str();
  }

  ExitCode Run(const Context& context) override {
    if (const absl::Status parsed = ParseStates(); !parsed.ok()) return context.Fail(parsed);
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    std::vector<TaskInfo> tasks;
    uint64_t left = limit_ == 0 ? UINT64_MAX : limit_;
    do {
      query_.page_size = static_cast<uint32_t>(std::min<uint64_t>(left, 1'000));
      auto page = client->List(query_, context.call_options());
      if (!page.ok()) return context.Fail(page.status());
      left -= std::min<uint64_t>(left, page->tasks.size());
      for (TaskInfo& task : page->tasks) {
        if (context.json()) {
          context.Print(ToJson(task));
        } else {
          tasks.push_back(std::move(task));
        }
      }
      query_.page_token = page->next_page_token;
    } while (!query_.page_token.empty() && left > 0);
    if (context.json()) return ExitCode::kOk;
    if (tasks.empty()) {
      context.Note("no tasks");
    } else {
      PrintTable(context, tasks);
    }
    if (!query_.page_token.empty()) {
      context.Note(absl::StrCat("these are the first ", limit_, "; --limit 0 lists all"));
    }
    return ExitCode::kOk;
  }

 private:
  absl::Status ParseStates() {
    for (const std::string& word : states_) {
      const auto state = ParseTaskState(word);
      if (state.has_value()) {
        query_.states.push_back(*state);
        continue;
      }
      std::string all;
      for (int i = static_cast<int>(TaskState::kScheduled);
           i <= static_cast<int>(TaskState::kCancelled); ++i) {
        absl::StrAppend(&all, all.empty() ? "" : ", ",
                        std::string(ToString(static_cast<TaskState>(i))));
      }
      return platform::Error(
          absl::StatusCode::kInvalidArgument, "INVALID_STATE",
          absl::StrCat("--state: \"", word, "\" is no state of a task; there are ", all));
    }
    return absl::OkStatus();
  }

  TaskQuery query_;
  std::vector<std::string> states_;
  uint64_t limit_ = 100;
};

}  // namespace

std::unique_ptr<Command> MakeGetCommand() { return std::make_unique<GetCommand>(); }
std::unique_ptr<Command> MakeCancelCommand() { return std::make_unique<CancelCommand>(); }
std::unique_ptr<Command> MakeListCommand() { return std::make_unique<ListCommand>(); }

}  // namespace kantoku::cli
