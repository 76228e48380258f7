#ifndef KANTOKU_SERVICES_ISSUER_FORM_H_
#define KANTOKU_SERVICES_ISSUER_FORM_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace kantoku::issuer {

// The fields of a form (application/x-www-form-urlencoded). Nothing when it is malformed, or has a
// field twice, which OAuth forbids (RFC 6749, section 3.2).
std::optional<std::map<std::string, std::string>> ParseForm(std::string_view body);

// Name and password of the header `Authorization: Basic …`, as OAuth clients write them: each
// encoded as in a form (RFC 6749, section 2.3.1). Nothing when it is something else.
std::optional<std::pair<std::string, std::string>> ParseBasic(std::string_view authorization);

}  // namespace kantoku::issuer

#endif  // KANTOKU_SERVICES_ISSUER_FORM_H_
