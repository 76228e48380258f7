#ifndef KANTOKU_SERVICES_PLATFORM_WHOLE_FILE_H_
#define KANTOKU_SERVICES_PLATFORM_WHOLE_FILE_H_

#include <sys/stat.h>

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// Small files that are read and written whole: keys, certificates, secrets.

// What nobody but the owner of a file may do with it, for `forbidden` below.
inline constexpr mode_t kForOwnerAlone = S_IRWXG | S_IRWXO;

// NOT_FOUND when there is none. FAILED_PRECONDITION, NO_PLAIN_FILE when it is none of at most 16
// MiB; FILE_EXPOSED when its mode has a bit of `forbidden`, or it is for its owner alone and that
// is not the user who runs this program. Never waits for a writer of a FIFO.
absl::StatusOr<std::string> ReadWholeFile(const std::string& path, mode_t forbidden = 0);

// Both write a durable file of mode 0600, so that whoever opens `path` at whatever moment sees all
// of it or what was there before; after an error what was there is there. Create: ALREADY_EXISTS
// when there is one, so that of two programs which start at once both use the file of the first.
absl::Status CreateWholeFile(const std::string& path, std::string_view content);
absl::Status ReplaceWholeFile(const std::string& path, std::string_view content);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_WHOLE_FILE_H_
