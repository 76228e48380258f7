#include "tests/support/python_store.h"

#include <iostream>
#include <utility>
#include <vector>

#include "services/platform/check.h"

namespace kantoku::test {

PythonStore::PythonStore(std::string file, const std::string& listen, std::string fault)
    : file_(std::move(file)), fault_(std::move(fault)) {
  Start(listen);
}

void PythonStore::Start(const std::string& listen) {
  // Debian's Python, which its gRPC is for, whatever other comes first in the path.
  std::vector<std::string> argv = {"/usr/bin/python3", KANTOKU_PYTHON_STORE "/store.py"};
  if (!fault_.empty()) argv = {"/usr/bin/python3", KANTOKU_PYTHON_STORE "/faults.py", fault_};
  for (const std::string& argument : {std::string("--listen"), listen, file_}) {
    argv.push_back(argument);
  }
  auto process = ChildProcess::Start(
      {.argv = std::move(argv),
       .env = {{"PYTHONPATH", KANTOKU_PYTHON_STUBS}, {"PYTHONDONTWRITEBYTECODE", "1"}}});
  KANTOKU_CHECK(process.ok());
  process_ = *std::move(process);
  constexpr std::string_view kServing = "serving at ";
  const auto line = process_->AwaitLine(kServing);
  if (!line.ok()) {
    std::cerr << line.status().message() << "\nif grpc is missing, run: scripts/setup.sh test\n";
  }
  KANTOKU_CHECK(line.ok());
  address_ = line->substr(kServing.size());
}

}  // namespace kantoku::test
