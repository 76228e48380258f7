#ifndef KANTOKU_TESTS_E2E_ELSEWHERE_H_
#define KANTOKU_TESTS_E2E_ELSEWHERE_H_

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/up.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// What a command has said, and how it ended.
struct Said {
  int code = -1;
  std::string text;
};

// A computer of somebody else: a home of its own, in which nothing is.
class Elsewhere {
 public:
  // `kantoku …`, to its end.
  Said Run(std::vector<std::string> words) const;
  // `kantoku executor` with a join string that is no secret of the command line, and `more` words.
  std::unique_ptr<ChildProcess> StartExecutor(const std::string& join,
                                              const std::vector<std::string>& more = {},
                                              const std::string& run = "text.echo=cat") const;

 private:
  std::map<std::string, std::string> env() const;

  TempDir home_;
};

// `kantoku …` on the computer of the server, by its administrator, answered in JSON.
Said Administer(const Up& up, std::vector<std::string> words);

// What `kantoku token create` says with these options, of an app `laptop`.
nlohmann::json Created(const Up& up, std::vector<std::string> options);

// As above, of somebody who runs tasks `text.…`; `user` is empty for the administrator.
nlohmann::json ForExecutor(const Up& up, const std::string& user = "");

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_E2E_ELSEWHERE_H_
