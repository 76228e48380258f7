#include "services/platform/identity/identity.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "services/platform/status.h"

namespace kantoku::platform {

bool IsSameCaller(const Identity& one, const Identity& other) {
  // Issuers name them in any order.
  const std::set<std::string> here(one.namespaces.begin(), one.namespaces.end());
  const std::set<std::string> there(other.namespaces.begin(), other.namespaces.end());
  return one.subject == other.subject && one.client_id == other.client_id &&
         one.service == other.service && one.scopes == other.scopes && here == there &&
         one.labels == other.labels;
}

Identity Administrator(std::string subject, std::string client_id) {
  Identity identity;
  identity.subject = std::move(subject);
  identity.client_id = std::move(client_id);
  identity.scopes = Scopes::Parse(NameOf(Verb::kAdmin));
  identity.namespaces = {kEveryNamespace};
  return identity;
}

Identity Onlooker(std::string subject, std::vector<std::string> namespaces, Sight sight) {
  Identity identity;
  if (subject.empty()) return identity;
  identity.subject = std::move(subject);
  identity.namespaces = std::move(namespaces);
  if (sight == Sight::kAll) identity.scopes = Scopes::Parse(NameOf(Verb::kAdmin));
  return identity;
}

Identity HandlerOf(Lease lease) {
  Identity identity;
  identity.subject = std::move(lease.owner);
  identity.client_id = std::move(lease.holder.client_id);
  identity.scopes =
      Scopes::Parse(lease.spawn_scope.empty() ? NameOf(Verb::kSpawn) : lease.spawn_scope);
  identity.namespaces = {std::move(lease.name_space)};
  identity.expires = lease.expires;
  identity.issued = absl::InfiniteFuture();  // As new as what lets it be shown: the dispatch.
  identity.handler = {lease.task, lease.dispatch, std::move(lease.holder.subject)};
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
