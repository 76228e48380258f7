#ifndef KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_FILE_H_
#define KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_FILE_H_

#include <fstream>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace kantoku::conformance {

// A report that is at its path when it is whole; until then, what was there before is. With an
// empty path there is none, and all succeeds.
//
// Thread-compatible. Errors: INVALID_ARGUMENT, UNWRITABLE_FILE, with the option that names the
// path.
class ReportFile {
 public:
  ReportFile(std::string_view option, std::string path);
  ~ReportFile();
  ReportFile(const ReportFile&) = delete;
  ReportFile& operator=(const ReportFile&) = delete;

  // Before the exam, so that what cannot be written is known then.
  absl::Status Open();
  // All of it, once.
  absl::Status Write(const std::string& text);

 private:
  absl::Status Unwritable() const;

  const std::string option_;
  const std::string path_;
  const std::string unfinished_;
  std::ofstream file_;
};

}  // namespace kantoku::conformance

#endif  // KANTOKU_TESTS_CONFORMANCE_COMMAND_REPORT_FILE_H_
