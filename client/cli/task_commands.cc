#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>

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

// The app, and whose executor ran the handler; empty where nobody recorded it.
std::string SpawnerText(const Provenance& provenance) {
  std::string app = OneLine(provenance.spawner_app);
  if (provenance.spawner_executor_owner.empty()) return app;
  return absl::StrCat(app, ", an executor of ", OneLine(provenance.spawner_executor_owner));
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
  line("keys", KeysText(info.keys));
  line("error", info.last_error.has_value() ? ErrorText(*info.last_error) : "");
  line("progress",
       info.progress.has_value() ? absl::StrFormat("%.0f%%", *info.progress * 100) : "");
  line("attempts", info.failed_attempts == 0 ? "" : absl::StrCat(info.failed_attempts, " failed"));
  for (const FailedAttempt& attempt : info.attempts) {
    line("", absl::StrCat(TimeText(attempt.ended_at), " dispatch ", attempt.dispatch, ": ",
                          ErrorText(attempt.error)));
  }
  line("executor", info.session_id);
  line("parent", info.parent.empty() ? "" : info.parent.ToString());
  line("root", info.root.empty() ? "" : info.root.ToString());
  line("restart of", info.restarted_from.empty() ? "" : info.restarted_from.ToString());
  line("goes on as", info.restarted_as.empty() ? "" : info.restarted_as.ToString());
  line("context", OneLine(info.context_id));
  line("info", info.info.empty() ? "" : EntriesText(info.info));
  line("reference", OneLine(info.reference));
  line("priority", info.priority == 0 ? "" : absl::StrCat(info.priority));
  line("namespace", OneLine(info.namespace_name));
  line("owner", OneLine(info.owner));
  line("spawned by", SpawnerText(info.provenance));
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
  void AddTo(CLI::App& app) override { AddIds(app)->required(); }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(texts_);
    if (!ids.ok()) return context.Fail(ids.status());
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    return RunFor(context, *client, *ids);
  }

 protected:
  CLI::Option* AddIds(CLI::App& app) { return app.add_option("ids", texts_, "The tasks"); }
  bool has_ids() const { return !texts_.empty(); }
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

class WhyCommand final : public IdsCommand {
 public:
  std::string name() const override { return "why"; }
  std::string description() const override {
    return "Shows what tasks wait for, and where the time went that they have waited";
  }

 private:
  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    ExitCode code = ExitCode::kOk;
    bool first = true;
    for (const auto& info : client.GetAll(ids, context.call_options())) {
      if (!info.ok()) {
        Merge(code, context.Fail(info.status()));
      } else if (context.json()) {
        context.Print({{"task_id", info->id.ToString()},
                       {"state", std::string(ToString(info->state))},
                       {"wait_cause", std::string(ToString(info->wait_cause))},
                       {"wait_detail", info->wait_detail},
                       {"waits_ms", WaitsJson(info->waits)}});
      } else {
        if (!std::exchange(first, false)) context.PrintLine("");
        Explain(context, *info);
      }
    }
    return code;
  }

  static void Explain(const Context& context, const TaskInfo& info) {
    context.PrintLine(absl::StrCat(info.id.ToString(), "  ", StateText(info)));
    if (!info.wait_detail.empty()) context.PrintLine("because " + OneLine(info.wait_detail));
    if (info.waits.empty()) return;
    absl::Duration sum;
    for (const Wait& wait : info.waits) sum += wait.time;
    std::vector<std::vector<std::string>> rows;
    const auto row = [&](std::string_view cause, absl::Duration time) {
      rows.push_back({std::string(cause), absl::StrCat(absl::ToInt64Milliseconds(time), " ms"),
                      absl::StrFormat("%.0f%%", 100 * absl::FDivDuration(time, sum))});
    };
    for (const Wait& wait : info.waits) row(ToString(wait.cause), wait.time);
    row("together", sum);
    context.PrintTable({"WAITED FOR", "TIME", "SHARE"}, rows);
  }
};

class ControlCommand final : public IdsCommand {
 public:
  ControlCommand(ControlVerb verb, std::string description)
      : verb_(verb), description_(std::move(description)) {}

  std::string name() const override { return std::string(ToString(verb_)); }
  std::string description() const override { return description_; }
  void AddTo(CLI::App& app) override {
    auto* const ids = AddIds(app);
    app.add_flag("--tree", what_.tree,
                 "They are roots: all that was and will be spawned below them, too");
    AddWhy(app, what_.why);
    if (verb_ == ControlVerb::kPause || verb_ == ControlVerb::kResume) return AddTypes(app);
    ids->required();
    if (verb_ != ControlVerb::kInterrupt) return;
    app.add_option("--after", after_,
                   "How long handlers may take to stop by themselves (default 5s)")
        ->type_name("TIME");
  }

