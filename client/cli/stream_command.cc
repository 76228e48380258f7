#include <CLI/CLI.hpp>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/interrupt.h"
#include "client/cli/results.h"

namespace kantoku::cli {
namespace {

// "17", or "2:17" with a dispatch; INVALID_ARGUMENT.
absl::StatusOr<ItemPosition> ParsePosition(const std::string& text) {
  ItemPosition position;
  if (text.empty()) return position;
  const size_t colon = text.find(':');
  const bool has_dispatch = colon != std::string::npos;
  const std::string sequence = has_dispatch ? text.substr(colon + 1) : text;
  const bool sound =
      absl::SimpleAtoi(sequence, &position.sequence) && position.sequence > 0 &&
      (!has_dispatch ||
       (absl::SimpleAtoi(text.substr(0, colon), &position.dispatch) && position.dispatch > 0));
  if (sound) return position;
  return absl::InvalidArgumentError(
      absl::StrCat("--from: '", text,
                   "' is neither the number of an item, from 1, nor one after "
                   "that of its dispatch, such as 2:17"));
}

class StreamCommand final : public Command {
 public:
  std::string name() const override { return "stream"; }
  std::string description() const override {
    return "Prints what a task yields, as it comes, and at last its result";
  }
  void AddTo(CLI::App& app) override {
    app.add_option("id", id_, "The task")->required();
    app.add_option("--from", from_, "Begin with this item, such as 17, or 2:17 of dispatch 2")
        ->type_name("ITEM");
  }
  ExitCode Run(const Context& context) override {
    const auto ids = ParseIds({id_});
    if (!ids.ok()) return context.Fail(ids.status());
    const auto from = ParsePosition(from_);
    if (!from.ok()) return context.Fail(from.status());
    InterruptNote interrupt(context);
    interrupt.Set("the task goes on");
    auto client = context.Connect();
    if (!client.ok()) return context.Fail(client.status());
    const auto stream = client->Stream(ids->front(), *from);
    return PrintStream(context, *stream);
  }

 private:
  std::string id_;
  std::string from_;
};

}  // namespace

std::unique_ptr<Command> MakeStreamCommand() { return std::make_unique<StreamCommand>(); }

}  // namespace kantoku::cli
