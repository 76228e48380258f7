#include <CLI/CLI.hpp>
#include <istream>
#include <optional>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/results.h"
#include "services/platform/mutex.h"

namespace kantoku::cli {
namespace {

// What came of the items, in whatever order it came.
//
// Thread-safe.
class Board {
 public:
  explicit Board(size_t size) : outputs_(size) {}

  void Put(size_t index, absl::StatusOr<Output> output) {
    platform::MutexLock lock(mutex_);
    ++done_;
    if (!output.ok() || !output->succeeded()) ++failed_;
    outputs_[index] = std::move(output);
    changed_.SignalAll();
  }

  // Waits for the item; says how far all are, now and whenever that changes.
  absl::StatusOr<Output> Take(const Context& context, size_t index) {
    platform::MutexLock lock(mutex_);
    for (;;) {
      context.ShowProgress(absl::StrCat(done_, " of ", outputs_.size(), " done",
                                        failed_ == 0 ? "" : absl::StrCat(", ", failed_, " failed"),
                                        " "));
      if (outputs_[index].has_value()) break;
      changed_.Wait(mutex_);
    }
    return *std::exchange(outputs_[index], std::nullopt);
  }

 private:
  platform::Mutex mutex_;
  platform::CondVar changed_;
  std::vector<std::optional<absl::StatusOr<Output>>> outputs_ ABSL_GUARDED_BY(mutex_);
  size_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t failed_ ABSL_GUARDED_BY(mutex_) = 0;
};

class MapCommand final : public Command {
 public:
  std::string name() const override { return "map"; }
  std::string description() const override {
    return "Runs a task for each file, or each line of standard input; results come in that order";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("--type", type_, "What is to be run on each")->required();
    app.add_option("--attempts", attempts_, "How often each may run, 1 to 1000 (default 3)")
        ->check(CLI::Range(1, 1'000).description(""));
    app.add_option("files", files_, "Files; none: lines of standard input");
  }

  ExitCode Run(const Context& context) override {
    std::vector<Item> items;
    if (const absl::Status read = ReadItems(context, items); !read.ok()) return context.Fail(read);
    InterruptNote interrupt(context);
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    context.ShowProgress(absl::StrCat("spawning ", items.size(), " tasks"));
    const auto spawned = client->SpawnBatch(Tasks(items), context.call_options());
    return Collect(context, *client, items, spawned, interrupt);
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

  // Takes the payloads.
  std::vector<Task> Tasks(std::vector<Item>& items) const {
    std::vector<Task> tasks;
    tasks.reserve(items.size());
    for (Item& item : items) {
      tasks.emplace_back(type_, std::move(item.payload));
      if (attempts_.has_value()) tasks.back().With(Retry(RetryPolicy{.max_attempts = attempts_}));
    }
    return tasks;
  }

  // All are awaited at once; they are printed in order, each as soon as those before it are.
  static ExitCode Collect(const Context& context, Client& client, const std::vector<Item>& items,
                          const std::vector<absl::StatusOr<SpawnedTask>>& spawned,
                          InterruptNote& interrupt) {
    const auto board = std::make_shared<Board>(items.size());
    for (size_t i = 0; i < items.size(); ++i) {
      if (!spawned[i].ok()) {
        board->Put(i, spawned[i].status());
        continue;
      }
      client.AwaitAsync(spawned[i]->id, context.call_options(),
                        [board, i](auto output) { board->Put(i, std::move(output)); });
    }
    ExitCode code = ExitCode::kOk;
    for (size_t i = 0; i < items.size(); ++i) {
      interrupt.Set(absl::StrCat("the results of ", i, " of ", items.size(),
                                 " tasks are printed; the others go on: kantoku list"));
      const absl::StatusOr<Output> output = board->Take(context, i);
      context.ShowProgress("");
      Merge(code, PrintItem(context, items[i].name, output));
    }
    return code;
  }

  std::string type_;
  std::optional<uint32_t> attempts_;
  std::vector<std::string> files_;
};

}  // namespace

std::unique_ptr<Command> MakeMapCommand() { return std::make_unique<MapCommand>(); }

}  // namespace kantoku::cli
