#include <CLI/CLI.hpp>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "services/platform/status.h"

// Who works, and where tasks go.
namespace kantoku::cli {
namespace {

absl::Status Wrong(const std::string& message) {
  return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS", message);
}

class ExecutorsCommand final : public Command {
 public:
  std::string name() const override { return "executors"; }
  std::string description() const override {
    return "Lists executors and what they can run, or asks some to leave";
  }
  void AddTo(CLI::App& app) override {
    app.add_option(
           "action", action_,
           "drain: finish what runs, then end; bounce: connect again; kick: stop at once and "
           "end; none: list")
        ->check(CLI::IsMember(kVerbs).description(""));
    app.add_option("ids", ids_, "The sessions that are asked");
    AddWhy(app, what_.why);
    app.add_option("--delay", delay_, "How long a bounce stays away, such as 30s (default 0s)")
        ->type_name("TIME");
  }
  ExitCode Run(const Context& context) override {
    const auto delay = Check();
    if (!delay.ok()) return context.Fail(delay.status());
    what_.delay = *delay;
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    return action_.empty() ? List(context, *client) : Ask(context, *client);
  }

 private:
  inline static const std::map<std::string, ExecutorVerb> kVerbs = {
      {"drain", ExecutorVerb::kDrain},
      {"bounce", ExecutorVerb::kBounce},
      {"kick", ExecutorVerb::kKick},
  };

  absl::StatusOr<absl::Duration> Check() const {
    if (!action_.empty() && ids_.empty()) {
      return Wrong(absl::StrCat(action_, ": name the sessions, as `kantoku executors` lists them"));
    }
    if (delay_.empty()) return absl::ZeroDuration();
    if (action_ != "bounce") return Wrong("--delay: only a bounce has one");
    return ParseDuration("--delay", delay_);
  }

  ExitCode Ask(const Context& context, Client& client) const {
    ExitCode code = ExitCode::kOk;
    const auto statuses =
        client.ControlExecutors(ids_, kVerbs.at(action_), what_, context.call_options());
    for (size_t i = 0; i < statuses.size(); ++i) {
      if (!statuses[i].ok()) {
        Merge(code, context.Fail(statuses[i]));
      } else if (context.json()) {
        context.Print({{"session_id", ids_[i]}, {"asked", action_}});
      } else {
        context.PrintLine(absl::StrCat(OneLine(ids_[i]), "  asked to ", action_));
      }
    }
    return code;
  }

  static std::string StateOf(const ExecutorInfo& executor) {
    if (!executor.connected) return "lost, in its grace";
    return executor.leaving ? "leaving" : "connected";
  }

  static ExitCode List(const Context& context, Client& client) {
    const auto executors = client.ListExecutors(context.call_options());
    if (!executors.ok()) return context.Fail(executors.status());
    std::vector<std::vector<std::string>> rows;
    for (const ExecutorInfo& executor : *executors) {
      if (context.json()) context.Print(ToJson(executor));
      rows.push_back({executor.session_id, OneLine(executor.name), StateOf(executor),
                      absl::StrCat(executor.held, "/", executor.max_held),
                      AgeText(context.now() - executor.connected_at),
                      executor.version.empty() ? "-" : OneLine(executor.version),
                      OneLine(absl::StrJoin(executor.types, ", ")), LabelsText(executor.labels)});
    }
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("no executors");
    } else {
      context.PrintTable(
          {"SESSION", "NAME", "STATE", "HOLDS", "SINCE", "VERSION", "TYPES", "LABELS"}, rows);
    }
    return ExitCode::kOk;
  }

  std::string action_;
  std::vector<std::string> ids_;
  ExecutorControlOptions what_;
  std::string delay_;
};

class RouteCommand final : public Command {
 public:
  std::string name() const override { return "route"; }
  std::string description() const override {
    return "Says which executors get tasks of a type, as for upgrades version by version";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_, "set TYPE SELECTOR, remove TYPE, or list")
        ->required()
        ->check(CLI::IsMember({"set", "remove", "list"}).description(""));
    app.add_option("type", type_, "The type of the tasks");
    app.add_option("selector", selector_, "What holds of their executors: 'version == \"2\"'");
    AddWhy(app, what_.why);
  }
  ExitCode Run(const Context& context) override {
    if (const absl::Status sound = Check(); !sound.ok()) return context.Fail(sound);
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    if (action_ == "list") return List(context, *client);
    const absl::Status done =
        action_ == "set" ? client->SetRoute(type_, selector_, what_, context.call_options())
                         : client->RemoveRoute(type_, what_, context.call_options());
    if (!done.ok()) return context.Fail(done);
    if (context.json()) context.Print(ToJson(Route{type_, selector_}));
    return ExitCode::kOk;
  }

 private:
  absl::Status Check() const {
    const bool has_type = !type_.empty();
    const bool has_selector = !selector_.empty();
    if (action_ == "set" && !(has_type && has_selector)) {
      return Wrong("route set: wants a type and a selector");
    }
    if (action_ == "remove" && (!has_type || has_selector)) {
      return Wrong("route remove: wants a type alone");
    }
    const bool has_more = has_type || has_selector || !what_.why.empty();
    if (action_ == "list" && has_more) return Wrong("route list: wants no more");
    return absl::OkStatus();
  }

  static ExitCode List(const Context& context, Client& client) {
    const auto routes = client.ListRoutes(context.call_options());
    if (!routes.ok()) return context.Fail(routes.status());
    std::vector<std::vector<std::string>> rows;
    for (const Route& route : *routes) {
      if (context.json()) context.Print(ToJson(route));
      rows.push_back({OneLine(route.type), OneLine(route.selector)});
    }
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("no routes");
    } else {
      context.PrintTable({"TYPE", "EXECUTORS"}, rows);
    }
    return ExitCode::kOk;
  }

  std::string action_;
  std::string type_;
  std::string selector_;
  ChangeOptions what_;
};

}  // namespace

std::unique_ptr<Command> MakeExecutorsCommand() { return std::make_unique<ExecutorsCommand>(); }
std::unique_ptr<Command> MakeRouteCommand() { return std::make_unique<RouteCommand>(); }

}  // namespace kantoku::cli
