// An executor in C++ that writes rows of PostgreSQL for tasks of the type reading.write.
//
//   fenced-row-executor --server localhost:6330 --database 'host=/run/postgresql dbname=lab'
//   kantoku spawn reading.write 'sensor-7 21.5'
#include <CLI/CLI.hpp>
#include <iostream>

#include "examples/fenced-row/fenced_row.h"
#include "kantoku/executor.h"

int main(int argc, char** argv) {
  kantoku::executor::ExecutorOptions options;
  std::string database;
  CLI::App app("Writes rows of PostgreSQL for tasks of the type reading.write.");
  app.add_option("--server", options.inputs_address, "Host and port of Inputs and Outputs");
  app.add_option("--database", database, "Where PostgreSQL is, as libpq takes it")->required();
  app.add_option("--concurrency", options.concurrency, "Tasks that run at once");
  CLI11_PARSE(app, argc, argv);
  const kantoku::examples::FencedRows rows(database);
  if (const absl::Status ready = rows.Prepare(); !ready.ok()) {
    std::cerr << "fenced-row-executor: " << ready.message() << std::endl;
    return 1;
  }
  using kantoku::executor::Context;
  using kantoku::executor::Executor;
  return kantoku::executor::RunUntilSignal(
      "fenced-row-executor", options, [&rows](Executor& executor) {
        return executor.Handle("reading.write", [&rows](Context& task) {
          return kantoku::examples::WriteReading(task, rows);
        });
      });
}
