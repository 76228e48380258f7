#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_KEY_KEEPER_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_KEY_KEEPER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "services/platform/auth/key_file.h"
#include "services/platform/auth/mac.h"
#include "services/platform/clock.h"
#include "services/platform/watched_files.h"

namespace kantoku::platform {

// The MAC keys of a file, which is read again when it changes, and in which they are rotated if
// that is asked for. What is no good is a line of the log, once, and the keys before stay.
//
// Several programs may rotate the same file: what one writes over was next only, and signed
// nothing.
//
// Thread-compatible: one thread refreshes, all may use the keys.
class MacKeyKeeper {
 public:
  struct Options {
    std::string path;
    bool create = false;  // Makes the file when there is none.
    // How long a key signs before the next one is made; infinite: the file is not written to.
    absl::Duration lifetime = absl::InfiniteDuration();
  };

  // Fails as MacKeys::Load.
  static absl::StatusOr<std::unique_ptr<MacKeyKeeper>> Open(const Options& options);

  // For as long as the keeper lives.
  const MacKeys& keys() const { return *keys_; }

  // Looks whether the file has changed, and takes the step of key_rotation.h that is due. To be
  // called every now and then; cheap. A step that failed is taken again after a minute.
  void Refresh(const Now& now);

 private:
  explicit MacKeyKeeper(const Options& options);

  // Whether the keys are others than before.
  absl::StatusOr<bool> Read();
  absl::Status TakeStep(absl::Time now);
  void Rotate(const Now& now);

  const Options options_;
  WatchedFiles file_;
  std::unique_ptr<MacKeys> keys_;
  KeyRing ring_;                                      // As it was read last.
  absl::Time written_;                                // The file, then.
  absl::Duration retry_ = -absl::InfiniteDuration();  // Steady time; no step before.
  bool failing_ = false;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_KEY_KEEPER_H_
