#include "services/platform/auth/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <array>
#include <atomic>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "services/platform/auth/key_file.h"
#include "services/platform/check.h"
#include "services/platform/status.h"
#include "services/platform/whole_file.h"

namespace kantoku::platform {
namespace {

constexpr size_t kMinSecretSize = 32;
constexpr size_t kDigestSize = 32;

using Digest = std::array<unsigned char, kDigestSize>;

struct ContextDeleter {
  void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_MAC_CTX, ContextDeleter>;

const unsigned char* Bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

Context MakeContext(std::string_view secret) {
  // Looked up once and kept: fetching takes a lock in OpenSSL.
  static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  KANTOKU_CHECK(hmac != nullptr);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  Context context(EVP_MAC_CTX_new(hmac));
  KANTOKU_CHECK(context != nullptr);
  KANTOKU_CHECK(EVP_MAC_init(context.get(), Bytes(secret), secret.size(), parameters) == 1);
  return context;
}

// Contexts with the key already in them, which is most of the cost of a short message. Per thread,
// so that signing takes no lock.
class ContextCache {
 public:
  EVP_MAC_CTX* Get(uint64_t owner, const MacKeys::Key& key) {
    // Owners come and go in tests only; then what is cached is soon rebuilt.
    if (contexts_.size() > kMaxContexts) contexts_.clear();
    Context& context = contexts_[std::pair(owner, key.id)];
    if (context == nullptr) context = MakeContext(key.secret);
    return context.get();
  }

 private:
  static constexpr size_t kMaxContexts = 64;
  absl::flat_hash_map<std::pair<uint64_t, uint8_t>, Context> contexts_;
};

class HmacKeys final : public MacKeys {
 public:
  explicit HmacKeys(std::vector<Key> keys) : keys_(std::move(keys)) {}
  ~HmacKeys() override {
    for (Key& key : keys_) OPENSSL_cleanse(key.secret.data(), key.secret.size());
  }

  std::string Sign(Purpose purpose, std::string_view message) const override {
    const Key& key = keys_.front();
    const Digest digest = Compute(key, purpose, message);
    std::string code(1, static_cast<char>(key.id));
    code.append(reinterpret_cast<const char*>(digest.data()), kCodeSize - 1);
    return code;
  }

  bool Verify(Purpose purpose, std::string_view message, std::string_view code) const override {
    if (code.size() != kCodeSize) return false;
    const Key* const named = Find(static_cast<uint8_t>(code[0]));
    const Digest digest = Compute(named != nullptr ? *named : keys_.front(), purpose, message);
    const bool equal = CRYPTO_memcmp(digest.data(), code.data() + 1, kCodeSize - 1) == 0;
    return named != nullptr && equal;
  }

 private:
  const Key* Find(uint8_t id) const {
    for (const Key& key : keys_) {
      if (key.id == id) return &key;
    }
    return nullptr;
  }

  Digest Compute(const Key& key, Purpose purpose, std::string_view message) const {
    thread_local ContextCache cache;
    EVP_MAC_CTX* const context = cache.Get(number_, key);
    const auto prefix = static_cast<unsigned char>(purpose);
    Digest digest;
    size_t size = 0;
    KANTOKU_CHECK(EVP_MAC_init(context, nullptr, 0, nullptr) == 1 &&
                  EVP_MAC_update(context, &prefix, 1) == 1 &&
                  EVP_MAC_update(context, Bytes(message), message.size()) == 1 &&
                  EVP_MAC_final(context, digest.data(), &size, digest.size()) == 1 &&
                  size == kDigestSize);
    return digest;
  }

  static uint64_t NextNumber() {
    static std::atomic<uint64_t> next = 0;
    return next.fetch_add(1, std::memory_order_relaxed);
  }

  // Not the address: another instance may get it while a thread still caches for this one.
  const uint64_t number_ = NextNumber();
  std::vector<Key> keys_;
};

absl::Status InvalidKeys(std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEYS", why);
}

std::string RandomKeyLine() {
  std::array<unsigned char, kMinSecretSize> secret;
  KANTOKU_CHECK(RAND_bytes(secret.data(), secret.size()) == 1);
  return absl::StrCat("1:",
                      absl::BytesToHexString(absl::string_view(
                          reinterpret_cast<const char*>(secret.data()), secret.size())),
                      "\n");
}

}  // namespace

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::Make(std::vector<Key> keys) {
  if (keys.empty()) return InvalidKeys("there is no MAC key");
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    if (key->secret.size() < kMinSecretSize) {
      return InvalidKeys(absl::StrCat("MAC key ", key->id, " has ", key->secret.size(),
                                      " bytes; at least ", kMinSecretSize, " are needed"));
    }
    for (auto earlier = keys.begin(); earlier != key; ++earlier) {
      if (earlier->id == key->id) {
        return InvalidKeys(absl::StrCat("MAC key id ", key->id, " is there twice"));
      }
    }
  }
  return std::make_unique<HmacKeys>(std::move(keys));
}

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::Load(const std::string& path) {
  KANTOKU_ASSIGN_OR_RETURN(const std::string text, ReadWholeFile(path, kForOwnerAlone));
  auto keys = ParseKeyLines(text);
  if (!keys.ok()) return Annotate(keys.status(), path);
  auto made = Make(*std::move(keys));
  if (!made.ok()) return Annotate(made.status(), path);
  return made;
}

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::LoadOrCreate(const std::string& path) {
  auto keys = Load(path);
  if (!absl::IsNotFound(keys.status())) return keys;
  const absl::Status created = CreateWholeFile(path, RandomKeyLine());
  if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
  return Load(path);
}

}  // namespace kantoku::platform
