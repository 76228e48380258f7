#ifndef KANTOKU_TESTS_SUPPORT_SMALL_DISK_H_
#define KANTOKU_TESTS_SUPPORT_SMALL_DISK_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace kantoku::test {

// A file system of a few megabytes, in a mount namespace of its own that lives as long as this.
//
// Thread-compatible.
class SmallDisk {
 public:
  // What the system said when it lets nobody mount here.
  static absl::StatusOr<std::unique_ptr<SmallDisk>> Make(int megabytes);

  // What to put before a command that shall see it, at `path`.
  std::vector<std::string> launcher() const;
  std::string path() const { return directory_.File("disk"); }
  // The same, as whoever does not use the launcher sees it.
  std::string seen_path() const;

  // Takes all the room that there is.
  void Fill();
  // Gives it back.
  void Free();

 private:
  SmallDisk() = default;
  // Where this process finds what is at `path` there.
  std::string ballast() const;

  TempDir directory_;
  std::unique_ptr<ChildProcess> holder_;
};

}  // namespace kantoku::test

#endif  // KANTOKU_TESTS_SUPPORT_SMALL_DISK_H_
