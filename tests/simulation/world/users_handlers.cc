#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/proto_time.h"
#include "tests/simulation/world/names.h"
#include "tests/simulation/world/users.h"

// Handlers, which spawn with the task tokens of their dispatches; some of these are over.
namespace kantoku::simulation {

void Users::SpawnAsHandler() {
  const ModelTask* task = model_.AnyHeld(scene_.random);
  if (task == nullptr || scene_.random.Chance(20)) task = model_.AnyLiving(scene_.random);
  if (task == nullptr) return;
  ++calls_;
  // As it is now, or was once, or will be.
  uint32_t dispatch = task->dispatch;
  if (scene_.random.Chance(25)) dispatch = static_cast<uint32_t>(1 + scene_.random.Pick(4));
  platform::Received<inputs::v1::SpawnRequest> received;
  inputs::v1::SpawnRequest& request = received.message;
  request.set_namespace_(task->name_space);
  request.set_request_id(absl::StrCat("call ", calls_));
  const uint64_t count = 1 + scene_.random.Pick(2);
  for (uint64_t i = 0; i < count; ++i) {
    task::v1::TaskSpec& spec = *request.add_specs();
    spec.set_type(std::string(kTypes[scene_.random.Pick(kTypes.size())]));
    spec.set_payload(PayloadText(calls_ * 10 + i, 0));
    if (scene_.random.Chance(30)) {
      spec.set_reference(absl::StrCat("reference ", scene_.random.Pick(3)));
    }
    *spec.mutable_timeout() = platform::ToProto(absl::Seconds(20));
    *spec.mutable_result_retention() = platform::ToProto(absl::Minutes(2));
    if (scene_.random.Chance(50)) DependAsHandler(*task, i, spec);
  }
  Send(received, platform::HandlerOf({.task = task->id,
                                      .dispatch = dispatch,
                                      .holder = {HandlerName(dispatch), "app of executors"},
                                      .name_space = task->name_space,
                                      .owner = task->owner,
                                      .expires = absl::InfiniteFuture()}));
}

// On what its task depends on, and on what it may not name.
void Users::DependAsHandler(const ModelTask& parent, uint64_t place, task::v1::TaskSpec& spec) {
  const auto add = [&](const TaskId& id) {
    task::v1::Dependency& dependency = *spec.add_dependencies();
    dependency.set_task_id(std::string(id.bytes()));
    dependency.set_on_failure(task::v1::ON_FAILURE_RUN);
    dependency.set_argument(scene_.random.Chance(60));
  };
  if (place > 0 && scene_.random.Chance(50)) spec.add_dependencies()->set_index(0);
  const auto& own = parent.spec->dependencies;
  if (!own.empty() && scene_.random.Chance(60)) {
    return add(own[scene_.random.Pick(own.size())].task);
  }
  if (!model_.recent().empty()) {
    add(model_.recent()[scene_.random.Pick(model_.recent().size())]);
  }
}

}  // namespace kantoku::simulation
