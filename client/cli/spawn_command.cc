#include <CLI/CLI.hpp>
#include <istream>

#include "client/cli/commands.h"

namespace kantoku::cli {
namespace {

class SpawnCommand final : public Command {
 public:
  std::string name() const override { return "spawn"; }
  std::string description() const override { return "Spawns a task and prints its id"; }

  void AddTo(CLI::App& app) override {
    app.add_option("type", type_, "What is to be run")->required();
    app.add_option("payload", payload_, "Its argument; - reads standard input");
    app.add_option("--file", file_, "Read the argument from a file; - is standard input");
    app.add_option("--content-type", content_type_, "Media type of the argument");
    app.add_option("--reference", reference_, "A name of one's own: a repeat spawns nothing new");
    app.add_option("--priority", priority_, "Higher goes first, -1000 to 1000");
    app.add_option("--delay", delay_, "Not before so long from now, such as 30s");
    app.add_option("--attempt-timeout", timeout_, "How long an attempt may run, such as 10m");
    app.add_option("--attempts", attempts_, "How often it may fail, 1 to 1000");
    app.add_flag("--await", await_, "Wait for the result and print it");
  }

  ExitCode Run(const Context& context) override {
    const auto task = Build(context);
    if (!task.ok()) {
      context.Fail(task.status());
      return ExitCode::kUsage;
    }
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto spawned = client->Spawn(*task, context.call_options());
    if (!spawned.ok()) return context.Fail(spawned.status());
    if (await_) return PrintResult(context, client->Await(spawned->id, context.call_options()));
    if (context.json()) {
      context.Print({{"task_id", spawned->id.ToString()}, {"created", spawned->created}});
    } else {
      context.PrintLine(spawned->id.ToString());
    }
    return ExitCode::kOk;
  }

  static ExitCode PrintResult(const Context& context, const absl::StatusOr<Output>& output);

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
      const auto timeout = ParseDuration("--attempt-timeout", timeout_);
      if (!timeout.ok()) return timeout.status();
      task.With(Timeout(*timeout));
    }
    if (attempts_ != 0) {
      RetryPolicy retry;
      retry.max_attempts = attempts_;
      task.With(Retry(retry));
    }
    return task;
  }

  std::string type_;
  std::string payload_;
  std::string file_;
  std::string content_type_;
  std::string reference_;
  int priority_ = 0;
  std::string delay_;
  std::string timeout_;
  uint32_t attempts_ = 0;
  bool await_ = false;
};

class AwaitCommand final : public Command {
 public:
  std::string name() const override { return "await"; }
  std::string description() const override {
    return "Waits for tasks and prints their results, in the order given";
  }
  void AddTo(CLI::App& app) override { app.add_option("ids", ids_, "The tasks")->required(); }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds(ids_);
    if (!ids.ok()) {
      context.Fail(ids.status());
      return ExitCode::kUsage;
    }
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    ExitCode worst = ExitCode::kOk;
    for (const auto& output : client->AwaitAll(*ids, context.call_options())) {
      const ExitCode code = SpawnCommand::PrintResult(context, output);
      if (worst == ExitCode::kOk) worst = code;
    }
    return worst;
  }

 private:
  std::vector<std::string> ids_;
};

// A result goes to standard output as it is; why there is none goes to standard error.
ExitCode SpawnCommand::PrintResult(const Context& context, const absl::StatusOr<Output>& output) {
  if (!output.ok()) return context.Fail(output.status());
  if (context.json()) {
    context.Print(ToJson(*output));
  } else if (output->succeeded()) {
    context.streams().out << output->data;
    if (context.streams().out_is_terminal || !output->data.ends_with('\n')) {
      context.streams().out << '\n';
    }
    context.streams().out.flush();
  } else {
    context.streams().err << "kantoku: task " << output->id.ToString() << " "
                          << ToString(output->status) << ": " << output->error.reason
                          << (output->error.message.empty() ? "" : ": ") << output->error.message
                          << std::endl;
  }
  return output->succeeded() ? ExitCode::kOk : ExitCode::kTaskFailed;
}

}  // namespace

std::unique_ptr<Command> MakeSpawnCommand() { return std::make_unique<SpawnCommand>(); }
std::unique_ptr<Command> MakeAwaitCommand() { return std::make_unique<AwaitCommand>(); }

}  // namespace kantoku::cli
