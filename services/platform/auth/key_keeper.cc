#include "services/platform/auth/key_keeper.h"

#include <sys/stat.h>

#include <utility>

#include "services/platform/auth/key_rotation.h"
#include "services/platform/file_turn.h"
#include "services/platform/log/log.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

constexpr absl::Duration kPause = absl::Minutes(1);

void LogError(std::string_view what, const absl::Status& status) {
  if (status.ok()) return;
  Log(LogLevel::kError, what, {{"error", std::string(status.message())}});
}

absl::Time WrittenAt(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return absl::InfiniteFuture();
  return absl::TimeFromTimespec(info.st_mtim);
}

// Takes a step that is due, in the ring.
absl::StatusOr<uint8_t> Take(KeyStep step, KeyRing& ring, absl::Time now) {
  if (step == KeyStep::kAdd) return AddKey(ring, RandomMacSecret(), now);
  if (step == KeyStep::kUse) return UseKey(ring, false, now);
  return DropKey(ring, false, now);
}

std::string_view LineOf(KeyStep step) {
  if (step == KeyStep::kAdd) return "auth: a MAC key was added, which signs in a minute";
  if (step == KeyStep::kUse) return "auth: another MAC key signs";
  return "auth: a retired MAC key was dropped";
}

}  // namespace

MacKeyKeeper::MacKeyKeeper(const Options& options)
    : options_(options), file_({{.path = options.path, .forbidden = kForOwnerAlone}}) {}

absl::StatusOr<std::unique_ptr<MacKeyKeeper>> MacKeyKeeper::Open(const Options& options) {
  std::unique_ptr<MacKeyKeeper> keeper(new MacKeyKeeper(options));
  KANTOKU_ASSIGN_OR_RETURN(keeper->keys_, options.create ? MacKeys::LoadOrCreate(options.path)
                                                         : MacKeys::Load(options.path));
  KANTOKU_RETURN_IF_ERROR(keeper->Read().status());
  return keeper;
}

absl::StatusOr<bool> MacKeyKeeper::Read() {
  KANTOKU_ASSIGN_OR_RETURN(const auto contents, file_.Look());
  if (!contents.has_value()) return false;
  auto ring = ParseKeyLines(contents->front());
  if (!ring.ok()) return Annotate(ring.status(), options_.path);
  KANTOKU_RETURN_IF_ERROR(Annotate(keys_->Replace(KeysOf(*ring)), options_.path));
  ring_ = *std::move(ring);
  written_ = WrittenAt(options_.path);
  return true;
}

// In the file as it is now: others may have taken the step, and who is at it now has it first.
absl::Status MacKeyKeeper::TakeStep(absl::Time now) {
  KANTOKU_ASSIGN_OR_RETURN(FileTurn turn, FileTurn::Open(KeyLockOf(options_.path)));
  if (!turn.Try()) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(KeyRing ring, ReadKeyFile(options_.path));
  const KeyStep step =
      ring.empty() ? KeyStep::kNone : DueStep(ring, written_, options_.lifetime, now);
  if (step == KeyStep::kNone) return absl::OkStatus();
  KANTOKU_ASSIGN_OR_RETURN(const uint8_t key, Take(step, ring, now));
  KANTOKU_RETURN_IF_ERROR(ReplaceWholeFile(options_.path, FormatKeyLines(ring)));
  Log(LogLevel::kInfo, LineOf(step), {{"key", key}});
  return Read().status();
}

void MacKeyKeeper::Rotate(const Now& now) {
  if (now.steady < retry_) return;
  if (DueStep(ring_, written_, options_.lifetime, now.wall) == KeyStep::kNone) return;
  const absl::Status taken = TakeStep(now.wall);
  if (!taken.ok()) retry_ = now.steady + kPause;
  if (!std::exchange(failing_, !taken.ok())) LogError("auth: the MAC keys are not rotated", taken);
}

void MacKeyKeeper::Refresh(const Now& now) {
  const auto changed = Read();
  LogError("auth: the MAC keys stay as they were", changed.status());
  if (changed.ok() && *changed) {
    Log(LogLevel::kInfo, "auth: the MAC keys were read again",
        {{"signs", ring_.front().key.id}, {"verify", ring_.size()}});
  }
  if (options_.lifetime < absl::InfiniteDuration()) Rotate(now);
}

}  // namespace kantoku::platform
