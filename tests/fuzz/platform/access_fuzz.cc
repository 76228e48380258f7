// Any file is an access file or refused, any text is a join string or refused, and what is refused
// is told without a word that is not ours. The first letter says which.
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "services/platform/access/access_file.h"
#include "services/platform/access/join_string.h"
#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

// A file that costs no disk.
class File {
 public:
  File() : fd_(::memfd_create("access", MFD_CLOEXEC)) {
    KANTOKU_CHECK(fd_ >= 0 && ::fchmod(fd_, 0600) == 0);
  }
  std::string path() const { return absl::StrCat("/proc/self/fd/", fd_); }
  void Put(const std::string& text) const {
    KANTOKU_CHECK(::ftruncate(fd_, 0) == 0);
    KANTOKU_CHECK(::pwrite(fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()));
  }

 private:
  const int fd_;
};

void CheckAccess(const std::string& text) {
  static const File& file = *new File;
  file.Put(text);
  const auto access = ReadAccessFile(file.path());
  if (!access.ok()) {
    const std::string said(access.status().message());
    KANTOKU_CHECK(said.size() < 100 && !absl::StrContains(said, '\n'));
    KANTOKU_CHECK(absl::StartsWith(said, file.path()));
    return;
  }
  KANTOKU_CHECK(!access->server.empty());
  const int ways = !access->token.empty() + !access->grant.empty() + !access->login_file.empty() +
                   !access->issuer.empty();
  KANTOKU_CHECK(ways <= 1);
}

void CheckJoin(const std::string& text) {
  const auto join = ParseJoinString(text);
  if (!join.ok()) {
    KANTOKU_CHECK(join.status() == ParseJoinString("").status());  // Whatever is wrong with it.
    return;
  }
  const std::string again = ToText(*join);
  const auto back = ParseJoinString(again);
  KANTOKU_CHECK(back.ok() && ToText(*back) == again);
  KANTOKU_CHECK(back->server == join->server && back->grant == join->grant);
  KANTOKU_CHECK(back->secret == join->secret && back->authority == join->authority);
}

void Check(const std::string& input) {
  if (input.empty()) return;
  if (input.front() == 'f') CheckAccess(input.substr(1));
  if (input.front() == 'j') CheckJoin(input.substr(1));
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
