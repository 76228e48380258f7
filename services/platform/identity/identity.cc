#include "services/platform/identity/identity.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

Identity Administrator(std::string subject, std::string client_id) {
  Identity identity;
  identity.subject = std::move(subject);
  identity.client_id = std::move(client_id);
  identity.scopes = Scopes::Parse(NameOf(Verb::kAdmin));
  identity.namespaces = {kEveryNamespace};
  return identity;
}

Identity Onlooker(std::string subject) {
  Identity identity;
  if (!subject.empty()) identity.namespaces = {kEveryNamespace};  // Nobody sees nothing.
  identity.subject = std::move(subject);
  return identity;
}

absl::Status CheckMayUse(const Identity& caller, std::string_view name_space) {
  if (caller.MayUse(name_space)) return absl::OkStatus();
  return Error(
      absl::StatusCode::kPermissionDenied, "NAMESPACE_FORBIDDEN",
      absl::StrCat("the access token is not for the namespace \"", ToAbsl(name_space), "\""));
}

absl::Status CheckAllows(const Identity& caller, Verb verb, std::string_view type) {
  if (caller.scopes.Allows(verb, type)) return absl::OkStatus();
  return Error(absl::StatusCode::kPermissionDenied, "SCOPE_MISSING",
               absl::StrCat("the access token does not allow ", ToAbsl(NameOf(verb)),
                            " of the type \"", ToAbsl(type), "\""));
}

}  // namespace kantoku::platform
