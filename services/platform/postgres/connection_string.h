#ifndef KANTOKU_SERVICES_PLATFORM_POSTGRES_CONNECTION_STRING_H_
#define KANTOKU_SERVICES_PLATFORM_POSTGRES_CONNECTION_STRING_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// Settings of libpq and their values.
using ConnectionWords = std::vector<std::pair<std::string, std::string>>;

// What `connection` (keywords and values, or a URI, as libpq takes them) says, with those of
// `defaults` that it does not say, and all of `forced`, as keywords and values.
//
// INVALID_ARGUMENT when libpq cannot read it, or when it holds a password or whatever else libpq
// keeps secret (PASSWORD_EXPOSED): configurations are printed, and secrets are not. Nor does the
// message repeat a value.
absl::StatusOr<std::string> CompleteConnectionString(const std::string& connection,
                                                     const ConnectionWords& defaults,
                                                     const ConnectionWords& forced);

// Whether it would take the string.
absl::Status CheckConnectionString(const std::string& connection);

// INVALID_ARGUMENT when it is no name for a schema: lower-case letters, digits and _, at most 32,
// no digit first, not one of PostgreSQL's own.
absl::Status CheckPostgresSchemaName(std::string_view schema);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_POSTGRES_CONNECTION_STRING_H_
