#include <CLI/CLI.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/cli/commands.h"

namespace kantoku::cli {
namespace {

// A command and the long options that it takes.
struct Completion {
  std::string command;
  std::vector<std::string> options;
};

std::vector<Completion> CompletionsOf(const CLI::App& app) {
  std::vector<Completion> completions;
  const auto is_for_people = [](const CLI::App* command) { return !command->get_group().empty(); };
  for (const CLI::App* command : app.get_subcommands(is_for_people)) {
    Completion completion{command->get_name(), {}};
    for (const CLI::Option* option : command->get_options()) {
      for (const std::string& name : option->get_lnames()) {
        completion.options.push_back(absl::StrCat("--", name));
      }
    }
    completions.push_back(std::move(completion));
  }
  return completions;
}

std::string Names(const std::vector<Completion>& completions) {
  return absl::StrJoin(completions, " ", [](std::string* out, const Completion& completion) {
    out->append(completion.command);
  });
}

std::string ForBash(const std::vector<Completion>& completions) {
  std::string script = absl::StrCat(
      "_kantoku() {\n  local word=${COMP_WORDS[COMP_CWORD]} words\n  case ${COMP_WORDS[1]} in\n");
  for (const Completion& completion : completions) {
    absl::StrAppend(&script, "    ", completion.command, ") words=\"",
                    absl::StrJoin(completion.options, " "), "\" ;;\n");
  }
  absl::StrAppend(&script, "  esac\n  ((COMP_CWORD == 1)) && words=\"", Names(completions),
                  "\"\n  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n",
                  "}\ncomplete -o default -F _kantoku kantoku\n");
  return script;
}

std::string ForZsh(const std::vector<Completion>& completions) {
  return absl::StrCat("autoload -U +X bashcompinit && bashcompinit\n", ForBash(completions));
}

std::string ForFish(const std::vector<Completion>& completions) {
  std::string script;
  for (const Completion& completion : completions) {
    absl::StrAppend(&script, "complete -c kantoku -n __fish_use_subcommand -a ", completion.command,
                    "\n");
    for (const std::string& option : completion.options) {
      absl::StrAppend(&script, "complete -c kantoku -n '__fish_seen_subcommand_from ",
                      completion.command, "' -l ", option.substr(2), "\n");
    }
  }
  return script;
}

class CompletionCommand final : public Command {
 public:
  explicit CompletionCommand(const CLI::App& app) : app_(app) {}
  std::string name() const override { return "completion"; }
  std::string description() const override {
    return "Prints a script for the shell: source <(kantoku completion bash)";
  }
  bool needs_server() const override { return false; }
  void AddTo(CLI::App& app) override {
    app.add_option("shell", shell_, "bash, zsh or fish")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  }
  ExitCode Run(const Context& context) override {
    const auto completions = CompletionsOf(app_);
    const std::string script = shell_ == "bash"  ? ForBash(completions)
                               : shell_ == "zsh" ? ForZsh(completions)
                                                 : ForFish(completions);
    if (context.json()) {
      context.Print({{"shell", shell_}, {"script", script}});
    } else {
      context.streams().out << script << std::flush;
    }
    return ExitCode::kOk;
  }

 private:
  const CLI::App& app_;
  std::string shell_;
};

}  // namespace

std::unique_ptr<Command> MakeCompletionCommand(const CLI::App& app) {
  return std::make_unique<CompletionCommand>(app);
}

}  // namespace kantoku::cli
