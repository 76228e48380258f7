#include <CLI/CLI.hpp>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/commands.h"
#include "client/cli/keys.h"
#include "client/cli/text.h"
#include "services/platform/status.h"

// What limits tasks that name keys, and types that are paused.
namespace kantoku::cli {
namespace {

const std::map<std::string, LimitKind>& Kinds() {
  static const auto& kinds =
      *new std::map<std::string, LimitKind>{{"concurrency", LimitKind::kConcurrency},
                                            {"rate", LimitKind::kRate},
                                            {"weight", LimitKind::kWeight}};
  return kinds;
}

std::string KindText(LimitKind kind) {
  for (const auto& [word, known] : Kinds()) {
    if (known == kind) return word;
  }
  return "-";
}

std::string ScopeText(const LimitName& name) {
  if (name.scope == KeyScope::kType) return "type " + OneLine(name.of);
  return name.scope == KeyScope::kOwner ? "owner " + OneLine(name.of) : "namespace";
}

std::string ValueText(const Limit& limit) {
  if (limit.rate.has_value()) return RateText(*limit.rate);
  return absl::StrCat(limit.name.kind == LimitKind::kWeight ? limit.weight : limit.max_running);
}

std::string UsedText(const LimitInfo& info) {
  switch (info.limit.name.kind) {
    case LimitKind::kConcurrency:
      return absl::StrCat(info.running, " running");
    case LimitKind::kRate:
      return absl::StrFormat("%.2f tokens", info.tokens);
    case LimitKind::kWeight:
      return "-";
  }
  return "-";
}

class LimitsCommand final : public Command {
 public:
  std::string name() const override { return "limits"; }
  std::string description() const override {
    return "Shows, sets and removes limits of keys that tasks name";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_, "list, set KIND KEY VALUE, or remove KIND KEY")
        ->required()
        ->check(CLI::IsMember({"list", "set", "remove"}).description(""));
    app.add_option("kind", kind_, "concurrency, rate or weight (of a fairness key)")
        ->check(CLI::IsMember(Kinds()).description(""));
    app.add_option("key", name_.key, "Its name");
    app.add_option("value", value_,
                   "How many at once, a rate such as 10/s or 600/m:50 (with a burst), or a weight");
    auto* of_type = app.add_option("--of-type", type_, "Of the key that tasks of this type share")
                        ->type_name("TYPE");
    app.add_option("--of-owner", owner_, "Of the key that tasks of this owner share")
        ->type_name("OWNER")
        ->excludes(of_type);
    AddWhy(app, what_.why);
  }
  ExitCode Run(const Context& context) override {
    const auto limit = Check();
    if (!limit.ok()) return context.Fail(limit.status());
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    if (action_ == "list") return List(context, *client);
    const auto done = action_ == "set"
                          ? client->SetLimits({*limit}, what_, context.call_options())
                          : client->RemoveLimits({limit->name}, what_, context.call_options());
    if (!done.front().ok()) return context.Fail(done.front());
    if (context.json()) context.Print(ToJson(*limit));
    return ExitCode::kOk;
  }

 private:
  absl::StatusOr<Limit> Check() {
    const auto wrong = [](const std::string& message) {
      return platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS", message);
    };
    Limit limit;
    if (action_ == "list") {
      if (!kind_.empty() || !type_.empty() || !owner_.empty() || !what_.why.empty()) {
        return wrong("limits list: wants no more, and lists them all");
      }
      return limit;
    }
    const bool is_set = action_ == "set";
    if (name_.key.empty() || value_.empty() == is_set) {
      return wrong(is_set ? "limits set: wants a kind, a key and a value"
                          : "limits remove: wants a kind and a key alone");
    }
    limit.name = name_;
    limit.name.kind = Kinds().at(kind_);
    if (!type_.empty()) limit.name.scope = KeyScope::kType;
    if (!owner_.empty()) limit.name.scope = KeyScope::kOwner;
    limit.name.of = type_ + owner_;
    if (!is_set) return limit;
    if (limit.name.kind == LimitKind::kRate) {
      KANTOKU_ASSIGN_OR_RETURN(limit.rate, ParseRate("value", value_));
      return limit;
    }
    uint32_t& number = limit.name.kind == LimitKind::kWeight ? limit.weight : limit.max_running;
    if (!absl::SimpleAtoi(value_, &number)) {
      return wrong(absl::StrCat("value: \"", value_, "\" is no whole number"));
    }
    return limit;
  }

  static ExitCode List(const Context& context, Client& client) {
    const auto limits = client.ListLimits(context.call_options());
    if (!limits.ok()) return context.Fail(limits.status());
    std::vector<std::vector<std::string>> rows;
    for (const LimitInfo& info : *limits) {
      if (context.json()) context.Print(ToJson(info));
      rows.push_back({KindText(info.limit.name.kind), OneLine(info.limit.name.key),
                      ScopeText(info.limit.name), ValueText(info.limit), UsedText(info),
                      absl::StrCat(info.waiting), absl::StrCat(info.tasks),
                      info.transient ? "a task" : "an operator"});
    }
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("no limits");
    } else {
      context.PrintTable({"KIND", "KEY", "OF", "LIMIT", "USED", "WAIT", "TASKS", "SET BY"}, rows);
    }
    return ExitCode::kOk;
  }

  std::string action_;
  std::string kind_;
  LimitName name_;
  std::string value_;
  std::string type_;
  std::string owner_;
  ChangeOptions what_;
};

class PausesCommand final : public Command {
 public:
  std::string name() const override { return "pauses"; }
  std::string description() const override {
    return "Lists the types that are paused (see pause --type)";
  }
  void AddTo(CLI::App&) override {}
  ExitCode Run(const Context& context) override {
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto pauses = client->ListPauses(context.call_options());
    if (!pauses.ok()) return context.Fail(pauses.status());
    std::vector<std::vector<std::string>> rows;
    for (const TypePause& pause : *pauses) {
      if (context.json()) context.Print(ToJson(pause));
      rows.push_back({pause.type.empty() ? "(all)" : OneLine(pause.type), OneLine(pause.reason)});
    }
    if (context.json()) return ExitCode::kOk;
    if (rows.empty()) {
      context.Note("no type is paused");
    } else {
      context.PrintTable({"TYPE", "REASON"}, rows);
    }
    return ExitCode::kOk;
  }
};

}  // namespace

std::unique_ptr<Command> MakeLimitsCommand() { return std::make_unique<LimitsCommand>(); }
std::unique_ptr<Command> MakePausesCommand() { return std::make_unique<PausesCommand>(); }

}  // namespace kantoku::cli
