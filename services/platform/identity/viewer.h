#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_VIEWER_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_VIEWER_H_

#include <memory>
#include <string_view>
#include <utility>

#include "services/platform/identity/identity.h"

namespace kantoku::platform {

// Whose tasks somebody sees; to them all others do not exist.
//
// Thread-compatible. A value, cheap to copy.
class Viewer {
 public:
  // Sees nobody's.
  Viewer() = default;
  explicit Viewer(std::shared_ptr<const Identity> identity) : identity_(std::move(identity)) {}
  explicit Viewer(Identity identity)
      : identity_(std::make_shared<const Identity>(std::move(identity))) {}

  // Who it is; nobody where it sees nobody's.
  const Caller& who() const {
    static const Caller kNobody;
    return identity_ == nullptr ? kNobody : *identity_;
  }

  bool Sees(std::string_view name_space, std::string_view owner) const {
    return identity_ != nullptr && identity_->Sees(name_space, owner);
  }

 private:
  std::shared_ptr<const Identity> identity_;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_VIEWER_H_
