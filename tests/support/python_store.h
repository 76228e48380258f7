#ifndef KANTOKU_TESTS_SUPPORT_PYTHON_STORE_H_
#define KANTOKU_TESTS_SUPPORT_PYTHON_STORE_H_

#include <memory>
#include <string>

#include "tests/support/process.h"

namespace kantoku::test {

// The example of a store in Python (examples/store-python), in a process of its own.
//
// Thread-compatible.
class PythonStore {
 public:
  // Over the records in `file`, which is made if it is missing, at a free port of this computer, or
  // where it is told to listen. With the name of a fault (faults.py) it has that. Says, and fails,
  // when Python's gRPC is not installed.
  explicit PythonStore(std::string file, const std::string& listen = "127.0.0.1:0",
                       std::string fault = "");

  // What starts one by hand, which then says "serving at …" in a line of its own.
  static ChildOptions Command(const std::string& file, const std::string& listen,
                              const std::string& fault = "");

  // "127.0.0.1:4711", or "unix:/…/socket".
  const std::string& address() const { return address_; }
  // SIGSTOP, and it answers nothing until Thaw.
  void Freeze() { process_->Freeze(); }
  void Thaw() { process_->Thaw(); }
  // kill -9, frozen or not, and its end.
  void Kill() { process_->Kill(); }
  // After its end, at the same address and over the same records.
  void Restart() { Start(address_); }

 private:
  void Start(const std::string& listen);

  const std::string file_;
  const std::string fault_;  // Empty: none.
  std::unique_ptr<ChildProcess> process_;
  std::string address_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_PYTHON_STORE_H_
