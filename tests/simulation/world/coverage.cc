#include "tests/simulation/world/coverage.h"

#include <string_view>

#include "absl/strings/str_format.h"
#include "services/inputs/engine/task_filter.h"

namespace kantoku::simulation {
namespace {

constexpr std::array<std::string_view, kCommands> kCommandNames = {
    "cancel",   "interrupt", "pause",    "resume",     "step",      "says paused", "says goes on",
    "in hello", "omitted",   "started",  "ack",        "false ack", "failed",      "final",
    "returned", "cancelled", "progress", "checkpoint", "closed",    "fence: end",  "crash"};

constexpr std::array<std::string_view, kDeeds> kDeedNames = {"spawn",
                                                             "spawn, repeated",
                                                             "spawn, request id used for another",
                                                             "spawn, answer lost",
                                                             "spawned by a handler",
                                                             "task token refused: stale",
                                                             "hello",
                                                             "credit",
                                                             "connection lost",
                                                             "executor cut off for a while",
                                                             "session taken over",
                                                             "hello with another's session",
                                                             "timer",
                                                             "wall clock set",
                                                             "commit fails",
                                                             "commit of unknown outcome",
                                                             "disk full",
                                                             "read fails",
                                                             "crash before commit",
                                                             "crash after commit",
                                                             "crash after release",
                                                             "drain and restart",
                                                             "put",
                                                             "put lost",
                                                             "put, answer lost",
                                                             "put, arrives again late",
                                                             "Outputs crashes",
                                                             "Outputs crashes in a call",
                                                             "call of Outputs given up",
                                                             "commit of Outputs fails",
                                                             "the same, of unknown outcome",
                                                             "disk of Outputs full",
                                                             "read of Outputs fails",
                                                             "fence lost",
                                                             "fence, answer lost",
                                                             "fence, answer again late",
                                                             "fence of an earlier owner",
                                                             "append lost",
                                                             "append, answer lost",
                                                             "append of an earlier owner",
                                                             "executor killed",
                                                             "executor frozen",
                                                             "lie",
                                                             "child spawned",
                                                             "child refused: tree stops",
                                                             "tree cancelled",
                                                             "tree interrupted",
                                                             "tree paused",
                                                             "tree resumed",
                                                             "tree stepped",
                                                             "type or namespace paused",
                                                             "type or namespace resumed",
                                                             "waits looked at",
                                                             "items put",
                                                             "items lost",
                                                             "items, answer lost",
                                                             "items, arrive again late",
                                                             "items read",
                                                             "route set",
                                                             "route removed",
                                                             "restart asked for",
                                                             "restart, dry run",
                                                             "restart of what matches",
                                                             "restarted",
                                                             "restarted before",
                                                             "restart refused: tree stops",
                                                             "arguments got",
                                                             "arguments, answer lost",
                                                             "argument gone",
                                                             "info patched",
                                                             "info patched too late",
                                                             "result reused",
                                                             "executor asked to drain",
                                                             "executor asked to bounce",
                                                             "executor kicked",
                                                             "executor left",
                                                             "user blocked",
                                                             "block lifted",
                                                             "turns of fairness compared",
                                                             "limit set",
                                                             "limit removed",
                                                             "limit not removed: in use",
                                                             "spawn refused: over a quota",
                                                             "task expired",
                                                             "task without time left"};

}  // namespace

void Coverage::Add(const Coverage& other) {
  for (size_t i = 0; i < kCommands; ++i) {
    for (size_t j = 0; j < kStates; ++j) table_[i][j] += other.table_[i][j];
  }
  for (size_t i = 0; i < kDeeds; ++i) deeds_[i] += other.deeds_[i];
}

std::string Coverage::ToText() const {
  std::string text = absl::StrFormat("%-12s", "");
  for (size_t state = 0; state < kStates; ++state) {
    const std::string_view word = inputs::WordOf(static_cast<inputs::TaskState>(state));
    absl::StrAppendFormat(&text, "%13s", state == 0 ? "unknown" : word);
  }
  for (size_t i = 0; i < kCommands; ++i) {
    absl::StrAppendFormat(&text, "\n%-12s", kCommandNames[i]);
    for (const uint64_t count : table_[i]) absl::StrAppendFormat(&text, "%13d", count);
  }
  text += "\n";
  for (size_t i = 0; i < kDeeds; ++i) {
    absl::StrAppendFormat(&text, "%s%11d  %-36s", i % 3 == 0 ? "\n" : "", deeds_[i], kDeedNames[i]);
  }
  text += "\n";
  return text;
}

}  // namespace kantoku::simulation
