#include <algorithm>

#include "tests/simulation/world/model.h"

// What leaves Inputs, held against what is durable.
namespace kantoku::simulation {

void Model::OnSent(const inputs::v1::PullResponse& frame) {
  for (const auto& dispatch : frame.tasks()) {
    const ModelTask* const task = Find(*TaskId::FromBytes(dispatch.task_id()));
    scene_.Expect(task != nullptr && dispatch.dispatch() <= task->dispatch,
                  "a dispatch leaves when it is durable");
    if (task == nullptr || dispatch.dispatch() != task->dispatch || task->holder == 0) continue;
    scene_.Expect(dispatch.confirm_start() == task->once, "a handler of ONCE is told to wait");
    scene_.Expect(dispatch.payload() == task->payload, "a handler gets the payload");
    scene_.Expect(dispatch.context_id() == task->context, "a handler is told the context");
    CheckGrants(*task, dispatch);
    CheckCheckpoint(*task, dispatch);
    scene_.Expect(dispatch.attempt() == task->failed_attempts + 1,
                  "a handler is told which attempt it is");
  }
  for (const auto& start : frame.starts_confirmed()) {
    const ModelTask* const task = Find(*TaskId::FromBytes(start.task_id()));
    scene_.Expect(task == nullptr || task->once_begun, "a start is confirmed when it is durable");
  }
  for (const auto& settled : frame.confirmed()) {
    const ModelTask* const task = Find(*TaskId::FromBytes(settled.task_id()));
    scene_.Expect(
        task == nullptr || task->end.has_value() || settled.dispatch() <= task->closed_dispatch,
        "an end or a hand-back is confirmed when it is durable");
  }
  for (const auto& confirmed : frame.checkpoints_confirmed()) CheckConfirmed(confirmed);
  for (const auto& control : frame.controls()) {
    const ModelTask* const task = Find(*TaskId::FromBytes(control.task_id()));
    if (task == nullptr || task->end.has_value()) continue;
    scene_.Expect(task->cancel_requested || control.action() != inputs::v1::HANDLER_ACTION_CANCEL,
                  "a handler is cancelled when that is durable");
    scene_.Expect(
        task->interrupt_requested || control.action() != inputs::v1::HANDLER_ACTION_INTERRUPT,
        "a handler is interrupted when that is durable");
  }
}

void Model::CheckGrants(const ModelTask& task, const inputs::v1::Dispatch& dispatch) const {
  std::vector<TaskId> arguments;
  for (const inputs::Dependency& dependency : task.spec->dependencies) {
    if (dependency.argument) arguments.push_back(dependency.task);
  }
  scene_.Expect(std::ranges::equal(dispatch.arguments(), arguments, {},
                                   [](const inputs::v1::Argument& argument) {
                                     return *TaskId::FromBytes(argument.task_id());
                                   }),
                "a dispatch names the results that are its arguments");
}

void Model::OnAsked(const outputs::v1::FenceItem& item) {
  const ModelTask* const task = Find(*TaskId::FromBytes(item.task_id()));
  if (task == nullptr || task->end.has_value()) return;
  scene_.Expect(item.dispatch() <= task->closed_dispatch,
                "a fence is asked for when the end of its dispatch is durable");
  scene_.Expect(!item.has_settlement() || task->intended_end.has_value(),
                "a settlement is asked for when it is durable");
}

}  // namespace kantoku::simulation
