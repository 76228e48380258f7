#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"

namespace kantoku::cli {
namespace {

const std::vector<std::string>& Header() {
  static const auto& header =
      *new std::vector<std::string>{"TASK", "TYPE", "STATE", "WAITS FOR", "FAILED", "CREATED"};
  return header;
}

std::vector<std::string> Row(const TaskInfo& info) {
  const std::string cause(info.wait_cause == WaitCause::kNone ? "-" : ToString(info.wait_cause));
  return {info.id.ToString(),
          info.type,
          std::string(ToString(info.state)),
          cause,
          absl::StrCat(info.failed_attempts),
          TimeText(info.created_at)};
}

void PrintTasks(const Context& context, const std::vector<TaskInfo>& tasks) {
  if (context.json()) {
    for (const TaskInfo& task : tasks) context.Print(ToJson(task));
    return;
  }
  std::vector<std::vector<std::string>> rows;
  for (const TaskInfo& task : tasks) rows.push_back(Row(task));
  context.PrintTable(Header(), rows);
}

// What commands about given tasks share.
class IdsCommand : public Command {
 public:
  void AddTo(CLI::App& app) override { app.add_option("ids", texts_, "The tasks")->required(); }
  ExitCode Run(const Context& context) final {
    const auto ids = ParseIds(texts_);
    if (!ids.ok()) {
      context.Fail(ids.status());
      return ExitCode::kUsage;
    }
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
  std::string description() const override { return "Shows what is known of tasks"; }

 private:
  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    ExitCode worst = ExitCode::kOk;
    std::vector<TaskInfo> found;
    for (const auto& info : client.GetAll(ids, context.call_options())) {
      if (info.ok()) {
        found.push_back(*info);
      } else {
        worst = context.Fail(info.status());
      }
    }
    if (!found.empty()) PrintTasks(context, found);
    return worst;
  }
};

class CancelCommand final : public IdsCommand {
 public:
  std::string name() const override { return "cancel"; }
  std::string description() const override { return "Asks tasks to stop"; }

 private:
  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    ExitCode worst = ExitCode::kOk;
    const auto states = client.CancelAll(ids, context.call_options());
    for (size_t i = 0; i < states.size(); ++i) {
      if (!states[i].ok()) {
        worst = context.Fail(states[i].status());
        continue;
      }
      const std::string state(ToString(*states[i]));
      if (context.json()) {
        context.Print({{"task_id", ids[i].ToString()}, {"state", state}});
      } else {
        context.PrintLine(absl::StrCat(ids[i].ToString(), "  ", state));
      }
    }
    return worst;
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
    app.add_option("--state", states_, "Only these states, such as ready or failed");
    app.add_option("--limit", limit_, "At most so many; 0: all")->capture_default_str();
  }
  ExitCode Run(const Context& context) override {
    for (const std::string& word : states_) {
      const auto state = ParseTaskState(word);
      if (!state.has_value()) {
        context.Fail(absl::InvalidArgumentError(
            absl::StrCat("--state: \"", word, "\" is no state of a task")));
        return ExitCode::kUsage;
      }
      query_.states.push_back(*state);
    }
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    std::vector<TaskInfo> tasks;
    do {
      query_.page_size = 1'000;
      auto page = client->List(query_, context.call_options());
      if (!page.ok()) return context.Fail(page.status());
      for (TaskInfo& task : page->tasks) {
        if (limit_ == 0 || tasks.size() < limit_) tasks.push_back(std::move(task));
      }
      query_.page_token = page->next_page_token;
    } while (!query_.page_token.empty() && (limit_ == 0 || tasks.size() < limit_));
    PrintTasks(context, tasks);
    return ExitCode::kOk;
  }

 private:
  TaskQuery query_;
  std::vector<std::string> states_;
  size_t limit_ = 100;
};

}  // namespace

std::unique_ptr<Command> MakeGetCommand() { return std::make_unique<GetCommand>(); }
std::unique_ptr<Command> MakeCancelCommand() { return std::make_unique<CancelCommand>(); }
std::unique_ptr<Command> MakeListCommand() { return std::make_unique<ListCommand>(); }

}  // namespace kantoku::cli
