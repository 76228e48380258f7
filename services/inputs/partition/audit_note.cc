#include "services/inputs/partition/audit_note.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "services/inputs/selector/excerpt.h"
#include "services/platform/check.h"
#include "services/platform/identity/identity.h"

namespace kantoku::inputs {
namespace {

using platform::Caller;

// Of the names in a patch, in bytes: an event is small, and a call has many patches.
constexpr size_t kShownNames = 256;

AuditNote NoteBy(std::string_view type, const Caller& by, std::string_view why) {
  AuditNote note{.type = type};
  note.details["by"] = by.subject;
  note.details["by_app"] = by.client_id;
  if (!why.empty()) note.details["why"] = std::string(why);
  return note;
}

// What others are told counts where nothing is said for the trail alone.
std::string_view WhyOf(std::string_view why, std::string_view reason) {
  return why.empty() ? reason : why;
}

std::string_view WordOf(ControlVerb verb) {
  switch (verb) {
    case ControlVerb::kCancel:
      return "cancel";
    case ControlVerb::kInterrupt:
      return "interrupt";
    case ControlVerb::kPause:
      return "pause";
    case ControlVerb::kResume:
      return "resume";
    case ControlVerb::kStep:
      return "step";
  }
  KANTOKU_CHECK(false);
}

std::string_view WordOf(ExecutorVerb verb) {
  switch (verb) {
    case ExecutorVerb::kDrain:
      return "drain";
    case ExecutorVerb::kBounce:
      return "bounce";
    case ExecutorVerb::kKick:
      return "kick";
  }
  KANTOKU_CHECK(false);
}

std::string_view WordOf(KeyKind kind) {
  switch (kind) {
    case KeyKind::kConcurrency:
      return "concurrency";
    case KeyKind::kRate:
      return "rate";
    case KeyKind::kFairness:
      return "weight";
    case KeyKind::kOrdering:
      return "ordering";
  }
  KANTOKU_CHECK(false);
}

std::string TextOf(const LimitValue& value) {
  if (value.rate.empty()) return absl::StrCat(value.number);
  return absl::StrCat(value.rate.tokens, " in ", value.rate.period_ms, " ms, burst ",
                      value.rate.burst);
}

// The wire has them in any order.
std::string TextOf(std::vector<std::string> names) {
  std::ranges::sort(names);
  return Excerpt(absl::StrJoin(names, " "), kShownNames);
}

void NameBlocked(const platform::BlockNames& names, AuditNote& note) {
  note.name_space = platform::kEveryNamespace;
  if (!names.user.empty()) note.details["user"] = names.user;
  if (!names.app.empty()) note.details["app"] = names.app;
  if (!names.executor.empty()) note.details["executor"] = names.executor;
}

void NameTask(const TaskView& task, AuditNote& note) {
  note.task = task.id;
  note.name_space = task.name_space;
  note.owner = task.owner;
  note.task_type = task.type;
}

}  // namespace

AuditNote NoteOf(const ControlTasksCommand& command, const TaskView& task) {
  AuditNote note = NoteBy("audit.control", command.viewer.who(), command.why);
  NameTask(task, note);
  note.details["verb"] = std::string(WordOf(command.what.verb));
  if (command.what.tree) note.details["tree"] = "true";
  return note;
}

AuditNote NoteOf(const PatchCommand& command, const InfoPatch& patch, const TaskView& task) {
  AuditNote note = NoteBy("audit.info", command.viewer.who(), command.why);
  NameTask(task, note);
  std::vector<std::string> set;
  set.reserve(patch.set.size());
  for (const Label& label : patch.set) set.push_back(label.name);
  if (!set.empty()) note.details["set"] = TextOf(std::move(set));
  if (!patch.remove.empty()) note.details["removed"] = TextOf(patch.remove);
  return note;
}

AuditNote NoteOf(const RestartCommand& command, const TaskView& dead, const TaskId& successor) {
  AuditNote note = NoteBy("audit.restart", command.viewer.who(), command.why);
  NameTask(dead, note);
  note.details["restarted_as"] = successor.ToString();
  return note;
}

AuditNote NoteOf(const ExecutorCommand& command, const SessionId& session) {
  AuditNote note = NoteBy("audit.executor", command.viewer.who(), command.why);
  note.name_space = command.name_space;
  note.session = session;
  note.details["verb"] = std::string(WordOf(command.verb));
  return note;
}

AuditNote NoteOf(const RouteCommand& command) {
  AuditNote note = NoteBy("audit.route", command.by, command.why);
  note.name_space = command.name_space;
  note.task_type = command.type;
  note.details["selector"] =
      command.selector.has_value() ? command.selector->canonical() : "(removed)";
  return note;
}

AuditNote NoteOf(const LimitsCommand& command, const KeyName& name, const LimitValue* set) {
  AuditNote note = NoteBy("audit.limit", command.by, command.why);
  note.name_space = command.name_space;
  note.details["kind"] = std::string(WordOf(name.kind));
  note.details["key"] = name.key;
  if (name.scope != KeyScope::kNamespace) {
    note.details[name.scope == KeyScope::kType ? "of_type" : "of_owner"] = name.of;
  }
  note.details["value"] = set != nullptr ? TextOf(*set) : "(removed)";
  return note;
}

AuditNote NoteOf(const PauseCommand& command) {
  AuditNote note = NoteBy("audit.pause", command.by, WhyOf(command.why, command.reason));
  note.name_space = command.name_space;
  note.task_type = command.type;
  note.details["paused"] = command.paused ? "true" : "false";
  return note;
}

AuditNote NoteOf(const BlocksCommand& command, const platform::Block& block) {
  AuditNote note = NoteBy("audit.block", command.by, WhyOf(command.why, block.reason));
  NameBlocked(block.names, note);
  if (block.tokens_until != absl::InfiniteFuture()) {
    note.details["tokens_until"] = absl::FormatTime(block.tokens_until, absl::UTCTimeZone());
  }
  return note;
}

AuditNote NoteOf(const BlocksCommand& command, const platform::BlockNames& lifted) {
  AuditNote note = NoteBy("audit.unblock", command.by, command.why);
  NameBlocked(lifted, note);
  return note;
}

}  // namespace kantoku::inputs
