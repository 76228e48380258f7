#include "services/platform/identity/right.h"

#include <string>

#include "kantoku/auth/v1/right.pb.h"

namespace kantoku::platform {
namespace {

Right OfWhoeverHasAToken() {
  Right right;
  for (size_t i = 0; i < kVerbs; ++i) right.verbs.push_back(static_cast<Verb>(i));
  return right;
}

}  // namespace

std::optional<Right> RightOf(const google::protobuf::MethodDescriptor& method) {
  const std::string& service = method.service()->full_name();
  if (service == "grpc.health.v1.Health")
    return Right{.anybody = true, .services = false, .verbs = {}};
  if (service == "grpc.reflection.v1alpha.ServerReflection") return OfWhoeverHasAToken();
  if (!method.options().HasExtension(auth::v1::right)) return std::nullopt;
  const auth::v1::Right& said = method.options().GetExtension(auth::v1::right);
  Right right{.anybody = said.anybody(), .services = said.services(), .verbs = {}};
  for (const std::string& scope : said.scopes()) {
    const auto verb = VerbOf(scope);
    if (!verb.has_value()) return std::nullopt;
    right.verbs.push_back(*verb);
  }
  if (right.verbs.empty() && !right.services && !right.anybody) return std::nullopt;
  return right;
}

}  // namespace kantoku::platform
