#include "absl/strings/str_cat.h"
#include "services/inputs/engine/engine.h"
#include "services/platform/planted.h"
#include "services/platform/status.h"

// What a handler may do with its task token: executors are not trusted, and the token is good for
// the children of one task alone. It is worth as much as the dispatch that it came with, and no way
// to the owner's other tasks and results.
namespace kantoku::inputs {

// Who holds a dispatch is one session of one caller, so that its number says enough.
absl::Status Engine::CheckHandler(const SpawnCommand& command) const {
  if (!command.handler.has_value()) return absl::OkStatus();
  const TaskIndex index = tasks_.Find(command.handler->task);
  const bool held = index != kNoTask && IsOwn(command, index) && tasks_.at(index).session != 0 &&
                    tasks_.at(index).dispatch == command.handler->dispatch;
  if (held || KANTOKU_PLANTED("stale task token accepted")) return absl::OkStatus();
  return platform::Error(
      absl::StatusCode::kPermissionDenied, "STALE_TASK_TOKEN",
      absl::StrCat("the task token is of dispatch ", command.handler->dispatch, " of task ",
                   command.handler->task.ToString(), ", which is over"));
}

// What it depends on itself it may pass on, as far as it had it; and what was spawned with a task
// token by it or an earlier handler of its task. What lives no more is among the command's `ended`
// only if it is one of these.
bool Engine::MayName(const SpawnCommand& command, const Dependency& dependency) const {
  if (!command.handler.has_value()) return true;
  if (command.handler->dependencies != nullptr) {
    const auto inherited = command.handler->dependencies->find(dependency.task);
    if (inherited != command.handler->dependencies->end()) {
      return inherited->second || !dependency.argument;
    }
  }
  const TaskIndex living = tasks_.Find(dependency.task);
  if (living == kNoTask) return true;
  const Task& task = tasks_.at(living);
  return task.has_kin && trees_.ParentOf(living) == command.handler->task &&
         !origins_.at(task.origin).executor_owner.empty();
}

// Elsewhere it would mix among what the owner looks for there.
bool Engine::MayJoinContext(const SpawnCommand& command, const TaskSpec& spec) const {
  if (!command.handler.has_value() || spec.info == nullptr || spec.info->context.empty()) {
    return true;
  }
  const TaskIndex parent = tasks_.Find(command.handler->task);
  if (parent == kNoTask || !tasks_.at(parent).has_info) return false;
  return infos_.at(tasks_.at(parent).key())->context == spec.info->context;
}

}  // namespace kantoku::inputs
