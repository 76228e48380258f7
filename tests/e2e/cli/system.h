#ifndef KANTOKU_TESTS_E2E_CLI_SYSTEM_H_
#define KANTOKU_TESTS_E2E_CLI_SYSTEM_H_

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// What a line of shell did.
struct Said {
  int code = -1;  // 128 and the signal's number, if one ended it.
  std::string out;
  std::string err;
};

// `kantoku up` in a directory of its own, and a shell beside it in which `kantoku` is this build's
// and finds that server. HOME is empty at first, and has the server's data then.
//
// Confined to the test's thread.
class System {
 public:
  System();

  // Runs `kantoku executor` with these options, and waits until it is connected.
  void StartExecutor(const std::vector<std::string>& options);

  // Runs a line of bash, in the directory.
  Said Sh(const std::string& line) const;
  // The same, of a line that has to succeed and say nothing on standard error; returns what it
  // wrote, without the last end of line.
  std::string Ask(const std::string& line) const;
  // Starts a line of bash; `exec kantoku …` makes signals reach it.
  std::unique_ptr<ChildProcess> Start(const std::string& line) const;

  std::string File(const std::string& name) const { return directory_.File(name); }
  void Write(const std::string& name, const std::string& bytes) const;
  std::string Read(const std::string& name) const;

 private:
  ChildOptions Shell(const std::string& line) const;

  TempDir directory_;
  std::string address_;
  std::unique_ptr<ChildProcess> server_;
  std::unique_ptr<ChildProcess> executor_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_CLI_SYSTEM_H_
