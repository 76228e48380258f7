#ifndef KANTOKU_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
#define KANTOKU_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_

#include <stdlib.h>

#include <filesystem>
#include <string>

#include "services/platform/check.h"

namespace kantoku::platform {

// An empty directory that goes away with its content.
//
// Thread-compatible.
class TemporaryDirectory {
 public:
  TemporaryDirectory()
      : path_((std::filesystem::temp_directory_path() / "kantoku-XXXXXX").string()) {
    KANTOKU_CHECK(::mkdtemp(path_.data()) != nullptr);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  const std::string& path() const { return path_; }
  std::string path(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_TESTS_SUPPORT_TEMPORARY_DIRECTORY_H_
