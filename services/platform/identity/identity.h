#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_IDENTITY_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_IDENTITY_H_

#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/identity/scopes.h"

namespace kantoku::platform {

// Stands for all namespaces where a list of namespaces is asked for.
inline constexpr char kEveryNamespace[] = "*";

// Labels whose names begin so carry trust: they come from tokens alone.
inline constexpr char kTrustedPrefix[] = "trusted/";

// The dispatch whose handler a task token speaks for.
struct ActingHandler {
  TaskId task;
  uint32_t dispatch = 0;
  std::string executor_owner;  // The subject of the executor that runs it.
};

// Who calls, proven, and what that is allowed.
//
// A value that is shared by all calls with the same token, and never changes.
struct Identity : Caller {
  std::string service;  // Set where a service of the installation calls; then nothing else is.
  Scopes scopes;
  std::vector<std::string> namespaces;        // Where these hold.
  std::map<std::string, std::string> labels;  // Of an executor; all begin with kTrustedPrefix.
  std::string token_id;                       // `jti`; empty: none.
  absl::Time issued = absl::InfinitePast();   // `iat`.
  absl::Time expires = absl::InfiniteFuture();
  // Set where a task token was shown: the subject is the owner of the task, the app that of the
  // executor, and nothing is allowed but to spawn children of that task.
  std::optional<ActingHandler> handler;

  bool MayUse(std::string_view name_space) const {
    return std::any_of(namespaces.begin(), namespaces.end(), [&](const std::string& name) {
      return name == name_space || name == kEveryNamespace;
    });
  }
  // Whether a task of this namespace and owner exists for the caller: its own in its namespaces,
  // and everybody's where it is an administrator; for a service, which asks for others, every one.
  bool Sees(std::string_view name_space, std::string_view owner) const {
    if (!service.empty()) return true;
    return MayUse(name_space) && (owner == subject || scopes.Allows(Verb::kAdmin));
  }
  bool IsAdminOf(std::string_view name_space) const {
    return scopes.Allows(Verb::kAdmin) && MayUse(name_space);
  }
};

// Whether both are the same caller, who may do the same: all but the ids and times of their tokens
// is alike.
bool IsSameCaller(const Identity& one, const Identity& other);

// One who may do everything everywhere.
Identity Administrator(std::string subject, std::string client_id);

// One who sees the tasks of this subject in these namespaces, or as an administrator everybody's
// there, and may do nothing with them. Without a subject it sees nothing.
enum class Sight : uint8_t { kOwn, kAll };
Identity Onlooker(std::string subject, std::vector<std::string> namespaces,
                  Sight sight = Sight::kOwn);

// One who bears the task token of this lease.
Identity HandlerOf(Lease lease);

// PERMISSION_DENIED: NAMESPACE_FORBIDDEN; SCOPE_MISSING names the verb and the type.
absl::Status CheckMayUse(const Identity& caller, std::string_view name_space);
absl::Status CheckAllows(const Identity& caller, Verb verb, std::string_view type);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_IDENTITY_H_