  ExitCode Run(const Context& context) override {
    const int given = (has_ids() ? 1 : 0) + (type_.empty() ? 0 : 1) + (all_types_ ? 1 : 0);
    if (given != 1) {
      return context.Fail(
          platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS",
                          absl::StrCat(name(), ": wants tasks, or --type, or --all-types")));
    }
    if (has_ids()) return IdsCommand::Run(context);
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const bool pause = verb_ == ControlVerb::kPause;
    const TypePause what{.type = type_, .reason = reason_};
    const ChangeOptions said{.why = what_.why};
    const absl::Status done = pause ? client->SetPause(what, said, context.call_options())
                                    : client->LiftPause(type_, said, context.call_options());
    if (!done.ok()) return context.Fail(done);
    if (context.json()) context.Print(ToJson(what));
    return ExitCode::kOk;
  }

 private:
  void AddTypes(CLI::App& app) {
    app.add_option("--type", type_, "Instead of tasks: the whole type; what runs of it goes on")
        ->type_name("TYPE");
    app.add_flag("--all-types", all_types_, "Instead of tasks: the whole namespace");
    if (verb_ != ControlVerb::kPause) return;
    app.add_option("--reason", reason_, "Why a type is paused, for people");
  }

  ExitCode RunFor(const Context& context, Client& client, const std::vector<TaskId>& ids) override {
    if (!after_.empty()) {
      const auto after = ParseDuration("--after", after_);
      if (!after.ok()) return context.Fail(after.status());
      what_.escalation = *after;
    }
    ExitCode code = ExitCode::kOk;
    const auto states = client.ControlAll(ids, verb_, what_, context.call_options());
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

  const ControlVerb verb_;
  const std::string description_;
  ControlOptions what_;
  std::string after_;
  std::string type_;
  bool all_types_ = false;
  std::string reason_;
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
    app.add_option("--root", root_, "Only the tree with this root")->type_name("TASK");
    app.add_option(
           "--where", query_.filter,
           "Only where this holds of their info: 'customer == \"acme\" && task.priority > 0'")
        ->type_name("SELECTOR");
    app.add_option("--context", query_.context_id, "Only this context");
    app.add_option("--sort", sort_, "By created, ended or priority; with a - in front descending")
        ->check(CLI::IsMember(kSorts).description(""));
    app.add_option("--limit", limit_, "At most so many; 0: all")->capture_default_str();
  }

  ExitCode Run(const Context& context) override {
    if (const absl::Status parsed = ParseStates(); !parsed.ok()) return context.Fail(parsed);
    if (!sort_.empty()) {
      query_.sort = kSorts.at(sort_);
      query_.descending = sort_.starts_with('-');
    }
    if (!root_.empty()) {
      const auto root = TaskId::Parse(root_);
      if (!root.ok()) return context.Fail(root.status());
      query_.root = *root;
    }
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
  inline static const std::map<std::string, TaskSort> kSorts = {
      {"created", TaskSort::kCreated},   {"-created", TaskSort::kCreated},
      {"ended", TaskSort::kEnded},       {"-ended", TaskSort::kEnded},
      {"priority", TaskSort::kPriority}, {"-priority", TaskSort::kPriority},
  };

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
  std::string root_;
  std::string sort_;
  uint64_t limit_ = 100;
};

}  // namespace

std::unique_ptr<Command> MakeGetCommand() { return std::make_unique<GetCommand>(); }
std::unique_ptr<Command> MakeWhyCommand() { return std::make_unique<WhyCommand>(); }

std::vector<std::unique_ptr<Command>> MakeControlCommands() {
  std::vector<std::unique_ptr<Command>> commands;
  const auto add = [&](ControlVerb verb, std::string description) {
    commands.push_back(std::make_unique<ControlCommand>(verb, std::move(description)));
  };
  add(ControlVerb::kCancel,
      "Asks tasks to stop: one that waits ends, one that runs when its executor confirms");
  add(ControlVerb::kInterrupt, "Stops tasks: asks them, and then takes them away by force");
  add(ControlVerb::kPause, "Holds tasks back; one that runs stops at its next pause point");
  add(ControlVerb::kResume, "Lets paused tasks go on");
  add(ControlVerb::kStep, "Lets paused tasks go on to their next pause point");
  return commands;
}

std::unique_ptr<Command> MakeListCommand() { return std::make_unique<ListCommand>(); }

}  // namespace kantoku::cli
