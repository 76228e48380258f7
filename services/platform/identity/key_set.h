#ifndef KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_SET_H_
#define KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_SET_H_

#include <bitset>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "services/platform/identity/jwt.h"

namespace kantoku::platform {

// The public keys of one issuer (RFC 7517).
//
// Thread-safe.
class KeySet {
 public:
  static constexpr size_t kMaxBytes = 65'536;
  static constexpr size_t kMaxKeys = 100;

  // Of the JSON text that an issuer publishes. Keys that are of no use are left out: of another
  // type or curve, private ones, those for encryption, RSA below 2,048 or above 8,192 bits or with
  // an exponent below 65,537, those whose id another one has.
  //
  // INVALID_ARGUMENT, INVALID_KEY_SET when it is no key set, too large, or no key is left.
  static absl::StatusOr<KeySet> Parse(std::string_view text);

  enum class Answer : uint8_t { kGood, kBad, kNoSuchKey };
  // Whether a key of this set has signed the token: the one that it names or, where it names none,
  // the only one for its algorithm.
  Answer Verify(const Jwt& token) const;

  // Whether it has the same keys, in whatever order and layout they were written.
  bool IsSameAs(const KeySet& other) const { return texts_ == other.texts_; }

  size_t size() const { return keys_.size(); }
  size_t left_out() const { return left_out_; }

 private:
  // A key that can say whether it has signed something.
  class Verifier {
   public:
    virtual ~Verifier() = default;
    virtual bool Verify(const Jwt& token) const = 0;
  };
  class CjoseVerifier;
  class Ed25519Verifier;
  struct Key {
    std::string id;  // Empty: none.
    std::bitset<kAlgorithms> algorithms;
    std::shared_ptr<const Verifier> verifier;
  };

  static Key Read(const nlohmann::json& jwk);
  const Key* Find(const Jwt& token) const;

  std::vector<Key> keys_;
  std::vector<std::string> texts_;  // Of all that were given, sorted.
  size_t left_out_ = 0;
};

}  // namespace kantoku::platform

#endif  // KANTOKU_SERVICES_PLATFORM_IDENTITY_KEY_SET_H_
