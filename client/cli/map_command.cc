#include <CLI/CLI.hpp>
#include <istream>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"

namespace kantoku::cli {
namespace {

// One task per file, or per line of standard input; results in the order of the arguments.
class MapCommand final : public Command {
 public:
  std::string name() const override { return "map"; }
  std::string description() const override {
    return "Runs one task per file, or per line of standard input, and prints results in order";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("--type", type_, "What is to be run on each")->required();
    app.add_option("--attempts", attempts_, "How often each may fail, 1 to 1000");
    app.add_option("files", files_, "Files; none: lines of standard input");
  }

  ExitCode Run(const Context& context) override {
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    std::vector<Item> items;
    if (const absl::Status read = ReadItems(context, items); !read.ok()) {
      context.Fail(read);
      return ExitCode::kUsage;
    }
    std::vector<Task> tasks;
    tasks.reserve(items.size());
    for (Item& item : items) {
      tasks.emplace_back(type_, std::move(item.payload));
      if (attempts_ == 0) continue;
      RetryPolicy retry;
      retry.max_attempts = attempts_;
      tasks.back().With(Retry(retry));
    }
    context.ShowProgress(absl::StrCat("spawning ", items.size(), " tasks"));
    const auto spawned = client->SpawnBatch(std::move(tasks), context.call_options());
    return Collect(context, *client, items, spawned);
  }

 private:
  struct Item {
    std::string name;
    std::string payload;
  };

  absl::Status ReadItems(const Context& context, std::vector<Item>& items) const {
    for (const std::string& file : files_) {
      auto bytes = ReadAll(file, context.streams().in);
      if (!bytes.ok()) return bytes.status();
      items.push_back({file, *std::move(bytes)});
    }
    std::string line;
    while (files_.empty() && std::getline(context.streams().in, line)) {
      items.push_back({absl::StrCat("line ", items.size() + 1), line});
    }
    return absl::OkStatus();
  }

  static ExitCode Collect(const Context& context, Client& client, const std::vector<Item>& items,
                          const std::vector<absl::StatusOr<SpawnedTask>>& spawned) {
    // All are awaited at once; they are printed in order, each as soon as those before it are.
    std::vector<std::future<absl::StatusOr<Output>>> outputs(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (spawned[i].ok()) outputs[i] = client.AwaitAsync(spawned[i]->id, context.call_options());
    }
    ExitCode worst = ExitCode::kOk;
    for (size_t i = 0; i < items.size(); ++i) {
      context.ShowProgress(absl::StrCat(i, " of ", items.size(), " done"));
      const absl::StatusOr<Output> output =
          spawned[i].ok() ? outputs[i].get() : absl::StatusOr<Output>(spawned[i].status());
      context.ShowProgress("");
      const ExitCode code = PrintItem(context, items[i].name, output);
      if (worst == ExitCode::kOk) worst = code;
    }
    return worst;
  }

  static ExitCode PrintItem(const Context& context, const std::string& name,
                            const absl::StatusOr<Output>& output) {
    if (!output.ok()) {
      const std::string message(output.status().message().data(), output.status().message().size());
      return context.Fail(absl::Status(output.status().code(), absl::StrCat(name, ": ", message)));
    }
    if (context.json()) {
      Json json = {{"item", name}};
      json.update(ToJson(*output));
      context.Print(json);
    } else if (output->succeeded()) {
      std::string text = output->data;
      while (text.ends_with('\n')) text.pop_back();
      context.PrintLine(absl::StrCat(name, "\t", text));
    } else {
      context.streams().err << "kantoku: " << name << ": " << output->error.reason << ": "
                            << output->error.message << std::endl;
    }
    return output->succeeded() ? ExitCode::kOk : ExitCode::kTaskFailed;
  }

  std::string type_;
  uint32_t attempts_ = 0;
  std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Command> MakeMapCommand() { return std::make_unique<MapCommand>(); }

}  // namespace kantoku::cli
