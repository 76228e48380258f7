#include "client/cli/results.h"

#include <ostream>
#include <variant>

#include "absl/strings/str_cat.h"
#include "client/cli/text.h"

namespace kantoku::cli {
namespace {

ExitCode CodeOf(const Output& output) {
  return output.succeeded() ? ExitCode::kOk : ExitCode::kTaskFailed;
}

// Why a task has no result: "task … failed (HANDLER_FAILED: no such file)".
void NoteEnd(const Context& context, const Output& output, std::string_view about) {
  const std::string why = ErrorText(output.error);
  context.Note(absl::StrCat("kantoku: ", std::string(about), " ",
                            std::string(ToString(output.status)), why.empty() ? "" : ": ", why));
}

std::string NoText(const Output& output) {
  return absl::StrCat("its result is no text (", SizeText(output.data.size()),
                      "); redirect the output into a file to get it");
}

void NoteRestart(const Context& context, uint32_t dispatch) {
  context.Note(absl::StrCat("kantoku: the task began again (dispatch ", dispatch, ")"));
}

void PrintItem(const Context& context, const Item& item) {
  if (context.json()) return context.Print(ToJson(item));
  if (item.restarted) NoteRestart(context, item.dispatch);
  if (context.streams().out_is_terminal && !IsShowable(item.data)) {
    context.Note(absl::StrCat("kantoku: item ", item.sequence, " is no text (",
                              SizeText(item.data.size()), ")"));
    return;
  }
  context.streams().out << item.data << (item.data.ends_with('\n') ? "" : "\n") << std::flush;
}

}  // namespace

ExitCode PrintResult(const Context& context, const absl::StatusOr<Output>& output, bool alone) {
  if (!output.ok()) return context.Fail(output.status());
  const std::string about = absl::StrCat("task ", output->id.ToString());
  if (context.json()) {
    context.Print(ToJson(*output));
    return CodeOf(*output);
  }
  if (!output->succeeded()) {
    NoteEnd(context, *output, about);
    return CodeOf(*output);
  }
  const bool terminal = context.streams().out_is_terminal;
  if (terminal && !IsShowable(output->data)) {
    context.Note(absl::StrCat("kantoku: ", about, ": ", NoText(*output)));
    return ExitCode::kOk;
  }
  const bool end_line = (terminal || !alone) && !output->data.ends_with('\n');
  context.streams().out << output->data << (end_line ? "\n" : "") << std::flush;
  return ExitCode::kOk;
}

ExitCode PrintStream(const Context& context, ItemStream& stream) {
  while (true) {
    const auto next = stream.Next(context.call_options().timeout);
    if (!next.ok()) return context.Fail(next.status());
    if (const auto* item = std::get_if<Item>(&*next); item != nullptr) {
      PrintItem(context, *item);
      continue;
    }
    const auto& output = std::get<Output>(*next);
    // Its last run yielded nothing, so that no item said so.
    const uint32_t read = stream.position().dispatch;
    if (!context.json() && read > 0 && output.dispatch > read) {
      NoteRestart(context, output.dispatch);
    }
    const bool no_line = !context.json() && output.succeeded() && output.data.empty();
    return no_line ? ExitCode::kOk : PrintResult(context, output, false);
  }
}

ExitCode PrintItem(const Context& context, const std::string& name,
                   const absl::StatusOr<Output>& output) {
  if (!output.ok()) return context.Fail(output.status(), name);
  if (context.json()) {
    Json json = {{"item", name}};
    json.update(ToJson(*output));
    context.Print(json);
  } else if (!output->succeeded()) {
    NoteEnd(context, *output, absl::StrCat(OneLine(name), ":"));
  } else if (context.streams().out_is_terminal && !IsShowable(output->data)) {
    context.Note(absl::StrCat("kantoku: ", OneLine(name), ": ", NoText(*output)));
  } else {
    std::string_view text = output->data;
    while (text.ends_with('\n')) text.remove_suffix(1);
    context.streams().out << name << '\t' << text << std::endl;
  }
  return CodeOf(*output);
}

}  // namespace kantoku::cli
