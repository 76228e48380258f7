#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_RIGHT_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_RIGHT_H_

#include <google/protobuf/descriptor.h>

#include <optional>
#include <vector>

#include "services/platform/identity/scopes.h"

namespace kantoku::platform {

// Who may call a method.
struct Right {
  bool anybody = false;     // Also without a token.
  bool services = false;    // Services of the installation.
  std::vector<Verb> verbs;  // Users whose token allows one of them.
};

// What the method says itself (kantoku/auth/v1/right.proto). Of the standard protocols, which say
// nothing: anybody may ask for health, whoever has a token of ours for reflection. Absent where
// nothing is said, or a scope that there is not.
std::optional<Right> RightOf(const google::protobuf::MethodDescriptor& method);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_RIGHT_H_
