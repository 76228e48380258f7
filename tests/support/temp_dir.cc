#include "tests/support/temp_dir.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

#include "services/platform/check.h"

namespace kantoku::test {

TempDir::TempDir() {
  path_ = (std::filesystem::temp_directory_path() / "kantoku-test-XXXXXX").string();
  KANTOKU_CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDir::~TempDir() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace kantoku::test
