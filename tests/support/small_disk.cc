#include "tests/support/small_disk.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "services/platform/check.h"

namespace kantoku::test {

absl::StatusOr<std::unique_ptr<SmallDisk>> SmallDisk::Make(int megabytes) {
  std::unique_ptr<SmallDisk> disk(new SmallDisk());
  std::filesystem::create_directory(disk->path());
  const std::string script =
      absl::StrCat("mount -t tmpfs -o mode=0700,size=", megabytes, "m tmpfs ", disk->path(),
                   " && echo mounted && exec tail -f /dev/null");
  std::vector<std::string> argv = {"unshare", "--mount"};
  if (::geteuid() != 0) argv.insert(argv.end(), {"--user", "--map-root-user"});
  argv.insert(argv.end(), {"sh", "-c", script});
  auto holder = ChildProcess::Start({.argv = argv});
  if (!holder.ok()) return holder.status();
  disk->holder_ = *std::move(holder);
  const auto mounted = disk->holder_->AwaitLine("mounted");
  if (!mounted.ok()) return mounted.status();
  return disk;
}

std::vector<std::string> SmallDisk::launcher() const {
  std::vector<std::string> argv = {"nsenter", "--target", absl::StrCat(holder_->pid()), "--mount"};
  if (::geteuid() != 0) argv.insert(argv.end(), {"--user", "--preserve-credentials"});
  argv.emplace_back("--");
  return argv;
}

std::string SmallDisk::seen_path() const {
  return absl::StrCat("/proc/", holder_->pid(), "/root", path());
}

std::string SmallDisk::ballast() const { return seen_path() + "/ballast"; }

void SmallDisk::Fill() {
  const int file = ::open(ballast().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  KANTOKU_CHECK(file >= 0);
  // The last page by the byte.
  for (size_t size : {size_t{1} << 16, size_t{1}}) {
    const std::string bytes(size, 'x');
    while (::write(file, bytes.data(), bytes.size()) > 0) {
    }
    KANTOKU_CHECK(errno == ENOSPC);
  }
  ::close(file);
}

void SmallDisk::Free() { std::filesystem::remove(ballast()); }

}  // namespace kantoku::test
