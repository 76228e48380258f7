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

ChildOptions PythonStore::Command(const std::string& file, const std::string& listen,
                                  const std::string& fault) {
  // Debian's Python, which its gRPC is for, whatever other comes first in the path.
  std::vector<std::string> argv = {"/usr/bin/python3", KANTOKU_PYTHON_STORE "/store.py"};
  if (!fault.empty()) argv = {"/usr/bin/python3", KANTOKU_PYTHON_STORE "/faults.py", fault};
  argv.insert(argv.end(), {"--listen", listen, file});
  return {.argv = std::move(argv),
          .env = {{"PYTHONPATH", KANTOKU_PYTHON_STUBS}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
}

void PythonStore::Start(const std::string& listen) {
  auto process = ChildProcess::Start(Command(file_, listen, fault_));
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
