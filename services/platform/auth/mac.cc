#include "services/platform/auth/mac.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "services/platform/auth/key_file.h"
#include "services/platform/check.h"
#include "services/platform/mutex.h"
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

// Keys that are good, and that are wiped when nobody uses them any more.
class KeySet {
 public:
  explicit KeySet(std::vector<MacKeys::Key> keys) : keys_(std::move(keys)) {}
  ~KeySet() {
    for (MacKeys::Key& key : keys_) OPENSSL_cleanse(key.secret.data(), key.secret.size());
  }
  KeySet(const KeySet&) = delete;
  KeySet& operator=(const KeySet&) = delete;

  const MacKeys::Key& first() const { return keys_.front(); }
  const MacKeys::Key* Find(uint8_t id) const {
    for (const MacKeys::Key& key : keys_) {
      if (key.id == id) return &key;
    }
    return nullptr;
  }

 private:
  std::vector<MacKeys::Key> keys_;
};

// What one thread has of some HmacKeys, so that signing takes no lock: its keys as they were when
// the thread looked last, and contexts with a key already in them, which is most of the cost of a
// short message.
struct ThreadKeys {
  uint64_t version = 0;  // Of `set`; 0: there is none.
  std::shared_ptr<const KeySet> set;
  absl::flat_hash_map<uint8_t, Context> contexts;

  EVP_MAC_CTX* ContextOf(const MacKeys::Key& key) {
    Context& context = contexts[key.id];
    if (context == nullptr) context = MakeContext(key.secret);
    return context.get();
  }
};

ThreadKeys& KeysOfThisThread(uint64_t owner) {
  // Owners come and go in tests only; then what is cached is soon rebuilt.
  constexpr size_t kMaxOwners = 64;
  thread_local absl::flat_hash_map<uint64_t, ThreadKeys> keys;
  if (keys.size() > kMaxOwners) keys.clear();
  return keys[owner];
}

Digest Compute(EVP_MAC_CTX* context, MacKeys::Purpose purpose, std::string_view message) {
  const auto prefix = static_cast<unsigned char>(purpose);
  Digest digest;
  size_t size = 0;
  KANTOKU_CHECK(
      EVP_MAC_init(context, nullptr, 0, nullptr) == 1 && EVP_MAC_update(context, &prefix, 1) == 1 &&
      EVP_MAC_update(context, Bytes(message), message.size()) == 1 &&
      EVP_MAC_final(context, digest.data(), &size, digest.size()) == 1 && size == kDigestSize);
  return digest;
}

MacKeys::Code CodeOf(uint8_t key, const Digest& digest) {
  MacKeys::Code code;
  code[0] = static_cast<char>(key);
  std::copy_n(digest.begin(), MacKeys::kCodeSize - 1, code.begin() + 1);
  return code;
}

// `code` has the same size.
bool AreEqual(const MacKeys::Code& ours, std::string_view code) {
  return CRYPTO_memcmp(ours.data(), code.data(), MacKeys::kCodeSize) == 0;
}

absl::Status InvalidKeys(std::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "INVALID_KEYS", why);
}

absl::Status CheckKeys(const std::vector<MacKeys::Key>& keys) {
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
  return absl::OkStatus();
}

class HmacKeys final : public MacKeys {
 public:
  explicit HmacKeys(std::vector<Key> keys)
      : set_(std::make_shared<const KeySet>(std::move(keys))) {}

  Code Sign(Purpose purpose, std::string_view message) const override {
    ThreadKeys& mine = Mine();
    const Key& key = mine.set->first();
    return CodeOf(key.id, Compute(mine.ContextOf(key), purpose, message));
  }

  bool Verify(Purpose purpose, std::string_view message, std::string_view code) const override {
    return code.size() == kCodeSize && AreEqual(CodeBy(code[0], purpose, message), code);
  }

  bool VerifyAttenuated(Purpose purpose, std::string_view message, std::string_view label,
                        std::string_view code) const override {
    return code.size() == kCodeSize &&
           AreEqual(Attenuate(CodeBy(code[0], purpose, message), label), code);
  }

  absl::Status Replace(std::vector<Key> keys) override {
    KANTOKU_RETURN_IF_ERROR(CheckKeys(keys));
    MutexLock lock(mutex_);
    set_ = std::make_shared<const KeySet>(std::move(keys));
    version_.fetch_add(1, std::memory_order_release);
    return absl::OkStatus();
  }

 private:
  // By the key of this number; where there is none, by another, and then it is nobody's code.
  Code CodeBy(char number, Purpose purpose, std::string_view message) const {
    ThreadKeys& mine = Mine();
    const Key* const named = mine.set->Find(static_cast<uint8_t>(number));
    const Key& key = named != nullptr ? *named : mine.set->first();
    return CodeOf(key.id, Compute(mine.ContextOf(key), purpose, message));
  }

  // The keys of now; the lock is taken after a Replace alone, once by each thread.
  ThreadKeys& Mine() const {
    ThreadKeys& mine = KeysOfThisThread(number_);
    if (mine.version == version_.load(std::memory_order_acquire)) return mine;
    MutexLock lock(mutex_);
    mine.contexts.clear();
    mine.set = set_;
    mine.version = version_.load(std::memory_order_relaxed);
    return mine;
  }

  static uint64_t NextNumber() {
    static std::atomic<uint64_t> next = 0;
    return next.fetch_add(1, std::memory_order_relaxed);
  }

  // Not the address: another instance may get it while a thread still caches for this one.
  const uint64_t number_ = NextNumber();
  mutable Mutex mutex_;
  std::shared_ptr<const KeySet> set_ ABSL_GUARDED_BY(mutex_);
  std::atomic<uint64_t> version_ = 1;  // Of set_, with which it changes.
};

}  // namespace

MacKeys::Code Attenuate(std::string_view code, std::string_view label) {
  KANTOKU_CHECK(code.size() == MacKeys::kCodeSize);
  // Kept for what was looked up; each call has a key of its own.
  thread_local const Context context = MakeContext(code);
  Digest digest;
  size_t size = 0;
  KANTOKU_CHECK(EVP_MAC_init(context.get(), Bytes(code), code.size(), nullptr) == 1 &&
                EVP_MAC_update(context.get(), Bytes(label), label.size()) == 1 &&
                EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1 &&
                size == kDigestSize);
  return CodeOf(static_cast<uint8_t>(code[0]), digest);
}

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::Make(std::vector<Key> keys) {
  KANTOKU_RETURN_IF_ERROR(CheckKeys(keys));
  return std::make_unique<HmacKeys>(std::move(keys));
}

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::Load(const std::string& path) {
  KANTOKU_ASSIGN_OR_RETURN(const KeyRing ring, ReadKeyFile(path));
  auto made = Make(KeysOf(ring));
  if (!made.ok()) return Annotate(made.status(), path);
  return made;
}

absl::StatusOr<std::unique_ptr<MacKeys>> MacKeys::LoadOrCreate(const std::string& path) {
  auto keys = Load(path);
  if (!absl::IsNotFound(keys.status())) return keys;
  const KeyRing first = {{.key = {.id = 1, .secret = RandomMacSecret()}}};
  const absl::Status created = CreateWholeFile(path, FormatKeyLines(first));
  if (!created.ok() && !absl::IsAlreadyExists(created)) return created;
  return Load(path);
}

}  // namespace kantoku::platform
