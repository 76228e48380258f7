// Uses every public header, spawns and awaits through the fake, and makes an executor.
#include <cstdio>
#include <memory>

#include "kantoku/client.h"
#include "kantoku/connection.h"
#include "kantoku/event.h"
#include "kantoku/executor.h"
#include "kantoku/fake.h"
#include "kantoku/output.h"
#include "kantoku/plugin.h"
#include "kantoku/plugins/lineage.h"
#include "kantoku/plugins/logger.h"
#include "kantoku/status.h"
#include "kantoku/task.h"
#include "kantoku/task_id.h"
#include "kantoku/task_info.h"

int main() {
  kantoku::FakeKantoku fake;
  fake.Handle("echo", [](const kantoku::TaskSpec& spec) { return spec.payload; });
  kantoku::Client kan = fake.Connect();
  const auto task = kan.Spawn(kantoku::Task("echo", "Hello world").With(kantoku::Priority(5)));
  if (!task.ok()) return 1;
  const auto output = kan.Await(task->id);
  if (!output.ok()) return 1;

  // Beyond the fake: both libraries must link as a whole.
  const auto far = kantoku::Client::Connect("localhost:1");
  const auto executor = kantoku::executor::Executor::Make({.name = "consumer"});
  if (!far.ok() || !executor.ok()) return 1;
  const auto handler =
      [](kantoku::executor::Context& context) -> absl::StatusOr<kantoku::executor::Result> {
    const auto below = kantoku::Client::Connect(
        "localhost:1", {.plugins = {kantoku::Lineage(context.task_id(), context.root_id())}});
    if (!below.ok()) return below.status();
    return kantoku::executor::Result{.data = context.payload()};
  };
  if (!(*executor)->Handle("echo", handler).ok()) return 1;
  std::printf("the fake says: %s\n", output->data.c_str());
}
