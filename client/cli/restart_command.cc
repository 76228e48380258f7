#include <CLI/CLI.hpp>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/json.h"
#include "services/platform/status.h"

// Dead tasks are run anew.
namespace kantoku::cli {
namespace {

class RestartCommand final : public Command {
 public:
  std::string name() const override { return "restart"; }
  std::string description() const override {
    return "Spawns failed and cancelled tasks anew: the same, under new ids";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("ids", ids_, "The tasks");
    app.add_flag("--all", all_, "Instead of ids: all that the options below leave over");
    app.add_option("--type", query_.type, "Only this type");
    app.add_option("--reason", query_.reason, "Only those that failed for this, such as TIMEOUT");
    app.add_option("--state", state_, "Only these: failed or cancelled")
        ->check(CLI::IsMember(kStates).description(""));
    app.add_option("--root", root_, "Only the tree with this root")->type_name("TASK");
    app.add_option("--where", query_.filter,
                   "Only where this holds of their info: 'customer == \"acme\"'")
        ->type_name("SELECTOR");
    app.add_option("--context", query_.context_id, "Only this context");
    app.add_option("--younger", younger_, "Only those that ended within this time, such as 2h")
        ->type_name("TIME");
    app.add_flag("--dry-run", what_.dry_run, "Say what would be restarted, and do nothing");
    AddWhy(app, what_.why);
  }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(ids_);
    absl::Status sound = ids.status();
    if (sound.ok()) sound = ReadQuery(context);
    if (!sound.ok()) return context.Fail(sound);
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    if (all_) return RestartMatching(context, *client);
    const auto page = client->RestartAll(*ids, what_, context.call_options());
    if (!page.ok()) return context.Fail(page.status());
    return Show(context, *page);
  }

 private:
  inline static const std::map<std::string, TaskState> kStates = {
      {"failed", TaskState::kFailed},
      {"cancelled", TaskState::kCancelled},
  };

  static absl::Status Wrong(const std::string& message) {
    return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS", message);
  }

  absl::Status ReadQuery(const Context& context) {
    const bool narrowed = !query_.type.empty() || !query_.reason.empty() || !state_.empty() ||
                          !root_.empty() || !younger_.empty() || !query_.filter.empty() ||
                          !query_.context_id.empty();
    if (all_ == !ids_.empty()) return Wrong("restart: wants either ids or --all");
    if (narrowed && !all_) return Wrong("restart: what narrows goes with --all");
    if (!state_.empty()) query_.states = {kStates.at(state_)};
    if (!root_.empty()) {
      KANTOKU_ASSIGN_OR_RETURN(query_.root, TaskId::Parse(root_));
    }
    if (!younger_.empty()) {
      KANTOKU_ASSIGN_OR_RETURN(const absl::Duration age, ParseDuration("--younger", younger_));
      query_.ended_after = context.now() - age;
    }
    return absl::OkStatus();
  }

  ExitCode RestartMatching(const Context& context, Client& client) {
    ExitCode code = ExitCode::kOk;
    size_t matched = 0;
    size_t created = 0;
    do {
      const auto page = client.RestartMatching(query_, what_, context.call_options());
      if (!page.ok()) return context.Fail(page.status());
      Merge(code, Show(context, *page));
      for (const RestartedTask& task : page->tasks) {
        ++matched;
        if (task.created) ++created;
      }
      query_.page_token = page->next_page_token;
    } while (!query_.page_token.empty());
    context.Note(what_.dry_run ? absl::StrCat(matched, " match")
                               : absl::StrCat(created, " restarted, of ", matched, " that match"));
    return code;
  }

  static ExitCode Show(const Context& context, const RestartPage& page) {
    ExitCode code = ExitCode::kOk;
    for (const RestartedTask& task : page.tasks) {
      if (!task.status.ok()) {
        Merge(code, context.Fail(task.status));
      } else if (context.json()) {
        context.Print(ToJson(task));
      } else {
        context.PrintLine(absl::StrCat(task.dead.ToString(), "  ", Outcome(task)));
      }
    }
    return code;
  }

  static std::string Outcome(const RestartedTask& task) {
    if (task.id.empty()) return "would be restarted";
    return absl::StrCat(task.created ? "restarted as " : "was restarted before, as ",
                        task.id.ToString());
  }

  std::vector<std::string> ids_;
  bool all_ = false;
  DeadTaskQuery query_;
  std::string state_;
  std::string root_;
  std::string younger_;
  RestartOptions what_;
};

}  // namespace

std::unique_ptr<Command> MakeRestartCommand() { return std::make_unique<RestartCommand>(); }

}  // namespace kantoku::cli
