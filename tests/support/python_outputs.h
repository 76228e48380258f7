#ifndef KANTOKU_TESTS_SUPPORT_PYTHON_OUTPUTS_H_
#define KANTOKU_TESTS_SUPPORT_PYTHON_OUTPUTS_H_

#include <memory>
#include <string>

#include "tests/support/process.h"

namespace kantoku::test {

// What starts the example of an Outputs in Python (examples/outputs-python), over the results in
// `file` and with the keys of `mac_keys`. It prints "serving at" and its address once it serves.
// With the name of a fault (faults.py) it has that.
ChildOptions PythonOutputsAt(const std::string& address, const std::string& file,
                             const std::string& mac_keys, const std::string& fault = "");

// Such a program, at a free port of this computer, that ends with this.
//
// Thread-compatible.
class PythonOutputs {
 public:
  // Says, and fails, when Python's gRPC is not installed.
  PythonOutputs(const std::string& file, const std::string& mac_keys,
                const std::string& fault = "");

  // "127.0.0.1:4711".
  const std::string& address() const { return address_; }

 private:
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PYTHON_OUTPUTS_H_
