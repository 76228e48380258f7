#include "services/platform/rpc/token_source.h"

#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "services/platform/mutex.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMaxTokenSize = 8'192;
constexpr absl::Duration kLookInterval = absl::Seconds(1);

class FixedToken final : public TokenSource {
 public:
  explicit FixedToken(std::string token) : token_(std::move(token)) {}
  std::string Token() override { return token_; }
  bool Renew(std::string_view) override { return false; }

 private:
  const std::string token_;
};

// Which content a file had: another one when it is written anew, or replaced.
struct Version {
  ino_t inode = 0;
  int64_t seconds = 0;
  int64_t nanoseconds = 0;
  off_t size = -1;
  bool operator==(const Version&) const = default;
};

absl::StatusOr<std::string> ReadTokenText(const std::string& path) {
  std::string text(kMaxTokenSize + 2, '\0');
  std::ifstream file(path);
  if (!file) {
    return Error(absl::StatusCode::kNotFound, "NO_TOKEN_FILE",
                 absl::StrCat(path, ": ", std::strerror(errno)));
  }
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  absl::StripAsciiWhitespace(&text);
  return text;
}

class TokenFile final : public TokenSource {
 public:
  TokenFile(std::string path, Clock& clock, TokenReader read)
      : path_(std::move(path)), clock_(clock), read_(std::move(read)) {}

  absl::Status Load() {
    MutexLock lock(mutex_);
    return Look();
  }

  std::string Token() override {
    MutexLock lock(mutex_);
    if (clock_.Read().steady >= next_look_) Look().IgnoreError();
    return token_;
  }

  bool Renew(std::string_view token) override {
    MutexLock lock(mutex_);
    Look().IgnoreError();
    return token_ != token;
  }

 private:
  absl::Status Look() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    next_look_ = clock_.Read().steady + kLookInterval;
    struct stat info;
    if (::stat(path_.c_str(), &info) != 0) {
      return Error(absl::StatusCode::kNotFound, "NO_TOKEN_FILE",
                   absl::StrCat(path_, ": ", std::strerror(errno)));
    }
    const Version version = {info.st_ino, info.st_mtim.tv_sec, info.st_mtim.tv_nsec, info.st_size};
    if (version == version_) return absl::OkStatus();
    KANTOKU_ASSIGN_OR_RETURN(std::string text, read_(path_));
    KANTOKU_RETURN_IF_ERROR(Annotate(CheckToken(text), path_));
    version_ = version;
    token_ = std::move(text);
    return absl::OkStatus();
  }

  const std::string path_;
  Clock& clock_;
  const TokenReader read_;

  Mutex mutex_;
  std::string token_ ABSL_GUARDED_BY(mutex_);
  Version version_ ABSL_GUARDED_BY(mutex_);
  absl::Duration next_look_ ABSL_GUARDED_BY(mutex_) = -absl::InfiniteDuration();
};

bool IsTokenCharacter(unsigned char c) {
  return c < 0x80 && (std::isalnum(c) != 0 || std::strchr("-._~+/=", c) != nullptr);
}

}  // namespace

absl::Status CheckToken(std::string_view token) {
  const bool good = !token.empty() && token.size() <= kMaxTokenSize &&
                    std::all_of(token.begin(), token.end(),
                                [](char c) { return c != '\0' && IsTokenCharacter(c); });
  if (good) return absl::OkStatus();
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_TOKEN",
               "there is no access token in it: 1 to 8192 letters, digits and -._~+/=");
}

absl::StatusOr<std::shared_ptr<TokenSource>> MakeFixedToken(std::string token) {
  KANTOKU_RETURN_IF_ERROR(CheckToken(token));
  return std::make_shared<FixedToken>(std::move(token));
}

absl::StatusOr<std::shared_ptr<TokenSource>> MakeTokenFile(std::string path, Clock& clock,
                                                           TokenReader read) {
  if (!read) read = ReadTokenText;
  auto file = std::make_shared<TokenFile>(std::move(path), clock, std::move(read));
  KANTOKU_RETURN_IF_ERROR(file->Load());
  return file;
}

absl::StatusOr<std::shared_ptr<TokenSource>> MakeTokenSource(const std::string& token,
                                                             const std::string& file,
                                                             Clock& clock) {
  if (!token.empty() && !file.empty()) {
    return Error(absl::StatusCode::kInvalidArgument, "TWO_TOKENS",
                 "there are an access token and a file of one; only one is taken");
  }
  if (!token.empty()) return MakeFixedToken(token);
  if (!file.empty()) return MakeTokenFile(file, clock);
  return std::shared_ptr<TokenSource>();
}

}  // namespace kantoku::platform
