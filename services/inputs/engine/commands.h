#ifndef KANTOKU_SERVICES_INPUTS_ENGINE_COMMANDS_H_
#define KANTOKU_SERVICES_INPUTS_ENGINE_COMMANDS_H_

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/inputs/engine/quota_book.h"
#include "services/inputs/engine/types.h"

// What the engine is asked for, and what it answers: plain values. Views in them are good for the
// call.
namespace kantoku::inputs {

// The handler that spawns with its task token, for which other rules hold: it gives no specs but of
// children of its task, none with reuse.
struct SpawningHandler {
  TaskId task;
  uint32_t dispatch = 0;
  std::string_view executor_owner;
  // What its task depends on, and whether the result of that is an argument; null: nothing.
  const absl::flat_hash_map<TaskId, bool>* dependencies = nullptr;
};

// A batch of validated specs from one caller.
struct SpawnCommand {
  std::string_view name_space;
  std::string_view owner;
  Digest request;  // Of namespace, owner, handler and request id.
  Digest content;
  std::span<const TaskSpec> specs;
  uint64_t random = 0;  // For the ids.
  // How the tasks that EndedDependencies names have ended; those of others, and those that nobody
  // knows, are missing. For a handler so are those that its task neither depends on nor spawned
  // with a task token.
  const absl::flat_hash_map<TaskId, TaskState>* ended = nullptr;
  std::string_view app = {};
  std::string_view spawn_scope = {};  // As in Provenance.
  std::optional<SpawningHandler> handler = {};
  // Of specs that were given their ids elsewhere, one for each; they are spawned now all the same.
  // Who gives them sees to it that each comes once: the request is not remembered, and no result is
  // reused.
  std::span<const TaskId> ids = {};
};

struct SpawnOutcome {
  struct Item {
    TaskId id;  // The holder's, or of the task whose result is reused, unless created.
    bool created = false;
    bool reused = false;        // An equal task's result is the answer.
    std::string_view conflict;  // The field in which the reference's holder differs.
    std::string_view refusal;   // Why it was not taken, one of the words below; it has no id then.
    std::string about;          // In words, where there is more to say and it is no repeat.
    TaskId root;                // Of the tree that the created task joined; empty: none.
  };
  // Neither the parent nor its tree is living, or they are another owner's.
  static constexpr std::string_view kParentUnknown = "PARENT_UNKNOWN";
  static constexpr std::string_view kTreeStopping = "TREE_STOPPING";
  // The parent belongs to another tree than the one that was named. Beside these the words of
  // QuotaBook: there was no room for it.
  static constexpr std::string_view kRootMismatch = "ROOT_MISMATCH";
  // Nobody knows the task, or it is another owner's, or it is not for the handler that names it.
  static constexpr std::string_view kDependencyUnknown = "DEPENDENCY_UNKNOWN";
  // It was to depend on another item, which was not taken.
  static constexpr std::string_view kDependencyRefused = "DEPENDENCY_REFUSED";
  // Nothing is set for one of its keys, and it sets nothing.
  static constexpr std::string_view kNoSuchLimit = "NO_SUCH_LIMIT";
  // A take of one of its rate keys is larger than the bucket.
  static constexpr std::string_view kCostExceedsBurst = "COST_EXCEEDS_BURST";
  // A handler spawns with its task token into its task's context, or into none.
  static constexpr std::string_view kTokenContext = "TASK_TOKEN_CONTEXT";
  static constexpr std::array kRefusals = {kParentUnknown,
                                           kTreeStopping,
                                           kRootMismatch,
                                           kDependencyUnknown,
                                           kDependencyRefused,
                                           kNoSuchLimit,
                                           kCostExceedsBurst,
                                           kTokenContext,
                                           QuotaBook::kTypeTasks,
                                           QuotaBook::kTypeBytes,
                                           QuotaBook::kNamespaceTasks,
                                           QuotaBook::kNamespaceBytes};

  std::vector<Item> items;
  bool repeated = false;  // The request was known: nothing was created now.
};

struct ControlCommand {
  TaskId task;  // The root, with `tree`.
  ControlVerb verb = ControlVerb::kCancel;
  bool tree = false;  // It and everything below it, whatever is spawned there later included.
  std::optional<absl::Duration> escalation;  // Of an interrupt.
};

// What an executor has done with a handler that it was told to pause, to resume or to step.
struct HandlerStatusCommand {
  TaskId task;
  uint32_t dispatch = 0;
  uint32_t number = 0;  // Of what it was told last; 0: nothing but the dispatch itself.
  bool paused = false;
};

// A dispatch that an executor says it holds.
struct HeldDispatch {
  TaskId task;
  uint32_t dispatch = 0;
  bool started = false;
  bool paused = false;
  bool finished = false;   // It came with a genuine receipt.
  bool disproved = false;  // It came with a receipt that is none.
};

struct OpenSessionCommand {
  SessionId session;
  Caller caller;
  std::string_view name_space;
  std::string_view name;
  std::span<const std::string> types;
  Labels labels;  // Built-in ones included.
  std::string_view version;
  std::span<const HeldDispatch> held;
  uint32_t max_held = 0;
  uint64_t order = 0;  // Which of the session's connections, ascending; 0: not said.
  ConnectionId connection = 0;
  absl::Time token_issued = absl::InfinitePast();  // Of the caller's access token.
};

enum class HeldVerdict : uint8_t { kKept, kFinished, kNotHeld, kDisproved };

enum class NackKind : uint8_t { kFailed = 1, kFailedFinally, kReturned, kCancelled };

struct NackCommand {
  TaskId task;
  uint32_t dispatch = 0;
  NackKind kind = NackKind::kReturned;
  Failure failure;
};

// A change of a task's info; removes first.
struct InfoPatch {
  TaskId task;
  std::vector<Label> set;
  std::vector<std::string> remove;
  std::optional<uint64_t> expected;  // Only of this revision.
};

struct InfoAnswer {
  absl::Status status;
  uint64_t revision = 0;  // After the patch; with REVISION_DIFFERS the one that there is.
};

}  // namespace kantoku::inputs

#endif  // KANTOKU_SERVICES_INPUTS_ENGINE_COMMANDS_H_
