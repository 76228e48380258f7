#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/json.h"
#include "services/platform/status.h"

// The info of living tasks is changed.
namespace kantoku::cli {
namespace {

class InfoCommand final : public Command {
 public:
  std::string name() const override { return "info"; }
  std::string description() const override {
    return "Changes what a living task is found by; get shows it";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_, "set TASK NAME=VALUE..., or remove TASK NAME...")
        ->required()
        ->check(CLI::IsMember({"set", "remove"}).description(""));
    app.add_option("task", id_, "The task")->required();
    app.add_option("entries", entries_, "What is set or removed")->required();
    app.add_option("--if-revision", revision_,
                   "Only if it was not patched since get told this info_revision");
    AddWhy(app, why_);
  }
  ExitCode Run(const Context& context) override {
    const auto id = TaskId::Parse(id_);
    if (!id.ok()) return context.Fail(id.status());
    InfoPatch patch{.expected_revision = revision_, .why = why_};
    if (action_ == "remove") {
      patch.remove = entries_;
    } else {
      auto entries = ParseEntries("info set", entries_);
      if (!entries.ok()) return context.Fail(entries.status());
      patch.set = *std::move(entries);
    }
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto revision = client->PatchInfo(*id, std::move(patch), context.call_options());
    if (!revision.ok()) return context.Fail(revision.status());
    if (context.json()) {
      context.Print({{"task_id", id->ToString()}, {"info_revision", *revision}});
    } else {
      context.PrintLine(absl::StrCat(id->ToString(), "  revision ", *revision));
    }
    return ExitCode::kOk;
  }

 private:
  std::string action_;
  std::string id_;
  std::vector<std::string> entries_;
  std::optional<uint64_t> revision_;
  std::string why_;
};

}  // namespace

std::unique_ptr<Command> MakeInfoCommand() { return std::make_unique<InfoCommand>(); }

}  // namespace kantoku::cli
