// An executor whose handlers take 1 to 50 ms, for tests that kill it and what it talks to.
#include <CLI/CLI.hpp>
#include <condition_variable>
#include <mutex>
#include <stop_token>

#include "absl/time/time.h"
#include "services/executor-runtime/executor.h"
#include "services/executor-runtime/program.h"
#include "tests/chaos/work.h"

namespace {

using kantoku::executor::Context;
using kantoku::executor::Executor;
using kantoku::executor::ExecutorOptions;
using kantoku::executor::Result;

absl::StatusOr<Result> Work(Context& task) {
  // The work is to be busy for so long, unless it is asked to stop.
  std::mutex mutex;
  std::unique_lock<std::mutex> lock(mutex);
  std::condition_variable_any stopped;
  const auto work = absl::ToChronoMicroseconds(kantoku::test::WorkOf(task.payload()));
  stopped.wait_for(lock, task.stop_token(), work, [] { return false; });
  if (task.stop_token().stop_requested()) return absl::CancelledError("was asked to stop");
  return Result{.data = kantoku::test::ResultOf(task.payload()), .content_type = "text/plain"};
}

}  // namespace

int main(int argc, char** argv) {
  ExecutorOptions options;
  CLI::App app("Runs the tasks of the chaos tests.");
  app.add_option("--inputs", options.inputs_address, "Host and port of Inputs")->required();
  app.add_option("--outputs", options.outputs_address, "Host and port of Outputs");
  app.add_option("--name", options.name, "Name to be listed under");
  app.add_option("--namespace", options.name_space, "Whose tasks it runs");
  app.add_option("--concurrency", options.concurrency, "Tasks that run at once");
  app.add_option("--max-held", options.max_held, "Tasks that are held at once");
  app.add_option("--journal", options.journal_path, "Gets a line at each start and end");
  CLI11_PARSE(app, argc, argv);
  return kantoku::executor::RunUntilSignal(
      "kantoku-chaos-executor", options,
      [](Executor& executor) { return executor.Handle(kantoku::test::kWorkType, Work); });
}
