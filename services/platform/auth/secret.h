#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_SECRET_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_SECRET_H_

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace kantoku::platform {

// Secrets that one side makes and keeps, and of which the other side knows the digest alone: 32
// random bytes, written as 43 characters of base64url. As nobody guesses so many, a plain digest is
// as good as one that is slow.

inline constexpr size_t kSecretSize = 43;

using SecretDigest = std::array<uint8_t, 32>;

// Of the operating system's randomness.
std::string MakeSecret();

// Whether it has the form of one.
bool IsSecretText(std::string_view text);

// SHA-256.
SecretDigest DigestOf(std::string_view secret);

// In a time that tells nothing about where they differ.
bool AreEqual(const SecretDigest& one, const SecretDigest& other);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_SECRET_H_
