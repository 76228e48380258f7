#ifndef KANTOKU_SERVICES_ISSUER_STORE_H_
#define KANTOKU_SERVICES_ISSUER_STORE_H_

#include "services/platform/store/record_store.h"

namespace kantoku::issuer {

// What the issuer keeps. Each grant under its id, as grant.h encodes it.
inline constexpr platform::RecordKind kGrantKind = 1;

// To be opened by a RecordStoreFactory.
inline platform::StoreSchema IssuerSchema() {
  return {.component = "issuer", .format = 1, .kinds = {{kGrantKind, "grant"}}};
}

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_STORE_H_
