#ifndef KANTOKU_SERVICES_ISSUER_MODULE_H_
#define KANTOKU_SERVICES_ISSUER_MODULE_H_

#include <memory>

#include "absl/status/statusor.h"
#include "services/issuer/issuer.h"
#include "services/platform/server/module.h"

namespace kantoku::issuer {

// The service of an issuer's grants, in SQLite beside the other data. Errors as the store's.
absl::StatusOr<std::unique_ptr<platform::Module>> MakeIssuerModule(
    std::shared_ptr<Issuer> issuer, platform::Environment& environment);

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_MODULE_H_
