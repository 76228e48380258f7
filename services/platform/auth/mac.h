#ifndef KANTOKU_SERVICES_PLATFORM_AUTH_MAC_H_
#define KANTOKU_SERVICES_PLATFORM_AUTH_MAC_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace kantoku::platform {

// The keys that all services of one installation share, and the codes made with them: HMAC-SHA256
// cut to 16 bytes, after one byte that names the key. The first key signs, all verify, so that keys
// can be rotated (key_rotation.h).
//
// Thread-safe; signing and verifying take no lock. The purpose is mixed into the code: what was
// signed for one purpose does not verify for another.
class MacKeys {
 public:
  enum class Purpose : uint8_t {
    kLease = 1,
    kReceipt = 2,
    kService = 3,
    kPageToken = 4,
    kReadGrant = 5,
    kForwarded = 6
  };
  static constexpr size_t kCodeSize = 17;
  struct Code : std::array<char, kCodeSize> {
    // What everybody reads it as.
    operator std::string_view() const {  // NOLINT(google-explicit-constructor)
      return {data(), size()};
    }
  };

  struct Key {
    uint8_t id;
    std::string secret;  // 32 bytes or more.
  };

  // INVALID_ARGUMENT when there is none, ids repeat or a secret is short.
  static absl::StatusOr<std::unique_ptr<MacKeys>> Make(std::vector<Key> keys);
  // Reads `id:hex` lines. FAILED_PRECONDITION when others can read the file; INVALID_ARGUMENT names
  // the line.
  static absl::StatusOr<std::unique_ptr<MacKeys>> Load(const std::string& path);
  // As Load; makes the file with one random key and mode 0600 when there is none.
  static absl::StatusOr<std::unique_ptr<MacKeys>> LoadOrCreate(const std::string& path);

  virtual ~MacKeys() = default;

  virtual Code Sign(Purpose purpose, std::string_view message) const = 0;
  // Whether `code` is what some key of ours makes of `message`. Takes the same time for every code.
  virtual bool Verify(Purpose purpose, std::string_view message, std::string_view code) const = 0;

  // Whether `code` is what Attenuate makes for `label` of the code that some key of ours makes of
  // `message`. Takes the same time for every code.
  virtual bool VerifyAttenuated(Purpose purpose, std::string_view message, std::string_view label,
                                std::string_view code) const = 0;

  // Whatever begins after it has returned OK signs and verifies with these keys instead.
  // INVALID_ARGUMENT as Make; then nothing has changed.
  virtual absl::Status Replace(std::vector<Key> keys) = 0;
};

// Of the code of a message another one, for whatever less `label` stands for: whoever has the code
// makes it without any key, and from it nobody gets back to the code. HMAC-SHA256 of the label
// under the code, cut to 16 bytes, after the byte that names the key: the caveats of macaroons
// (Birgisson et al., NDSS 2014). `code` has kCodeSize bytes.
MacKeys::Code Attenuate(std::string_view code, std::string_view label);

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_AUTH_MAC_H_
