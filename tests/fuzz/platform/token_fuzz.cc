// Fields under a genuine code are opened or refused, and what is opened seals to the same token.
#include <cstdint>
#include <string>

#include "absl/strings/escaping.h"
#include "services/platform/auth/tokens.h"
#include "services/platform/check.h"

namespace kantoku::platform {
namespace {

const MacKeys& Keys() {
  static const auto& keys =
      *new std::unique_ptr<MacKeys>(MacKeys::Make({{1, std::string(32, 'k')}}).value());
  return *keys;
}

std::string Genuine(MacKeys::Purpose purpose, const std::string& fields) {
  return fields + std::string(Keys().Sign(purpose, fields));
}

void Check(const std::string& bytes) {
  const absl::Time now = absl::InfinitePast();
  KANTOKU_CHECK(!OpenLease(Keys(), bytes, now).ok());
  KANTOKU_CHECK(!OpenReceipt(Keys(), bytes).ok());

  const std::string lease = Genuine(MacKeys::Purpose::kLease, bytes);
  if (const auto opened = OpenLease(Keys(), lease, now); opened.ok()) {
    KANTOKU_CHECK(SealLease(Keys(), *opened) == lease);
  }
  const std::string receipt = Genuine(MacKeys::Purpose::kReceipt, bytes);
  if (const auto opened = OpenReceipt(Keys(), receipt); opened.ok()) {
    KANTOKU_CHECK(SealReceipt(Keys(), *opened) == receipt);
  }
  KANTOKU_CHECK(!OpenTaskToken(Keys(), bytes, now).ok());
  const std::string forged = "kantoku-task." + absl::WebSafeBase64Escape(bytes);
  KANTOKU_CHECK(!OpenTaskToken(Keys(), forged, now).ok());
  const std::string task_token = TaskTokenOf(lease);
  if (const auto opened = OpenTaskToken(Keys(), task_token, now); opened.ok()) {
    KANTOKU_CHECK(TaskTokenOf(SealLease(Keys(), *opened)) == task_token);
  }
  const std::string service = Genuine(MacKeys::Purpose::kService, bytes);
  static_cast<void>(OpenServiceIdentity(Keys(), service, now).ok());
}

}  // namespace
}  // namespace kantoku::platform

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  kantoku::platform::Check(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
