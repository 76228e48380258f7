#ifndef KANTOKU_TESTS_SUPPORT_TEMP_DIR_H_
#define KANTOKU_TESTS_SUPPORT_TEMP_DIR_H_

#include <string>

namespace kantoku::test {

// A directory of a test's own, removed with all that is in it.
//
// Thread-compatible.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string File(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_TEMP_DIR_H_
