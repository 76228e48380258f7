#ifndef KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_VERDICT_H_
#define KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_VERDICT_H_

#include "absl/status/status.h"

namespace kantoku::executor {

// What an answer of Outputs means for what was put.
enum class PutVerdict { kRetry, kBad, kNotOurs };

inline PutVerdict Judge(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kOutOfRange:
      return PutVerdict::kBad;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kNotFound:
      return PutVerdict::kNotOurs;
    default:
      return PutVerdict::kRetry;
  }
}

}  // namespace kantoku::executor

#endif  // KANTOKU_SERVICES_EXECUTOR_RUNTIME_PUT_VERDICT_H_
