#include "tests/conformance/command/report_file.h"

#include <cstdio>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::conformance {

ReportFile::ReportFile(std::string_view option, std::string path)
    : option_(option), path_(std::move(path)), unfinished_(path_ + ".tmp") {}

ReportFile::~ReportFile() {
  if (file_.is_open()) std::remove(unfinished_.c_str());
}

absl::Status ReportFile::Open() {
  if (path_.empty()) return absl::OkStatus();
  file_.open(unfinished_);
  return file_ ? absl::OkStatus() : Unwritable();
}

absl::Status ReportFile::Write(const std::string& text) {
  if (path_.empty()) return absl::OkStatus();
  file_ << text << std::flush;
  if (!file_ || std::rename(unfinished_.c_str(), path_.c_str()) != 0) return Unwritable();
  file_.close();
  return absl::OkStatus();
}

absl::Status ReportFile::Unwritable() const {
  return platform::Error(absl::StatusCode::kInvalidArgument, "UNWRITABLE_FILE",
                         absl::StrCat(option_, ": cannot write ", path_));
}

}  // namespace kantoku::conformance
