#include <CLI/CLI.hpp>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/cli/commands.h"
#include "client/cli/text.h"
#include "services/platform/auth/key_rotation.h"
#include "services/platform/directories.h"
#include "services/platform/file_turn.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

// The file of the MAC keys, for whoever runs the services one by one; `kantoku up` takes the same
// steps by itself.
namespace kantoku::cli {
namespace {

std::string_view WordOf(const platform::FiledKey& key, bool is_first) {
  if (is_first) return "signs";
  if (!key.note.has_value()) return "verifies";
  return key.note->role == platform::KeyRole::kNext ? "next" : "retired";
}

class MacKeysCommand final : public Command {
 public:
  std::string name() const override { return "mac-keys"; }
  std::string description() const override {
    return "Rotates the keys by which services know each other, in three steps: add, use, drop";
  }
  bool needs_server() const override { return false; }
  void AddTo(CLI::App& app) override {
    app.add_option("action", action_,
                   "list; add: a key that only verifies, until every program has the file; use: it "
                   "signs, from a minute later on; drop: the one before, two hours later")
        ->required()
        ->check(CLI::IsMember({"list", "add", "use", "drop"}));
    app.add_option("--file", file_, "The file (default: mac.keys of the data directory)")
        ->type_name("FILE");
    app.add_flag("--now", now_,
                 "use, drop: without waiting, as when a key is known to others; what it signed is "
                 "refused from then on");
  }
  ExitCode Run(const Context& context) override {
    if (file_.empty()) file_ = platform::DefaultDataDir() + "/mac.keys";
    if (now_ && action_ != "use" && action_ != "drop") {
      return context.Fail(platform::Error(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENTS",
                                          "--now: only for use and drop"));
    }
    return action_ == "list" ? List(context) : Change(context);
  }

 private:
  // In the file as it is once it is ours to change.
  ExitCode Change(const Context& context) const {
    if (const auto there = Read(); !there.ok()) return context.Fail(there.status());
    auto turn = platform::FileTurn::Open(platform::KeyLockOf(file_));
    if (!turn.ok()) return context.Fail(turn.status());
    if (const absl::Status held = turn->Hold(); !held.ok()) return context.Fail(held);
    auto ring = Read();
    if (!ring.ok()) return context.Fail(ring.status());
    const auto key = Take(*ring, context.now());
    if (!key.ok()) return context.Fail(key.status());
    // Before it is written: a file that no program would read is worse than no step.
    const auto good = platform::MacKeys::Make(platform::KeysOf(*ring));
    if (!good.ok()) return context.Fail(good.status(), file_);
    const absl::Status written = platform::ReplaceWholeFile(file_, platform::FormatKeyLines(*ring));
    if (!written.ok()) return context.Fail(written);
    return Say(context, *key);
  }

  absl::StatusOr<platform::KeyRing> Read() const {
    auto ring = platform::ReadKeyFile(file_);
    if (!absl::IsNotFound(ring.status())) return ring;
    // Not the exit code of a task that there is not.
    return platform::Error(absl::StatusCode::kFailedPrecondition, "NO_MAC_KEYS",
                           absl::StrCat(file_, " does not exist"));
  }

  absl::StatusOr<uint8_t> Take(platform::KeyRing& ring, absl::Time now) const {
    if (action_ == "add") return platform::AddKey(ring, platform::RandomMacSecret(), now);
    if (action_ == "use") return platform::UseKey(ring, now_, now);
    return platform::DropKey(ring, now_, now);
  }

  ExitCode Say(const Context& context, uint8_t key) const {
    const std::string role = action_ == "add" ? "next" : action_ == "use" ? "signs" : "dropped";
    if (context.json()) {
      context.Print({{"key", key}, {"role", role}});
      return ExitCode::kOk;
    }
    context.PrintLine(absl::StrCat(key, "  ", role));
    const std::string what_next = action_ == "add"   ? "; a minute later: use"
                                  : action_ == "use" ? "; two hours later: drop"
                                                     : "";
    context.Note(absl::StrCat("give the file to every computer that has a copy", what_next));
    return ExitCode::kOk;
  }

  ExitCode List(const Context& context) const {
    const auto ring = Read();
    if (!ring.ok()) return context.Fail(ring.status());
    std::vector<std::vector<std::string>> rows;
    for (const platform::FiledKey& each : *ring) {
      const std::string role(WordOf(each, &each == &ring->front()));
      if (context.json()) {
        Json json = {{"key", each.key.id}, {"role", role}, {"since", nullptr}};
        if (each.note.has_value()) json["since"] = TimeText(each.note->since);
        context.Print(json);
      }
      rows.push_back({absl::StrCat(each.key.id), role,
                      each.note.has_value() ? AgeText(context.now() - each.note->since) : "-"});
    }
    if (!context.json()) context.PrintTable({"KEY", "ROLE", "FOR"}, rows);
    return ExitCode::kOk;
  }

  std::string action_;
  std::string file_;
  bool now_ = false;
};

}  // namespace

std::unique_ptr<Command> MakeMacKeysCommand() { return std::make_unique<MacKeysCommand>(); }

}  // namespace kantoku::cli
