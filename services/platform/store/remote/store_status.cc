#include "services/platform/store/remote/store_status.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>

#include "absl/strings/str_cat.h"
#include "services/platform/rpc/grpc_status.h"
#include "services/platform/status.h"
#include "services/platform/store/store_errors.h"

namespace kantoku::platform {
namespace {

constexpr std::string_view kReasons[] = {
    kStoreFenced, kStoreFull,     kStoreBusy,    kStoreFailing, kStoreDamaged,   kStoreWentBack,
    kStoreInUse,  kStoreReadOnly, kStoreForeign, kStoreTooNew,  kBatchOutOfOrder};

// By whoever gives no reason; empty: the protocol does not have the code.
std::string_view UsualReason(absl::StatusCode code, std::string_view unmet) {
  switch (code) {
    case absl::StatusCode::kAborted:
      return kStoreFenced;
    case absl::StatusCode::kResourceExhausted:
      return kStoreFull;
    case absl::StatusCode::kUnavailable:
      return kStoreFailing;
    case absl::StatusCode::kDataLoss:
      return kStoreDamaged;
    case absl::StatusCode::kFailedPrecondition:
      return unmet;
    default:
      return {};
  }
}

}  // namespace

absl::Status FromStore(const grpc::Status& status, std::string_view unmet) {
  if (status.ok()) return absl::OkStatus();
  const absl::Status told = FromGrpc(status);
  const std::string_view usual = UsualReason(told.code(), unmet);
  if (usual.empty()) {
    return Error(absl::StatusCode::kUnavailable, kStoreFailing,
                 absl::StrCat("remote store: ", told.ToString()));
  }
  // Of reasons only those that stores have: callers of ours may see them.
  const std::string reason = ReasonOf(told);
  const bool known = std::ranges::find(kReasons, reason) != std::end(kReasons);
  return Error(told.code(), known ? std::string_view(reason) : usual,
               absl::StrCat("remote store: ", told.message()));
}

}  // namespace kantoku::platform
