#ifndef KANTOKU_SERVICES_PLATFORM_DIRECTORIES_H_
#define KANTOKU_SERVICES_PLATFORM_DIRECTORIES_H_

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// The directory that a path lies in; "." when the path names none.
std::string ParentOf(const std::string& path);

// Makes the directory, only for us, with those above it that are missing. True when it was made:
// then its name, and theirs, outlive a loss of power. False when there is something of that name.
absl::StatusOr<bool> MakeDirectory(const std::string& path);

// Where everything durable of a server lies unless it is told otherwise: `$XDG_DATA_HOME/kantoku`,
// else `~/.local/share/kantoku`.
std::string DefaultDataDir();

// What was done to the names in this directory outlives a loss of power.
absl::Status SyncDirectory(const std::string& path);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_DIRECTORIES_H_
