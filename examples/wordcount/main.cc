// An executor in C++: counts lines, words and bytes for tasks of the type text.wordcount.
//
//   wordcount-executor --server localhost:6330
//   kantoku spawn text.wordcount --file README.md
#include <CLI/CLI.hpp>

#include "examples/wordcount/count.h"
#include "kantoku/executor.h"

namespace {

using kantoku::executor::Context;
using kantoku::executor::Executor;
using kantoku::executor::ExecutorOptions;
using kantoku::executor::Result;

absl::StatusOr<Result> CountWords(Context& task) {
  return Result{.data = kantoku::examples::Count(task.payload()).ToString(),
                .content_type = "text/plain"};
}

}  // namespace

int main(int argc, char** argv) {
  ExecutorOptions options;
  CLI::App app("Counts lines, words and bytes for tasks of the type text.wordcount.");
  app.add_option("--server", options.inputs_address, "Host and port of Inputs and Outputs");
  app.add_option("--outputs", options.outputs_address, "Host and port of Outputs when elsewhere");
  app.add_option("--name", options.name, "Name to be listed under");
  app.add_option("--concurrency", options.concurrency, "Tasks that run at once");
  app.add_option("--journal", options.journal_path, "Append a line here at each start and end");
  CLI11_PARSE(app, argc, argv);
  return kantoku::executor::RunUntilSignal("wordcount-executor", options, [](Executor& executor) {
    return executor.Handle("text.wordcount", CountWords);
  });
}
