#include <CLI/CLI.hpp>
#include <istream>
#include <map>
#include <optional>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/keys.h"
#include "client/cli/results.h"
#include "services/platform/status.h"

namespace kantoku::cli {
namespace {

const std::map<std::string, EffectClass> kEffects = {
    {"pure", EffectClass::kPure},
    {"idempotent", EffectClass::kIdempotent},
    {"once", EffectClass::kOnce},
};

const std::map<std::string, OnFailure> kOnFailure = {
    {"fail", OnFailure::kFail},
    {"skip", OnFailure::kSkip},
    {"run", OnFailure::kRun},
};

class SpawnCommand final : public Command {
 public:
  std::string name() const override { return "spawn"; }
  std::string description() const override {
    return "Spawns a task and prints its id, or with --await its result";
  }

  void AddTo(CLI::App& app) override {
    app.add_option("type", type_, "What is to be run")->required();
    auto* payload = app.add_option("payload", payload_, "Its argument; - reads standard input");
    app.add_option("--file", file_, "Read the argument from a file; - is standard input")
        ->type_name("FILE")
        ->excludes(payload);
    app.add_option("--content-type", content_type_, "Media type of the argument");
    app.add_option("--reference", reference_, "A name of your own: a repeat spawns nothing new");
    app.add_option("--priority", priority_, "Higher goes first, -1000 to 1000 (default 0)");
    app.add_option("--delay", delay_, "Do not run it before so long from now, such as 30s")
        ->type_name("TIME");
    app.add_option("--attempt-timeout", timeout_,
                   "How long an attempt may run, such as 10m, or none (default 1h)")
        ->type_name("TIME");
    app.add_option("--expire-after", expire_after_,
                   "Do not begin it any more after so long from now, such as 1h")
        ->type_name("TIME");
    app.add_option("--total-timeout", total_timeout_,
                   "How long it may take from now to its end, all attempts together")
        ->type_name("TIME");
    app.add_option("--attempts", attempts_, "How often it may run, 1 to 1000 (default 3)")
        ->check(CLI::Range(1, 1'000).description(""));
    app.add_option("--no-retry", no_retry_,
                   "Reason of a failure after which it does not run again; may be given repeatedly")
        ->type_name("REASON");
    app.add_option("--effect", effect_,
                   "What a second run would do; once: harm, so the handler begins at most once")
        ->type_name("pure|idempotent|once")
        ->check(CLI::IsMember(kEffects).description(""));
    app.add_option("--reuse", reuse_,
                   "For --effect pure, the default then: take the result of an equal task that has "
                   "succeeded within this time, such as 1h")
        ->type_name("TIME");
    app.add_option(
           "--on", placement_.selector,
           "Only where this holds of the executor's labels: 'gpu == \"true\" && mem_gib >= 16'")
        ->type_name("SELECTOR");
    app.add_option("--on-executor", placement_.executor, "Only on the executor of this name")
        ->type_name("NAME");
    app.add_option("--on-app", placement_.app, "Only on executors that this app connected")
        ->type_name("APP");
    app.add_option("--on-owner", placement_.owner, "Only on executors of this owner")
        ->type_name("OWNER");
    app.add_option("--after", after_, "Not before these tasks have ended: ids, also with commas")
        ->type_name("ID")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--argument", arguments_,
                   "As --after, and what runs it gets their results, in this order")
        ->type_name("ID")
        ->delimiter(',')
        ->allow_extra_args(false);
    app.add_option("--on-failure", on_failure_,
                   "What becomes of it when one of them fails: it fails, too (the default), is "
                   "cancelled, or runs all the same")
        ->type_name("fail|skip|run")
        ->check(CLI::IsMember(kOnFailure).description(""));
    app.add_option("--concurrency-key", concurrency_,
                   "Run when this key has a slot; LIMIT: how many it gets, where it has no limit")
        ->type_name("KEY[=LIMIT]");
    app.add_option("--rate-key", rates_,
                   "Run when this key has tokens; RATE, such as 10/s:20, where it has none")
        ->type_name("KEY[=RATE]");
    app.add_option("--rate-cost", rate_cost_, "Tokens that it takes of each (default 1)")
        ->check(CLI::Range(1, 1'000'000).description(""));
    app.add_option("--ordering-key", ordering_,
                   "Run when all that was spawned before it with this key has ended")
        ->type_name("KEY");
    app.add_option("--fairness-key", fairness_, "Take turns with other keys of the same type")
        ->type_name("KEY[=WEIGHT]");
    app.add_option("--info", info_, "What to find it by, NAME=VALUE; may be given repeatedly")
        ->type_name("NAME=VALUE");
    app.add_option("--context", context_id_, "A name that groups tasks, whatever spawned them");
    app.add_flag("--no-parent", no_parent_,
                 "In a command of an executor: not a child of that command's task");
    auto* await = app.add_flag("--await", await_,
                               "Wait for the result and print it, as `kantoku await` does");
    app.add_flag("--stream", stream_, "Print what it yields, as `kantoku stream` does")
        ->excludes(await);
  }

  ExitCode Run(const Context& context) override {
    const auto task = Build(context);
    if (!task.ok()) return context.Fail(task.status());
    InterruptNote interrupt(context);
    // A task token lets nobody read what comes of it.
    const bool only_spawns = !no_parent_ && !await_ && !stream_;
    auto client = only_spawns ? context.ConnectAsHandler() : context.Connect(!no_parent_);
    if (!client.ok()) return context.Fail(client.status());
    interrupt.Set("the task may have been spawned; if so it goes on: kantoku list");
    const auto spawned = client->Spawn(*task, context.call_options());
    if (!spawned.ok()) return context.Fail(spawned.status());
    const std::string id = spawned->id.ToString();
    if (await_) {
      interrupt.Set(absl::StrCat("the task goes on; its result: kantoku await ", id));
      return PrintResult(context, client->Await(spawned->id, context.call_options()), true);
    }
    if (stream_) {
      interrupt.Set(absl::StrCat("the task goes on; what it yields: kantoku stream ", id));
      const auto stream = client->Stream(spawned->id);
      return PrintStream(context, *stream);
    }
    if (context.json()) {
      context.Print(ToJson(*spawned));
    } else {
      context.PrintLine(id);
    }
    return ExitCode::kOk;
  }

 private:
  absl::StatusOr<Task> Build(const Context& context) const {
    std::string payload = payload_;
    if (payload == "-" || !file_.empty()) {
      auto bytes = ReadAll(file_.empty() ? "-" : file_, context.streams().in);
      if (!bytes.ok()) return bytes.status();
      payload = *std::move(bytes);
    }
    Task task(type_, std::move(payload));
    if (!content_type_.empty()) task.With(ContentType(content_type_));
    if (!reference_.empty()) task.With(Reference(reference_));
    if (priority_ != 0) task.With(Priority(priority_));
    if (!delay_.empty()) {
      const auto delay = ParseDuration("--delay", delay_);
      if (!delay.ok()) return delay.status();
      task.With(Delay(*delay));
    }
    if (!timeout_.empty()) {
      const auto timeout = timeout_ == "none" ? absl::InfiniteDuration()
                                              : ParseDuration("--attempt-timeout", timeout_);
      if (!timeout.ok()) return timeout.status();
      task.With(Timeout(*timeout));
    }
    if (!expire_after_.empty()) {
      const auto after = ParseDuration("--expire-after", expire_after_);
      if (!after.ok()) return after.status();
      task.With(ExpireAfter(*after));
    }
    if (!total_timeout_.empty()) {
      const auto timeout = ParseDuration("--total-timeout", total_timeout_);
      if (!timeout.ok()) return timeout.status();
      task.With(TotalTimeout(*timeout));
    }
    if (attempts_.has_value() || !no_retry_.empty()) {
      task.With(Retry(RetryPolicy{.max_attempts = attempts_, .non_retryable_reasons = no_retry_}));
    }
    if (!reuse_.empty()) {
      const auto age = ParseDuration("--reuse", reuse_);
      if (!age.ok()) return age.status();
      task.With(ReuseWithin(*age));
    }
    // Last: the server refuses another effect than pure with it.
    if (!effect_.empty()) task.With(Effect(kEffects.at(effect_)));
    if (!info_.empty()) {
      const auto entries = ParseEntries("--info", info_);
      if (!entries.ok()) return entries.status();
      task.With(Info(*entries));
    }
    if (!context_id_.empty()) task.With(InContext(context_id_));
    if (placement_ != PlacementPolicy()) task.With(Placement(placement_));
    if (absl::Status added = AddDependencies(task); !added.ok()) return added;
    if (absl::Status added = AddKeys(task); !added.ok()) return added;
    return task;
  }

  absl::Status AddDependencies(Task& task) const {
    if (!on_failure_.empty() && after_.empty() && arguments_.empty()) {
      return absl::InvalidArgumentError("--on-failure goes with --after or --argument");
    }
    const OnFailure way = on_failure_.empty() ? OnFailure::kFail : kOnFailure.at(on_failure_);
    const auto after = ParseIds(after_);
    if (!after.ok()) return after.status();
    const auto arguments = ParseIds(arguments_);
    if (!arguments.ok()) return arguments.status();
    for (const TaskId& id : *after) task.With(DependsOn(id, way));
    for (const TaskId& id : *arguments) task.With(Argument(id, way));
    return absl::OkStatus();
  }

  absl::Status AddKeys(Task& task) const {
    const auto number = [](std::string_view option, const std::string& text, uint32_t& value) {
      if (text.empty() || absl::SimpleAtoi(text, &value)) return absl::OkStatus();
      return platform::Error(
          absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS",
          absl::StrCat(platform::ToAbsl(option), ": \"", text, "\" is no whole number"));
    };
    for (const std::string& text : concurrency_) {
      const auto [name, value] = SplitKey(text);
      uint32_t limit = 0;
      KANTOKU_RETURN_IF_ERROR(number("--concurrency-key", value, limit));
      task.With(ConcurrencyKey(name, limit));
    }
    for (const std::string& text : rates_) {
      const auto [name, value] = SplitKey(text);
      std::optional<Rate> rate;
      if (!value.empty()) {
        KANTOKU_ASSIGN_OR_RETURN(rate, ParseRate("--rate-key", value));
      }
      task.With(RateKey(name, rate, rate_cost_));
    }
    if (!ordering_.empty()) task.With(OrderingKey(ordering_));
    if (fairness_.empty()) return absl::OkStatus();
    const auto [name, value] = SplitKey(fairness_);
    uint32_t weight = 0;
    KANTOKU_RETURN_IF_ERROR(number("--fairness-key", value, weight));
    task.With(FairnessKey(name, weight));
    return absl::OkStatus();
  }

  std::string type_;
  std::string payload_;
  std::string file_;
  std::string content_type_;
  std::string reference_;
  int priority_ = 0;
  std::string delay_;
  std::string timeout_;
  std::string expire_after_;
  std::string total_timeout_;
  std::optional<uint32_t> attempts_;
  std::vector<std::string> no_retry_;
  std::string effect_;
  std::vector<std::string> after_;
  std::vector<std::string> arguments_;
  std::string on_failure_;
  std::vector<std::string> info_;
  std::string context_id_;
  std::string reuse_;
  bool no_parent_ = false;
  PlacementPolicy placement_;
  std::string ordering_;
  std::vector<std::string> concurrency_;
  std::vector<std::string> rates_;
  uint32_t rate_cost_ = 1;
  std::string fairness_;
  bool await_ = false;
  bool stream_ = false;
};

class AwaitCommand final : public Command {
 public:
  std::string name() const override { return "await"; }
  std::string description() const override {
    return "Waits for tasks and prints their results, byte for byte, in the order given";
  }
  void AddTo(CLI::App& app) override { app.add_option("ids", ids_, "The tasks")->required(); }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(ids_);
    if (!ids.ok()) return context.Fail(ids.status());
    InterruptNote interrupt(context);
    interrupt.Set("what was waited for goes on");
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    std::vector<std::future<absl::StatusOr<Output>>> outputs;
    for (const TaskId& id : *ids) {
      outputs.push_back(client->AwaitAsync(id, context.call_options()));
    }
    ExitCode code = ExitCode::kOk;
    for (auto& output : outputs) {
      Merge(code, PrintResult(context, output.get(), outputs.size() == 1));
    }
    return code;
  }

 private:
  std::vector<std::string> ids_;
};

}  // namespace

std::unique_ptr<Command> MakeSpawnCommand() { return std::make_unique<SpawnCommand>(); }
std::unique_ptr<Command> MakeAwaitCommand() { return std::make_unique<AwaitCommand>(); }

}  // namespace kantoku::cli
