#include "services/platform/rpc/unary.h"

#include <chrono>

#include "services/platform/check.h"
#include "services/platform/status.h"

namespace kantoku::platform {
namespace {

// Of a call that has met the fence of a store: another owner has what it is about, and takes it.
absl::Status AsTold(const absl::Status& status) {
  if (!absl::IsAborted(status) || ReasonOf(status) != "STORE_FENCED") return status;
  return Error(absl::StatusCode::kUnavailable, "NOT_OWNER",
               "another replica has taken over what this is about: repeat");
}

}  // namespace

Reply::Reply(UnaryCall* call, CallMonitor::Method& method)
    : call_(call), method_(&method), begin_(method.Begin()) {}

Reply::Reply(Reply&& other) noexcept
    : call_(std::exchange(other.call_, nullptr)), method_(other.method_), begin_(other.begin_) {}

Reply::~Reply() {
  if (call_ == nullptr) return;
  (*this)(Error(absl::StatusCode::kInternal, "NO_REPLY", "the call was dropped unanswered"));
}

void Reply::operator()(const absl::Status& status) {
  KANTOKU_CHECK(call_ != nullptr);
  const absl::Status told = AsTold(status);
  method_->Ended(begin_, told);
  std::exchange(call_, nullptr)->Finish(told);
}

Admitted AdmitCall(const Call& call) {
  if (call.deadline() <= std::chrono::system_clock::now()) {
    return Error(absl::StatusCode::kDeadlineExceeded, "DEADLINE_OVER",
                 "the deadline was over before the call was read");
  }
  return call.identity();
}

}  // namespace kantoku::platform
