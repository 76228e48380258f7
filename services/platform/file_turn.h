#ifndef KANTOKU_SERVICES_PLATFORM_FILE_TURN_H_
#define KANTOKU_SERVICES_PLATFORM_FILE_TURN_H_

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// Programs take turns at something by it: beside the file that they read, change and replace. Goes
// with its process, however that ends.
//
// Thread-compatible. Moves; what is held is given up at its end.
class FileTurn {
 public:
  // Makes the file, of mode 0600, when there is none. Holds nothing yet. As the system says.
  static absl::StatusOr<FileTurn> Open(const std::string& path);
  FileTurn(FileTurn&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  FileTurn& operator=(FileTurn&&) = delete;
  ~FileTurn();

  // Whether it is held from now on: nobody else has it.
  bool Try();
  // Waits until it is held.
  absl::Status Hold();

 private:
  explicit FileTurn(int fd) : fd_(fd) {}

  int fd_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_FILE_TURN_H_
