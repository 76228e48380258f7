#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_BEARER_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_BEARER_H_

#include <string_view>

namespace kantoku::platform {

// The access token in the value of an `authorization` entry (RFC 6750), a part of it; empty where
// it is of another scheme. Scheme names have no case. Thread-safe.
std::string_view BearerOf(std::string_view authorization);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_BEARER_H_
