#include "tests/support/python_outputs.h"

#include <iostream>
#include <utility>
#include <vector>

#include "services/platform/check.h"

namespace kantoku::test {

ChildOptions PythonOutputsAt(const std::string& address, const std::string& file,
                             const std::string& mac_keys, const std::string& fault) {
  // Debian's Python, which its gRPC is for, whatever other comes first in the path.
  std::vector<std::string> argv = {"/usr/bin/python3", KANTOKU_PYTHON_OUTPUTS "/outputs.py"};
  if (!fault.empty()) argv = {"/usr/bin/python3", KANTOKU_PYTHON_OUTPUTS "/faults.py", fault};
  argv.insert(argv.end(), {"--listen", address, "--keys", mac_keys, file});
  return {.argv = std::move(argv),
          .env = {{"PYTHONPATH", KANTOKU_PYTHON_STUBS}, {"PYTHONDONTWRITEBYTECODE", "1"}}};
}

PythonOutputs::PythonOutputs(const std::string& file, const std::string& mac_keys,
                             const std::string& fault) {
  auto process = ChildProcess::Start(PythonOutputsAt("127.0.0.1:0", file, mac_keys, fault));
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
